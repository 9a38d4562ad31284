"""An operator settles what is in doubt, and nothing else."""

from __future__ import annotations

import pytest

from shared.delivery.model import ChunkKey, ChunkOutcome
from shared.delivery.settling_by_hand import HandSettler
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import NotFound, StaleWrite, WrongState
from shared.ids import MessageRef
from shared.mail import SendOutcome, Verdict
from tests.shared.delivery.world import World

State = RecipientState


def doubtful() -> tuple[World, ChunkKey, list[str]]:
    """Two messages of a campaign that are in doubt."""
    world = World()
    world.people(2)
    for sender in world.senders.values():
        sender.answer = lambda r: SendOutcome(r.index, Verdict.IN_DOUBT, "read_timeout")
    campaign = world.launched()
    world.drain()
    key = ChunkKey(world.workspace, campaign.id, 0)
    ids = [world.message_ids.make(MessageRef(world.workspace, campaign.id, 0, i)) for i in range(2)]
    return world, key, ids


def test_the_last_doubt_settled_ends_the_campaign() -> None:
    world, key, ids = doubtful()
    settler = HandSettler(world.ledger, world.message_ids)
    for message, state in zip(ids, (State.ACCEPTED, State.FAILED), strict=True):
        world.tick()
        assert world.campaigns.get(key.workspace, key.campaign).state is CampaignState.SENDING
        settler.settle(key.workspace, message, state)
        story = world.messages().get(key.workspace, message)
        assert (story["state"], story["reason"]) == (state.word, "settled_by_hand")
    world.tick()
    campaign = world.campaigns.get(key.workspace, key.campaign)
    assert campaign.state is CampaignState.SENT
    report = world.report(campaign)
    assert (report["accepted"], report["failed"], report["in_doubt"]) == (1, 1, 0)
    assert sum(cells.get("accepted", 0) for cells in report["by_provider"].values()) == 1


def test_what_is_not_in_doubt_is_refused() -> None:
    world, key, ids = doubtful()
    settler = HandSettler(world.ledger, world.message_ids)
    settler.settle(key.workspace, ids[0], State.ACCEPTED)
    with pytest.raises(WrongState, match="the message is accepted"):
        settler.settle(key.workspace, ids[0], State.FAILED)
    world.people(1, start=5)
    untried = world.launched()
    message = world.message_ids.make(MessageRef(world.workspace, untried.id, 0, 0))
    with pytest.raises(WrongState, match="the message is pending"):
        settler.settle(key.workspace, message, State.ACCEPTED)


def test_a_forged_or_foreign_id_is_not_found() -> None:
    world, key, ids = doubtful()
    settler = HandSettler(world.ledger, world.message_ids)
    beyond = world.message_ids.make(MessageRef(key.workspace, key.campaign, 0, 2))
    for workspace, text in [
        (world.ids.new("ws"), ids[0]),
        (key.workspace, "nonsense"),
        (key.workspace, beyond),
    ]:
        with pytest.raises(NotFound):
            settler.settle(workspace, text, State.ACCEPTED)


@pytest.mark.parametrize(("lost", "settles"), [(4, True), (5, False)])
def test_a_lost_race_is_run_again_a_few_times(lost: int, settles: bool) -> None:
    world, key, ids = doubtful()
    save, left = world.ledger.save_outcome, iter(range(lost))

    def stale(outcome: ChunkOutcome) -> ChunkOutcome:
        if next(left, None) is not None:
            raise StaleWrite("somebody else wrote first")
        return save(outcome)

    world.ledger.save_outcome = stale  # type: ignore[method-assign]  # the race under test
    settler = HandSettler(world.ledger, world.message_ids)
    if settles:
        assert settler.settle(key.workspace, ids[0], State.FAILED).state_of(0) is State.FAILED
    else:
        with pytest.raises(StaleWrite):
            settler.settle(key.workspace, ids[0], State.FAILED)
