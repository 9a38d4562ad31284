"""A retry sends the failed ones again, only those, and each of them once; sums stay exact."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.analytics.model import Engagement
from shared.delivery.dispatch import LEASE_GRACE
from shared.delivery.model import Campaign, ChunkKey, ChunkOutcome
from shared.delivery.outcomes import Change, changed, counts_of, fresh
from shared.delivery.retrying import MAX_REASONS, RetryService, RetryStep
from shared.delivery.schedule import Schedule
from shared.delivery.settling import DEADLINE
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import InvalidInput, StaleWrite, WrongState
from shared.events import Event, EventType
from shared.ids import MessageRef
from shared.jobs import Job, JobState
from shared.mail import MailboxGroup, OutgoingRecipient, SendOutcome, Verdict
from tests.shared.delivery.world import World

State = RecipientState


def service(world: World) -> RetryService:
    return RetryService(
        campaigns=world.campaigns,
        ledger=world.ledger,
        sender_check=world.sender_check,
        jobs=world.jobs,
        job_queue=world.job_queue,
        ids=world.ids,
        clock=world.clock,
    )


def step(world: World) -> RetryStep:
    return RetryStep(world.campaigns, world.ledger, world.engagements, world.due, world.clock)


def run_retry(world: World, campaign: Campaign) -> Job:
    job = world.jobs.get(world.workspace, campaign.retry_job)
    while job.state not in {JobState.DONE, JobState.FAILED}:
        job = world.jobs.save(step(world).run(job))
    return job


def now(world: World, campaign: Campaign) -> Campaign:
    return world.campaigns.get(world.workspace, campaign.id)


def settled(world: World, campaign: Campaign) -> Campaign:
    """Everything is dispatched and looked at until the campaign is sent."""
    for _ in range(10):
        world.drain()
        world.tick()
        if now(world, campaign).state is CampaignState.SENT:
            return now(world, campaign)
    raise AssertionError("the campaign is not sent")


def fail(world: World, campaign: Campaign, reasons: dict[int, str], number: int = 0) -> ChunkKey:
    """Marks recipients of a chunk as failed, after an attempt through the fakes was lost."""
    key = ChunkKey(world.workspace, campaign.id, number)
    record = world.ledger.record(key)
    outcome = record.outcome or fresh(key, len(record.plan.subscribers))
    changes = [Change(i, State.FAILED, reason) for i, reason in reasons.items()]
    world.ledger.save_outcome(changed(outcome, changes, record.attempts))
    return key


def failed_campaign(size: int = 40, bad: int = 10) -> tuple[World, Campaign]:
    """A campaign that is sent; its first `bad` recipients failed, half for another reason."""
    world = World()
    world.people(size)
    campaign = world.launched()
    reasons = {i: ("presumed_not_accepted", "gave_up")[i % 2] for i in range(bad)}
    fail(world, campaign, reasons)
    campaign = settled(world, campaign)
    assert world.report(campaign)["failed"] == bad
    return world, campaign


def test_the_failed_are_sent_again_and_nobody_else() -> None:
    world, campaign = failed_campaign()
    assert len(world.mailed()) == 30

    opened = service(world).retry(world.workspace, campaign.id)
    assert (opened.state, opened.totals, opened.finished_at) == (CampaignState.SENDING, {}, None)
    assert world.report(opened)["failed"] == 10
    run_retry(world, opened)
    report = world.report(opened)
    assert (report["pending"], report["accepted"], report["failed"]) == (10, 30, 0)

    done = settled(world, campaign)
    assert len(world.mailed()) == len(set(world.mailed())) == 40
    report = world.report(done)
    assert (report["accepted"], report["failed"], report["pending"]) == (40, 0, 0)
    assert report["recipients"] == 40
    assert done.totals["states"]["accepted"] == 40


def test_only_those_of_the_named_reasons_are_sent_again() -> None:
    world, campaign = failed_campaign()
    run_retry(world, service(world).retry(world.workspace, campaign.id, ["gave_up"]))
    done = settled(world, campaign)
    report = world.report(done)
    assert (report["accepted"], report["failed"]) == (35, 5)
    assert report["reasons"] == {"presumed_not_accepted": 5}


@pytest.mark.parametrize("reasons", [[], ["gave_up"]])
def test_with_nobody_failed_it_says_so(reasons: list[str]) -> None:
    world = World()
    world.people(3)
    campaign = world.launched()
    for state in ("sending", "sent"):
        assert now(world, campaign).state.value == state
        with pytest.raises(WrongState, match="no recipient of this campaign has failed"):
            service(world).retry(world.workspace, campaign.id, reasons)
        settled(world, campaign)
    assert len(world.job_queue.messages) == 1


def test_reasons_that_nobody_failed_for_are_nothing_to_retry() -> None:
    world, campaign = failed_campaign()
    with pytest.raises(WrongState, match="for any of these reasons"):
        service(world).retry(world.workspace, campaign.id, ["no_route"])
    assert now(world, campaign).state is CampaignState.SENT


@pytest.mark.parametrize("state", ["draft", "planning", "cancelled", "failed"])
def test_a_campaign_that_was_not_sent_is_not_retried(state: str) -> None:
    world, campaign = failed_campaign()
    world.campaigns.save(replace(now(world, campaign), state=CampaignState(state)))
    with pytest.raises(WrongState, match="sending, paused or sent"):
        service(world).retry(world.workspace, campaign.id)


def test_a_campaign_past_its_end_is_not_retried() -> None:
    world, campaign = failed_campaign()
    ended = Schedule(end_at=world.clock.now() - timedelta(seconds=1))
    world.campaigns.save(replace(now(world, campaign), schedule=ended))
    with pytest.raises(WrongState, match=r"end_at .* has passed: .* with a new campaign"):
        service(world).retry(world.workspace, campaign.id)
    assert now(world, campaign).state is CampaignState.SENT


def test_too_many_reasons_and_an_unverified_sender_are_refused() -> None:
    world, campaign = failed_campaign()
    with pytest.raises(InvalidInput, match="reasons"):
        service(world).retry(world.workspace, campaign.id, ["x"] * (MAX_REASONS + 1))
    world.sender_check.domains.clear()
    with pytest.raises(InvalidInput, match=r"sender\.email"):
        service(world).retry(world.workspace, campaign.id)
    assert now(world, campaign).state is CampaignState.SENT


def test_a_second_retry_waits_for_the_first() -> None:
    world, campaign = failed_campaign()
    opened = service(world).retry(world.workspace, campaign.id)
    with pytest.raises(WrongState, match="under way"):
        service(world).retry(world.workspace, campaign.id)
    run_retry(world, opened)
    settled(world, campaign)
    fail(world, campaign, {})
    with pytest.raises(WrongState, match="has failed"):
        service(world).retry(world.workspace, campaign.id)


def test_a_campaign_is_not_sent_while_its_retry_is_not_through() -> None:
    world, campaign = failed_campaign()
    opened = service(world).retry(world.workspace, campaign.id)
    world.tick()
    assert now(world, campaign).state is CampaignState.SENDING
    run_retry(world, opened)
    assert settled(world, campaign).state is CampaignState.SENT


def test_a_retry_whose_job_was_never_enqueued_is_recovered() -> None:
    world, campaign = failed_campaign()
    opened = service(world).retry(world.workspace, campaign.id)
    world.job_queue.messages.clear()
    world.tick(1)
    assert not world.job_queue.messages
    world.tick(2)
    assert [m.job for m in world.job_queue.messages] == [opened.retry_job]


def test_a_retry_whose_job_is_forgotten_does_not_keep_a_campaign_open() -> None:
    world, campaign = failed_campaign()
    service(world).retry(world.workspace, campaign.id)
    world.jobs.jobs.clear()
    assert settled(world, campaign).state is CampaignState.SENT


def test_a_paused_campaign_is_retried_when_it_is_resumed() -> None:
    world = World()
    world.people(10)
    campaign = world.launched()
    fail(world, campaign, {0: "gave_up"})
    world.service().pause(world.workspace, campaign.id)
    opened = service(world).retry(world.workspace, campaign.id)
    assert opened.state is CampaignState.PAUSED
    run_retry(world, opened)
    world.drain()
    world.tick()
    assert world.mailed() == []
    world.service().resume(world.workspace, campaign.id)
    assert world.report(settled(world, campaign))["accepted"] == 10


def test_a_sent_campaign_is_opened_by_a_retry_alone() -> None:
    world, campaign = failed_campaign()
    with pytest.raises(WrongState, match="a retry sends the failed ones again"):
        world.service().resume(world.workspace, campaign.id)


def test_who_was_mailed_after_all_is_not_mailed_again() -> None:
    world, campaign = failed_campaign()
    world.engagements.put_many(
        [
            Engagement(
                Event(EventType.DELIVERED, "ses", "e0", world.clock.now(), "Delivery"),
                MessageRef(world.workspace, campaign.id, 0, 0),
                "sub_x",
                MailboxGroup.GMAIL,
            )
        ]
    )
    run_retry(world, service(world).retry(world.workspace, campaign.id))
    report = world.report(settled(world, campaign))
    assert (report["accepted"], report["failed"]) == (40, 0)
    assert len(world.mailed()) == 39


class Killed(Exception):
    """The worker process is gone."""


def dying(call: Any, after: int) -> Any:
    left = iter(range(after))

    def die(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return call(*args, **kwargs)

    return die


@pytest.mark.parametrize("store", ["ledger", "due"])
@pytest.mark.parametrize("after", range(3))
def test_a_retry_killed_anywhere_and_done_again_mails_each_once(store: str, after: int) -> None:
    world = World()
    world.people(1300)
    campaign = world.launched()
    for number in range(3):
        fail(world, campaign, dict.fromkeys(range(number, 200), "gave_up"), number)
    settled(world, campaign)
    opened = service(world).retry(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, opened.retry_job)
    name = {"ledger": "save_outcome", "due": "add"}[store]
    whole = getattr(getattr(world, store), name)
    setattr(getattr(world, store), name, dying(whole, after))
    with pytest.raises(Killed):
        step(world).run(job)
    setattr(getattr(world, store), name, whole)
    run_retry(world, opened)
    assert world.report(settled(world, campaign))["accepted"] == 1300
    assert set(Counter(world.mailed()).values()) == {1}


def test_a_retry_while_a_worker_is_posting_leaves_nobody_in_doubt() -> None:
    """The retry writes the outcome between a worker's attempt and its record of it."""
    world = World()
    world.people(20)
    campaign = world.launched()
    fail(world, campaign, {0: "gave_up", 1: "gave_up"})
    key = world.queue.sent.pop(0)[0]
    fired: list[bool] = []

    def meanwhile(recipient: OutgoingRecipient) -> SendOutcome:
        if not fired:
            fired.append(True)
            run_retry(world, service(world).retry(world.workspace, campaign.id))
        return SendOutcome(recipient.index, Verdict.ACCEPTED)

    for sender in world.senders.values():
        sender.answer = meanwhile
    world.dispatch(key)
    outcome = world.ledger.record(key).outcome
    assert outcome is not None
    assert outcome.in_state(State.PENDING) == [0, 1]
    assert len(outcome.in_state(State.ACCEPTED)) == 18
    report = world.report(settled(world, campaign))
    assert (report["accepted"], report["in_doubt"]) == (20, 0)
    assert set(Counter(world.mailed()).values()) == {1}


