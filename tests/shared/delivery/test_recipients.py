"""Who is in which state: every recipient once, in bounded pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.delivery import recipients
from shared.delivery.model import Campaign, ChunkKey, ChunkRecord
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.recipients import Recipient, RecipientListing
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import InvalidInput, NotFound
from shared.paging import encode_cursor
from tests.shared.delivery.world import World

State = RecipientState


def listing(world: World) -> RecipientListing:
    return RecipientListing(world.campaigns, world.ledger, world.message_ids)


def everybody(
    world: World, campaign: Campaign, state: State | None = None, limit: int = 7
) -> list[Recipient]:
    found: list[Recipient] = []
    cursor = None
    while True:
        page = listing(world).page(
            world.workspace, campaign.id, state=state, limit=limit, cursor=cursor
        )
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def mixed() -> tuple[World, Campaign]:
    """Three chunks: one with one failed and the rest sent, one sent, one not tried."""
    world = World()
    world.people(1200)
    campaign = world.launched()
    key = ChunkKey(world.workspace, campaign.id, 0)
    failed = [Change(3, State.FAILED, "no_route")]
    world.ledger.save_outcome(changed(fresh(key, 500), failed, ()))
    world.dispatch(key)
    world.dispatch(replace(key, chunk=1))
    return world, campaign


def test_everybody_is_listed_once() -> None:
    world, campaign = mixed()
    found = everybody(world, campaign, limit=200)
    planned = [s for plan in world.ledger.plans.values() for s in plan.subscribers]
    assert [one.subscriber for one in found] == planned
    assert len({one.message for one in found}) == 1200


@pytest.mark.parametrize(
    ("state", "count"),
    [(State.FAILED, 1), (State.ACCEPTED, 999), (State.PENDING, 200), (State.IN_DOUBT, 0)],
)
def test_only_a_states_recipients_are_listed(state: State, count: int) -> None:
    world, campaign = mixed()
    found = everybody(world, campaign, state, limit=150)
    assert [one.state for one in found] == [state] * count


def test_what_is_told_of_a_recipient() -> None:
    world, campaign = mixed()
    (failed,) = everybody(world, campaign, State.FAILED)
    assert (failed.reason, failed.provider, failed.attempt) == ("no_route", None, 0)
    assert failed.routing == {}
    accepted = everybody(world, campaign, State.ACCEPTED, limit=200)[0]
    record = world.ledger.record(ChunkKey(world.workspace, campaign.id, 0))
    assert accepted.subscriber == record.plan.subscribers[0]
    assert accepted.provider == record.attempts[0].provider_of(0)
    assert (accepted.attempt, accepted.reason) == (1, "")
    assert accepted.routing == record.attempts[0].routing
    story = world.messages().get(world.workspace, accepted.message)
    assert (story["subscriber"], story["state"]) == (accepted.subscriber, "accepted")


def test_the_reads_of_a_page_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipients, "OUTCOMES_PER_PAGE", 2)
    monkeypatch.setattr(recipients, "RECORDS_PER_PAGE", 1)
    world, campaign = mixed()
    page = listing(world).page(world.workspace, campaign.id, state=State.PENDING, limit=200)
    assert (page.items, page.cursor) == ((), encode_cursor({"chunk": 2, "index": 0}))
    page = listing(world).page(world.workspace, campaign.id, limit=1000)
    assert (len(page.items), page.cursor) == (500, encode_cursor({"chunk": 1, "index": 0}))
    assert len(everybody(world, campaign, limit=200)) == 1200
    assert len(everybody(world, campaign, State.FAILED)) == 1


def test_a_chunk_without_the_state_is_not_read_whole() -> None:
    world, campaign = mixed()
    read: list[ChunkKey] = []
    record = world.ledger.record

    def counting(key: ChunkKey) -> ChunkRecord:
        read.append(key)
        return record(key)

    world.ledger.record = counting  # type: ignore[method-assign]  # it counts
    everybody(world, campaign, State.FAILED)
    assert [key.chunk for key in read] == [0]


def test_of_a_cancelled_campaign_who_was_not_mailed_is_skipped() -> None:
    world, campaign = mixed()
    world.service().cancel(world.workspace, campaign.id)
    report = world.report(campaign)
    assert everybody(world, campaign, State.PENDING) == []
    skipped = everybody(world, campaign, State.SKIPPED, limit=200)
    assert len(skipped) == report["skipped"] == 200
    assert {(one.state, one.reason) for one in skipped} == {(State.SKIPPED, "cancelled")}


def test_a_draft_has_no_recipients_and_a_foreign_campaign_is_not_there() -> None:
    world = World()
    campaign = world.service().create(world.workspace, world.draft())
    assert campaign.state is CampaignState.DRAFT
    assert everybody(world, campaign) == []
    with pytest.raises(NotFound):
        listing(world).page(world.ids.new("ws"), campaign.id, limit=1)


@pytest.mark.parametrize(
    "position",
    [
        {"chunk": -1, "index": 0},
        {"chunk": "1", "index": 0},
        {"chunk": True, "index": 0},
        {"chunk": 0},
        {"chunk": 0, "index": None},
    ],
)
def test_a_bent_cursor_is_refused(position: dict[str, object]) -> None:
    world, campaign = mixed()
    with pytest.raises(InvalidInput, match="cursor"):
        listing(world).page(world.workspace, campaign.id, limit=1, cursor=encode_cursor(position))
    far = encode_cursor({"chunk": 10**12, "index": 10**12})
    assert listing(world).page(world.workspace, campaign.id, limit=1, cursor=far).items == ()
