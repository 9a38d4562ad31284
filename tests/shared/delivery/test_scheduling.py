"""What got stuck is found, doubts are settled, and a campaign is sent only when all add up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.analytics.model import Engagement
from shared.delivery import planning, scheduling
from shared.delivery.model import Campaign, ChunkKey, ChunkRecord
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import StaleWrite
from shared.events import Event, EventType
from shared.ids import MessageRef
from shared.mail import MailboxGroup, OutgoingRecipient, SendOutcome, Verdict
from tests.shared.delivery.world import World


class Died(Exception):
    """The worker process is gone."""


def event(world: World, key: ChunkKey, index: int, kind: EventType, provider: str) -> None:
    world.engagements.put_many(
        [
            Engagement(
                Event(kind, provider, f"{kind}{index}", world.clock.now(), kind.value),
                MessageRef(key.workspace, key.campaign, key.chunk, index),
                "sub_x",
                MailboxGroup.GMAIL,
            )
        ]
    )
    world.counters.saw_events(provider, world.clock.now())


def crashed(world: World) -> ChunkKey:
    """A chunk whose worker died while posting."""
    world.people(40)
    world.launched()
    key = world.queue.sent.pop(0)[0]

    def die(_: OutgoingRecipient) -> SendOutcome:
        raise Died

    for sender in world.senders.values():
        sender.answer = die
    try:
        world.dispatch(key)
    except Died:
        return key
    raise AssertionError("the worker should have died")


def test_a_chunk_whose_queue_message_was_lost_is_sent_again() -> None:
    world = World()
    world.people(10)
    campaign = world.launched()
    world.queue.sent.clear()
    world.tick(1)
    assert world.queue.sent == []
    world.tick(3)
    world.drain()
    assert world.report(campaign)["accepted"] == 10


def test_an_attempt_past_its_lease_is_in_doubt_and_never_sent_again() -> None:
    world = World()
    key = crashed(world)
    world.tick(1)
    assert world.ledger.record(key).outcome is None
    world.tick(6)
    world.drain()
    outcome = world.ledger.record(key).outcome
    assert outcome is not None
    assert len(outcome.in_state(RecipientState.IN_DOUBT)) == 40
    assert world.campaigns.get(world.workspace, key.campaign).state is CampaignState.SENDING


def test_events_settle_doubts() -> None:
    world = World()
    key = crashed(world)
    world.tick(7)
    attempt = world.ledger.attempts(key)[0]
    for index in range(40):
        provider = attempt.provider_of(index) or ""
        kind = EventType.REJECTED if index == 5 else EventType.DELIVERED
        event(world, key, index, kind, provider)
    world.tick(2)
    campaign = world.campaigns.get(world.workspace, key.campaign)
    report = world.report(campaign)
    assert (report["accepted"], report["rejected"], report["in_doubt"]) == (39, 1, 0)
    assert campaign.state is CampaignState.SENT


def test_silence_settles_only_while_the_providers_events_flow() -> None:
    world = World()
    key = crashed(world)
    world.tick(7)
    campaign = world.campaigns.get(world.workspace, key.campaign)
    world.tick(120)
    assert world.report(campaign)["in_doubt"] == 40
    for provider in world.senders:
        world.counters.saw_events(provider, world.clock.now())
    world.tick(2)
    report = world.report(campaign)
    assert (report["failed"], report["in_doubt"]) == (40, 0)
    assert report["reasons"] == {"presumed_not_accepted": 40}


def presumed(world: World) -> ChunkKey:
    """A campaign that is sent, with 40 people of whom nothing was ever heard."""
    key = crashed(world)
    world.tick(70)
    for provider in world.senders:
        world.counters.saw_events(provider, world.clock.now())
    world.tick(2)
    assert world.campaigns.get(world.workspace, key.campaign).state is CampaignState.SENT
    return key


def test_late_news_of_somebody_presumed_not_accepted_set_it_right() -> None:
    world = World()
    key = presumed(world)
    event(world, key, 7, EventType.DELIVERED, "ses")
    event(world, key, 9, EventType.REJECTED, "ses")
    for _ in range(3):
        world.tick(60)
    campaign = world.campaigns.get(world.workspace, key.campaign)
    report = world.report(campaign)
    assert (report["accepted"], report["failed"]) == (1, 39)
    assert campaign.totals["states"]["accepted"] == 1
    assert campaign.totals["reasons"] == {"presumed_not_accepted": 39}


def test_totals_are_never_older_than_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    key = presumed(world)
    event(world, key, 7, EventType.DELIVERED, "ses")
    campaigns, saves = world.campaigns, []
    save = campaigns.save

    def breaks_off(campaign: Campaign) -> Campaign:
        saves.append(campaign)
        if len(saves) == 2:
            raise StaleWrite("somebody else wrote the campaign")
        return save(campaign)

    monkeypatch.setattr(campaigns, "save", breaks_off)
    world.tick(120)
    assert len(saves) == 2
    report = world.report(campaigns.get(world.workspace, key.campaign))
    assert (report["accepted"], report["failed"]) == (1, 39)


def test_late_news_are_waited_for_less_and_less_often_and_not_for_ever() -> None:
    world = World()
    presumed(world)
    looks = 0
    for _ in range(200):
        looks += world.tick(60).did["chunks_listened_to"]
    assert looks == 5
    assert not world.due.items


def test_an_attempt_after_which_nothing_was_heard_stays_in_doubt() -> None:
    world = World()
    world.settle_deadline = timedelta(minutes=5)
    key = crashed(world)
    for minutes, (failed, doubted) in {13: (0, 40), 1: (40, 0)}.items():
        for provider in world.senders:
            world.counters.saw_events(provider, world.clock.now())
        for _ in range(minutes):
            world.tick(1)
        campaign = world.campaigns.get(world.workspace, key.campaign)
        report = world.report(campaign)
        assert (report["failed"], report["in_doubt"]) == (failed, doubted)


def test_chunks_are_released_as_others_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "FIRST", 2)
    monkeypatch.setattr(scheduling, "LEAST", 1)
    world = World()
    world.in_flight = 2
    world.people(1600)
    campaign = world.launched()
    assert (campaign.chunks, campaign.released) == (4, 2)
    world.drain()
    world.tick()
    world.drain()
    assert world.campaigns.get(world.workspace, campaign.id).released == 4
    world.tick()
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENT
    assert len(world.mailed()) == 1600


def test_a_launch_that_died_before_its_job_was_queued_is_recovered() -> None:
    world = World()
    world.people(5)
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    world.job_queue.messages.clear()
    world.tick(1)
    assert not world.job_queue.messages
    world.tick(3)
    assert len(world.job_queue.messages) == 1


def test_a_closed_chunk_is_looked_at_once_more_and_forgotten() -> None:
    world = World()
    world.people(5)
    world.launched()
    world.drain()
    assert len(world.due.items) == 1
    world.tick(4)
    assert not world.due.items


def test_two_schedulers_at_once_do_no_harm() -> None:
    world = World()
    key = crashed(world)
    world.clock.advance(minutes=7)
    items = list(world.due.items)
    world.scheduler().tick(world.clock.now() + timedelta(seconds=50))
    world.due.add(items)
    world.scheduler().tick(world.clock.now() + timedelta(seconds=50))
    outcome = world.ledger.record(key).outcome
    assert outcome is not None
    assert sum(outcome.counts.values()) == 40


def test_a_tick_stops_at_its_deadline() -> None:
    world = World()
    world.people(1)
    world.launched()
    world.clock.advance(minutes=10)
    tick = world.scheduler().tick(world.clock.now() - timedelta(seconds=1))
    assert not tick.did


def test_verdicts_that_end_a_campaign_freeze_its_totals() -> None:
    world = World()
    world.people(8)
    for sender in world.senders.values():
        sender.answer = lambda r: SendOutcome(r.index, Verdict.ACCEPTED)
    campaign = world.launched()
    world.drain()
    world.tick()
    sent = world.campaigns.get(world.workspace, campaign.id)
    assert sent.totals["states"]["accepted"] == 8


def test_a_chunk_that_is_over_is_closed_by_its_outcome_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plan and attempts are two thirds of what a look reads, and say nothing more then."""
    world = World()
    world.people(1200)
    world.launched()
    world.drain()

    def unread(key: ChunkKey) -> ChunkRecord:
        raise AssertionError(f"chunk {key.chunk} was read whole")

    monkeypatch.setattr(world.ledger, "record", unread)
    assert world.tick(minutes=30).did["chunks_closed"] == 3
