"""Kill switches act within ten seconds, on everything, and lose nothing."""

from __future__ import annotations

import pytest

from shared.delivery.composing import MessageRequest
from shared.delivery.posting import FIRST_BATCH
from shared.delivery.states import CampaignState
from shared.delivery.switches import DEPLOYMENT, Switches
from shared.errors import DependencyUnavailable, InvalidInput
from shared.mail import Mailbox, OutgoingRecipient, SendOutcome, Verdict
from tests.shared.delivery.world import DOMAIN, World


def turn(world: World, workspace: str, *, enabled: bool) -> None:
    world.switch_service.put(workspace, enabled=enabled, reason="wrong prices", by="test")


def test_what_was_read_is_believed_for_less_than_five_seconds() -> None:
    world = World()
    switches = Switches(world.switches, world.clock)
    assert not switches.off(world.workspace)
    turn(world, world.workspace, enabled=False)
    assert not switches.off(world.workspace)
    assert world.switches.reads == 1
    world.clock.advance(seconds=4)
    assert switches.off(world.workspace)


def test_one_workspaces_switch_is_not_anothers() -> None:
    world = World()
    switches = Switches(world.switches, world.clock)
    turn(world, "ws_other", enabled=False)
    assert not switches.off(world.workspace)
    assert switches.off("ws_other")


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 201])
def test_turning_off_needs_a_reason(reason: str) -> None:
    world = World()
    with pytest.raises(InvalidInput, match="reason"):
        world.switch_service.put(world.workspace, enabled=False, reason=reason, by="test")
    assert world.switch_service.get(world.workspace)[0].enabled


@pytest.mark.parametrize("whose", ["workspace", "deployment"])
def test_nothing_is_sent_while_it_is_off_and_everything_after(whose: str) -> None:
    world = World()
    world.people(30)
    campaign = world.launched()
    switch = DEPLOYMENT if whose == "deployment" else world.workspace
    turn(world, switch, enabled=False)
    (run,) = world.drain()
    assert run.note == "sending is switched off"
    for _ in range(10):
        world.tick()
        world.drain()
    assert world.mailed() == []
    turn(world, switch, enabled=True)
    for _ in range(6):
        world.tick()
        world.drain()
    assert len(world.mailed()) == 30
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENT


def test_transactional_messages_wait_too() -> None:
    world = World()
    turn(world, world.workspace, enabled=False)
    request = MessageRequest(
        to=Mailbox("ada@example.com"), sender=Mailbox(f"a@{DOMAIN}"), subject="Hi", text="Hello"
    )
    world.messages().send(world.workspace, request)
    world.drain()
    world.tick(5)
    world.drain()
    assert world.mailed() == []
    turn(world, world.workspace, enabled=True)
    world.tick(2)
    world.drain()
    assert world.mailed() == ["ada@example.com"]


def test_a_chunk_that_is_being_posted_stops_between_two_batches() -> None:
    world = World()
    world.weights = {"sendgrid": 0, "ses": 1, "postmark": 0}
    world.people(200)
    world.launched()

    def slow(recipient: OutgoingRecipient) -> SendOutcome:
        world.clock.advance(seconds=0.1)
        if len(world.senders["ses"].batches) == 1:
            turn(world, world.workspace, enabled=False)
        return SendOutcome(recipient.index, Verdict.ACCEPTED)

    world.senders["ses"].answer = slow
    world.drain()
    assert len(world.mailed()) == FIRST_BATCH + 50
    turn(world, world.workspace, enabled=True)
    world.senders["ses"].answer = lambda one: SendOutcome(one.index, Verdict.ACCEPTED)
    for _ in range(6):
        world.tick()
        world.drain()
    assert len(set(world.mailed())) == len(world.mailed()) == 200


def test_nothing_is_released_while_it_is_off() -> None:
    world = World()
    world.people(1200)
    turn(world, world.workspace, enabled=False)
    campaign = world.launched()
    assert (campaign.state, campaign.released) == (CampaignState.SENDING, 0)
    turn(world, world.workspace, enabled=True)
    world.tick()
    assert world.campaigns.get(world.workspace, campaign.id).released == 3


def test_an_outage_while_it_posts_loses_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.weights = {"sendgrid": 0, "ses": 1, "postmark": 0}
    world.people(200)
    campaign = world.launched()

    def down(_: object) -> None:
        raise DependencyUnavailable("DynamoDB did not answer")

    def slow(recipient: OutgoingRecipient) -> SendOutcome:
        world.clock.advance(seconds=0.1)
        monkeypatch.setattr(world.switches, "get", down)
        return SendOutcome(recipient.index, Verdict.ACCEPTED)

    world.senders["ses"].answer = slow
    with pytest.raises(DependencyUnavailable):
        world.drain()
    assert world.report(campaign)["accepted"] == len(world.mailed()) == FIRST_BATCH + 50
    assert world.report(campaign)["in_doubt"] == 0