def test_a_step_that_always_comes_late_is_done_again() -> None:
    world, campaign = failed_campaign()
    opened = service(world).retry(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, opened.retry_job)

    def late(outcome: ChunkOutcome) -> ChunkOutcome:  # noqa: ARG001  # the port's
        raise StaleWrite("somebody else wrote first")

    world.ledger.save_outcome = late  # type: ignore[method-assign]  # the race under test
    with pytest.raises(StaleWrite):
        step(world).run(job)


def test_a_retry_ends_with_its_campaign() -> None:
    world, campaign = failed_campaign()
    opened = service(world).retry(world.workspace, campaign.id)
    world.service().cancel(world.workspace, campaign.id)
    assert run_retry(world, opened).state is JobState.DONE
    assert world.report(now(world, campaign))["failed"] == 10


def test_a_retry_whose_answer_is_lost_is_in_doubt_and_holds_the_campaign() -> None:
    world, campaign = failed_campaign()
    run_retry(world, service(world).retry(world.workspace, campaign.id))
    for sender in world.senders.values():
        sender.answer = lambda r: SendOutcome(r.index, Verdict.IN_DOUBT, "read_timeout")
    world.tick()
    world.drain()
    world.tick()
    report = world.report(now(world, campaign))
    assert (report["in_doubt"], report["state"]) == (10, "sending")
    world.clock.advance(seconds=(DEADLINE + LEASE_GRACE + timedelta(minutes=5)).total_seconds())
    for provider in world.senders:
        world.counters.saw_events(provider, world.clock.now())
    done = settled(world, campaign)
    assert world.report(done)["reasons"] == {"presumed_not_accepted": 10}
    run_retry(world, service(world).retry(world.workspace, campaign.id))
    assert now(world, campaign).state is CampaignState.SENDING


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(list(Verdict)), min_size=6, max_size=6),
    st.lists(st.integers(0, 5), max_size=4),
)
def test_sums_stay_exact_whatever_is_answered_and_retried(
    verdicts: list[Verdict], retries: list[int]
) -> None:
    """Per provider and group too: what is stored is what states and attempts give."""
    world = World()
    world.people(6)
    campaign = world.launched()
    for number, bad in enumerate([None, *retries]):
        if bad is not None:
            current = world.ledger.record(ChunkKey(world.workspace, campaign.id, 0)).outcome
            if current is None or current.state_of(bad) is not State.PENDING:
                continue
            fail(world, campaign, {bad: "gave_up"})
            run_retry(world, service(world).retry(world.workspace, campaign.id))
        for sender in world.senders.values():
            sender.answer = lambda r, n=number: SendOutcome(  # type: ignore[misc]  # bound now
                r.index, verdicts[(r.index + n) % 6], "code"
            )
        world.service().resume(world.workspace, campaign.id)
        if world.queue.sent:
            world.dispatch(world.queue.sent.pop(0)[0])
        world.tick()
        report = world.report(campaign)
        words = ("accepted", "rejected", "failed", "skipped", "in_doubt", "pending")
        assert sum(report[word] for word in words) == report["recipients"] == 6
        record = world.ledger.record(ChunkKey(world.workspace, campaign.id, 0))
        if record.outcome:
            assert record.outcome.counts == counts_of(record.outcome.states, record.attempts)
            counted = sum(record.outcome.counts.values())
            assert counted == sum(1 for byte in record.outcome.states if byte)
