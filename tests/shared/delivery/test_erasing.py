"""Erasing a person who is in campaigns and messages, one of them running at that moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.analytics.model import Engagement
from shared.audience.consent import ConsentService
from shared.audience.consents import ConsentChange
from shared.audience.deleting import Removal
from shared.audience.erasing import MOST_ROUNDS, PAUSE_S, EraseStep
from shared.audience.erasing_files import FileEraser
from shared.audience.erasing_people import ConsentEraser, MembershipEraser, RecordEraser
from shared.audience.erasure import Erasure, ErasureService
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.audience.segments.model import Snapshot
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.suppressions.ports import EVERYWHERE, KnownAddress
from shared.delivery import planning
from shared.delivery.composing import MessageRequest
from shared.delivery.erasing import EventEraser, FrequencyEraser, MessageEraser, PlanEraser
from shared.delivery.frequency import Place
from shared.delivery.intake import EventIntake, IntakeOutcome
from shared.delivery.model import ChunkKey
from shared.delivery.states import CampaignState, RecipientState
from shared.delivery.workspace import FrequencyCap
from shared.engagement import EngagementState, KeptState
from shared.errors import WrongState
from shared.events import Event, EventReport, EventType
from shared.ids import NOBODY, TRANSACTIONAL_CHUNK, MessageRef
from shared.jobs import Job, JobKind, JobRunner, JobState
from shared.mail import Mailbox, MailboxGroup, MessageKind
from shared.retention import by_default
from tests import fakes
from tests.shared.delivery.world import DOMAIN, World


class Office(World):
    """Delivery, with a person to erase: `ada`, on the list with others."""

    def __init__(self) -> None:
        super().__init__()
        self.consents = fakes.FakeConsents()
        self.journal = fakes.FakeErasures()
        self.known = fakes.FakeKnownAddresses()
        self.everywhere = EverywhereList(self.known, self.suppressions, self.subscriber_ids)
        self.consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock, self.consents
        )
        self.erasures = ErasureService(
            journal=self.journal,
            subscribers=self.subscribers,
            consent=self.consent,
            suppressions=self.suppressions,
            everywhere=self.everywhere,
            ids=self.subscriber_ids,
            jobs=self.jobs,
            job_queue=self.job_queue,
            resource_ids=self.ids,
            clock=self.clock,
        )
        removal = Removal(self.subscribers, self.memberships, self.engagement)
        self.step = EraseStep(
            self.subscribers,
            (
                RecordEraser(removal, self.engagement, self.suppressions),
                MembershipEraser(self.memberships, self.lists, self.snapshots, self.jobs),
                FileEraser(self.blobs, self.jobs, self.clock),
                MessageEraser(self.ledger, self.blobs),
                PlanEraser(self.campaigns, self.ledger),
                EventEraser(self.engagements, self.ledger, self.blobs),
                FrequencyEraser(self.frequency),
                ConsentEraser(self.consents, by_default),
            ),
        )

    def ada(self, **fields: Any) -> Subscriber:
        [person] = self.people(1, "ada.example", **fields)
        return person

    def erase(self, whom: Subscriber) -> Job:
        return self.carry_out(self.erasures.by_id(self.workspace, whom.id, by="api:key_a"))

    def carry_out(self, job: Job) -> Job:
        """Runs the job as far as it comes before it pauses."""
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(self.step.run(job))
            if job.pause_s:
                break
        return job

    def everything(self) -> str:
        """All that is kept, but for what is to stay."""
        stores = (
            self.subscribers.people, self.memberships.lists, self.engagement.states,
            self.ledger.plans, self.engagements.by_key, self.blobs.files,
        )  # fmt: skip
        return repr(stores)


def small_chunks(monkeypatch: pytest.MonkeyPatch, size: int = 3) -> None:
    monkeypatch.setattr(planning, "CHUNK_SIZE", size)


def test_a_running_campaign_skips_her_from_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    small_chunks(monkeypatch)
    office = Office()
    office.people(10)
    ada = office.ada()
    campaign = office.launched()

    begun = office.erasures.by_id(office.workspace, ada.id, by="api:key_a")
    office.drain()
    assert ada.address not in office.mailed()
    assert len(office.mailed()) == 10
    report = office.report(campaign)
    assert (report["recipients"], report["accepted"], report["skipped"]) == (11, 10, 1)

    done = office.carry_out(begun)
    assert (done.state, done.progress) == (JobState.DONE, {"records": 1, "plans": 1})
    assert ada.id not in office.everything()
    assert office.report(campaign)["skipped"] == 1
    held = [one for plan in office.ledger.plans.values() for one in plan.subscribers]
    assert held.count(NOBODY) == 1
    assert len(held) == 11


def test_a_chunk_that_is_sent_after_the_job_finds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    small_chunks(monkeypatch)
    office = Office()
    office.people(4)
    ada = office.ada()
    campaign = office.launched()
    office.erase(ada)
    office.drain()
    assert len(office.mailed()) == 4
    report = office.report(campaign)
    assert (report["accepted"], report["skipped"]) == (4, 1)
    [outcome] = [o for o in office.ledger.results.values() if o.reasons]
    assert outcome.reasons.keys() == {"erased"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_everybody_is_found_in_the_plans_and_none_other(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    small_chunks(monkeypatch, size)
    office = Office()
    people = office.people(24)
    office.launched()
    for number, person in enumerate(people, start=1):
        done = office.erase(person)
        assert done.progress["plans"] == 1
        held = [one for plan in office.ledger.plans.values() for one in plan.subscribers]
        assert held.count(NOBODY) == number
        assert person.id not in office.everything()


def test_seeds_are_found_outside_of_the_order() -> None:
    office = Office()
    office.people(5)
    ada = office.ada()
    seeds = office.ids.new("lst")
    office.lists.create(replace(office.lists.get(office.workspace, office.list_id), id=seeds))
    office.memberships.add(office.workspace, seeds, [ada.id])
    office.launched(seed_list=seeds)
    office.erase(ada)
    assert ada.id not in office.everything()


def test_a_campaign_being_planned_is_waited_for() -> None:
    office = Office()
    office.people(2)
    ada = office.ada()
    campaign = office.launched()
    office.campaigns.save(replace(campaign, state=CampaignState.PLANNING))
    begun = office.erasures.by_id(office.workspace, ada.id, by="api:key_a")
    runner = JobRunner(
        office.jobs, office.job_queue, {JobKind.ERASE_SUBSCRIBER: office.step}, office.clock
    )
    later = office.clock.now().replace(hour=23)
    paused = runner.run(office.workspace, begun.id, later)
    assert paused.state is JobState.RUNNING
    assert office.job_queue.messages[-1] == fakes.QueuedJob(office.workspace, begun.id, PAUSE_S)
    assert ada.id in repr(office.ledger.plans)

    present = office.campaigns.get(office.workspace, campaign.id)
    office.campaigns.save(replace(present, state=CampaignState.SENDING))
    assert runner.run(office.workspace, begun.id, later).state is JobState.DONE
    assert ada.id not in office.everything()


def test_who_is_held_for_a_day_fails_and_says_what_to_do() -> None:
    office = Office()
    ada = office.ada()
    campaign = office.launched()
    office.campaigns.save(replace(campaign, state=CampaignState.PLANNING))
    job = office.erasures.by_id(office.workspace, ada.id, by="api:key_a")
    job = replace(job, cursor={"round": MOST_ROUNDS})
    for _ in range(9):
        job = office.step.run(job)
    with pytest.raises(WrongState, match="ask for the erasure again"):
        office.step.run(job)


def engagement(office: Office, ref: MessageRef, who: str) -> Engagement:
    event = Event(
        EventType.BOUNCED, "sendgrid", f"e{ref.campaign}{ref.index}", office.clock.now(), "bounce",
        detail="550 <ada@ada.example> unknown", ip="203.0.113.9", user_agent="Firefox",
    )  # fmt: skip
    return Engagement(event, ref, who, MailboxGroup.OTHER)


def message(office: Office, to: str, **fields: Any) -> ChunkKey:
    request = MessageRequest(
        to=Mailbox(to, "Ada"), sender=Mailbox(f"shop@{DOMAIN}"), subject="Receipt",
        text="Dear Ada", **fields,
    )  # fmt: skip
    ref = office.message_ids.parse(office.messages().send(office.workspace, request))
    return ChunkKey(ref.workspace, ref.campaign, ref.chunk)


def test_messages_to_her_are_emptied_and_never_sent() -> None:
    office = Office()
    ada = office.ada()
    key = message(office, ada.address, data={"x": "y" * 20_000})
    [file] = office.blobs.files
    other = message(office, "bob@example.com", cc=(Mailbox(ada.address, "Ada"),))
    # What she got a copy of is found by its events.
    ref = MessageRef(other.workspace, other.campaign, other.chunk, 0)
    office.engagements.put_many([engagement(office, ref, ada.id)])
    done = office.erase(ada)
    assert done.progress == {"records": 1, "messages": 1, "events": 1}
    assert ada.id not in office.everything()
    assert ada.address not in office.everything()
    assert file not in office.blobs.files
    office.drain()
    assert office.mailed() == ["bob@example.com"]
    [batch] = [batch for sender in office.senders.values() for batch in sender.batches]
    assert batch.extras is None
    assert office.ledger.results[key].state_of(0) is RecipientState.SKIPPED
    assert office.ledger.results[key].reason_of(0) == "erased"
    told = office.messages().get(
        office.workspace, office.message_ids.make(replace(ref, campaign=key.campaign))
    )
    assert (told["subscriber"], told["reason"]) == (NOBODY, "erased")


def test_many_messages_take_some_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.delivery.erasing.MESSAGES_PER_STEP", 2)
    office = Office()
    ada = office.ada()
    for _ in range(5):
        message(office, ada.address)
    done = office.erase(ada)
    assert done.progress == {"records": 1, "messages": 5}
    assert ada.address not in office.everything()


def test_late_events_are_turned_away_at_intake() -> None:
    office = Office()
    office.people(2)
    ada = office.ada()
    campaign = office.launched()
    office.drain()
    office.erase(ada)
    [plan] = office.ledger.plans.values()
    index = plan.subscribers.index(NOBODY)
    attempt = office.ledger.attempts(plan.key)[0]
    provider = attempt.provider_of(index) or ""
    ref = MessageRef(office.workspace, campaign.id, 0, index)
    event = Event(
        EventType.OPENED, provider, "e1", office.clock.now(), "open",
        message_id=office.message_ids.make(ref), address=ada.address,
    )  # fmt: skip
    intake = EventIntake(office.ledger, office.engagements, office.message_ids)
    assert intake.take(EventReport((event,))) == {IntakeOutcome.ERASED: 1}
    assert office.engagements.by_key == {}


def test_an_event_of_an_erased_copy_is_not_taken_for_the_recipient_s() -> None:
    office = Office()
    ada = office.ada()
    key = message(office, "bob@example.com", cc=(Mailbox(ada.address, "Ada"),))
    office.drain()
    [attempt] = office.ledger.attempts(key)
    ref = MessageRef(key.workspace, key.campaign, TRANSACTIONAL_CHUNK, 0)
    office.engagements.put_many([engagement(office, ref, ada.id)])
    office.erase(ada)
    event = Event(
        EventType.BOUNCED, attempt.provider_of(0) or "", "e1", office.clock.now(), "bounce",
        message_id=office.message_ids.make(ref), address=ada.address,
    )  # fmt: skip
    intake = EventIntake(office.ledger, office.engagements, office.message_ids)
    report = EventReport((event, replace(event, event_id="e2", address="bob@example.com")))
    assert intake.take(report) == {IntakeOutcome.ERASED: 1, IntakeOutcome.STORED: 1}
    report = EventReport((replace(event, event_id="e3", address=None),))
    assert intake.take(report) == {IntakeOutcome.STORED: 1}


def test_the_audience_forgets_her_but_for_a_hash_and_her_proof() -> None:
    office = Office()
    ada = office.ada(attributes={"name": "Ada"})
    office.consent.unsubscribe(office.workspace, ada.id, office.list_id, source="link")
    office.engagement.save(office.workspace, {ada.id: KeptState(EngagementState())})
    now = office.clock.now()
    snapshot = Snapshot(office.ids.new("snp"), office.workspace, "seg_x", {}, now, now, members=1)
    office.snapshots.create(snapshot)
    office.memberships.add(office.workspace, snapshot.id, [ada.id])
    office.memberships.add(office.workspace, office.list_id, [ada.id])
    office.erase(ada)
    assert ada.id not in office.everything()
    assert [*office.suppressions.entries] == [(office.workspace, ada.id)]
    entry = office.suppressions.get(office.workspace, ada.id)
    assert entry is not None
    assert entry.reason is SuppressionReason.ERASURE
    kept = office.consents.records[office.workspace, ada.id]
    changes = {record.change for record in kept.values()}
    assert {ConsentChange.UNSUBSCRIBED, ConsentChange.ERASED} <= changes
    assert {(office.workspace, ada.id, place) for place in kept} == set(office.consents.until)
    assert not any(record.circumstances.ip for record in kept.values())


def test_the_deployments_list_and_the_frequency_cap_forget_her() -> None:
    office = Office()
    ada = office.ada()
    known_id = office.subscriber_ids.of(EVERYWHERE, ada.address)
    bounce = SuppressionReason.HARD_BOUNCE
    office.known.put(KnownAddress(known_id, ada.address, bounce, office.clock.now(), "sync:ses"))
    cap = FrequencyCap(MessageKind.CAMPAIGN, 1, 7)
    now = office.clock.now()
    office.frequency.take(office.workspace, ada.id, cap, Place(now, "a" * 6, "b" * 12), now)

    assert office.erase(ada).state is JobState.DONE
    assert office.known.known[known_id].address == ""
    assert not office.frequency.places


def test_former_addresses_are_erased_with_her() -> None:
    office = Office()
    ada = office.ada()
    new = office.subscriber_ids.of(office.workspace, "ada@new.example")
    office.subscribers.put(
        replace(ada, address="", deleted=True, moved_to=new, lists={}, version=ada.version)
    )
    person = replace(ada, id=new, address="ada@new.example", previous=(ada.id,), version=0)
    office.subscribers.put(person)
    ref = MessageRef(office.workspace, office.ids.new("cmp"), 0, 0)
    office.engagements.put_many([engagement(office, ref, ada.id)])
    job = office.carry_out(
        office.erasures.by_address(office.workspace, "p0@ada.example", by="api:key_a")
    )
    assert job.params["subscribers"] == [new, ada.id]
    assert "ada" not in office.everything()
    assert {one for _, one in office.suppressions.entries} == {new, ada.id}


def test_whoever_has_come_back_since_is_left_alone() -> None:
    office = Office()
    ada = office.ada()
    begun = office.erasures.by_id(office.workspace, ada.id, by="api:key_a")
    office.carry_out(begun)
    office.clock.advance(days=3)
    [back] = office.people(1, "ada.example")
    office.suppressions.remove(office.workspace, ada.id)
    again = replace(begun, id="job_again", version=0)
    office.jobs.create(again)
    assert office.carry_out(again).state is JobState.DONE
    assert office.subscribers.get(office.workspace, ada.id) == back
    assert office.suppressions.entries == {}
    assert back.lists == {office.list_id: ListState.SUBSCRIBED}


def test_files_of_finished_work_go_and_those_under_way_are_waited_for() -> None:
    office = Office()
    ada = office.ada()
    jobs = {}
    for name, state in (
        ("done", JobState.DONE), ("running", JobState.RUNNING), ("waiting", JobState.WAITING),
    ):  # fmt: skip
        jobs[name] = Job(
            f"job_{name}", office.workspace, JobKind.IMPORT_SUBSCRIBERS, office.clock.now(), {},
            state=state,
        )  # fmt: skip
        office.jobs.create(jobs[name])
    ws = office.workspace
    for key in (
        f"{ws}/imports/job_done/upload-1", f"{ws}/imports/job_done/report.csv",
        f"{ws}/imports/job_running/people-0", f"{ws}/imports/job_waiting/upload-2",
        f"{ws}/exports/job_gone/x.csv", f"{ws}/exports/data/y.json", "ws_other/exports/job_a/z",
    ):  # fmt: skip
        office.blobs.put(key, b"ada@ada.example", content_type="text/csv")
    paused = office.erase(ada)
    assert (paused.state, paused.pause_s) == (JobState.RUNNING, PAUSE_S)
    left = {key.removeprefix(f"{ws}/") for key in office.blobs.files}
    assert left == {
        "imports/job_done/report.csv", "imports/job_running/people-0",
        "imports/job_waiting/upload-2", "ws_other/exports/job_a/z",
    }  # fmt: skip
    office.jobs.save(replace(jobs["running"], state=JobState.FAILED))
    office.clock.advance(hours=2)
    assert office.carry_out(paused).state is JobState.DONE
    assert set(office.blobs.files) == {
        f"{ws}/imports/job_done/report.csv",
        "ws_other/exports/job_a/z",
    }


def test_the_journal_has_what_a_job_needs() -> None:
    office = Office()
    ada = office.ada()
    job = office.erasures.by_id(office.workspace, ada.id, by="api:key_a")
    [entry] = office.journal.entries
    assert Erasure.of(job) == entry
