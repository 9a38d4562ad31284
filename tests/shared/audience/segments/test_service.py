"""Segments made, changed, tried out and kept as they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.ports import SHARDS
from shared.audience.segments import service as services
from shared.audience.segments import snapshots as taking
from shared.audience.segments.audiences import Audiences, audience_problems
from shared.audience.segments.model import Audience, Consent, Source, SourceKind
from shared.audience.segments.service import SegmentService
from shared.audience.segments.snapshots import SnapshotService, SnapshotStep
from shared.audience.segments.walking import AudienceWalk
from shared.errors import InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobState
from tests import fakes

VIP: dict[str, Any] = {"tag": "vip"}
UNKNOWN = "seg_00000000000000000000"


class Office:
    def __init__(self, people: int = 0) -> None:
        self.clock = fakes.FakeClock()
        self.ids = Ids(self.clock, fakes.seeded_bytes())
        self.ws = self.ids.new("ws")
        self.lists, self.segments = fakes.FakeLists(), fakes.FakeSegments()
        self.snapshots, self.memberships = fakes.FakeSnapshots(), fakes.FakeMemberships()
        self.subscribers, self.jobs = fakes.FakeSubscribers(), fakes.FakeJobs()
        self.queue = fakes.FakeJobQueue()
        self.walk = AudienceWalk(self.memberships, self.subscribers, fakes.FakePersonStates())
        self.service = SegmentService(
            segments=self.segments,
            lists=self.lists,
            walk=self.walk,
            ids=self.ids,
            clock=self.clock,
        )
        self.taker = SnapshotService(
            segments=self.segments,
            snapshots=self.snapshots,
            jobs=self.jobs,
            job_queue=self.queue,
            ids=self.ids,
            clock=self.clock,
        )
        self.audiences = Audiences(
            lists=self.lists,
            segments=self.segments,
            snapshots=self.snapshots,
            walk=self.walk,
            clock=self.clock,
        )
        self.list_id = self.ids.new("lst")
        self.lists.create(MailingList(self.list_id, self.ws, "News", self.clock.now()))
        hashed = SubscriberIds(b"s" * 64)
        for n in range(people):
            address = f"p{n}@example.com"
            one = hashed.of(self.ws, address)
            now = self.clock.now()
            on = {self.list_id: ListState.SUBSCRIBED} if n % 2 else {}
            tags = ("vip",) if n % 5 == 0 else ()
            self.subscribers.put(Subscriber(one, self.ws, address, now, now, on, tags=tags))
            if on:
                self.memberships.add(self.ws, self.list_id, [one])

    def segment(self, rule: dict[str, Any] = VIP) -> str:
        self.clock.advance(seconds=1)
        return self.service.create(self.ws, "Segment", rule).id

    def run(self, job_id: str, most: int = 100) -> Job:
        step = SnapshotStep(self.snapshots, self.memberships, self.walk)
        job = self.jobs.get(self.ws, job_id)
        for _ in range(most):
            if job.state is JobState.DONE:
                break
            job = self.jobs.save(step.run(job))
        return job

    def snapshot(self, rule: dict[str, Any] = VIP) -> str:
        taken, job = self.taker.take(self.ws, self.segment(rule))
        self.run(job.id)
        return taken.id


def test_a_segment_is_made_read_changed_listed_and_removed() -> None:
    office = Office()
    made = office.service.create(office.ws, " VIPs ", VIP, "our best")
    assert office.service.get(office.ws, made.id) == made
    assert (made.name, made.rule, made.description) == ("VIPs", VIP, "our best")
    office.clock.advance(days=1)
    changed = office.service.update(office.ws, made.id, rule={"not": VIP})
    assert (changed.name, changed.rule) == ("VIPs", {"not": VIP})
    assert changed.updated_at == changed.created_at + timedelta(days=1)
    assert office.service.page(office.ws, limit=5).items == (changed,)
    office.service.delete(office.ws, made.id)
    with pytest.raises(NotFound):
        office.service.get(office.ws, made.id)


@pytest.mark.parametrize(
    ("name", "rule", "description", "field"),
    [
        ("", VIP, "", "name"),
        ("two\nlines", VIP, "", "name"),
        ("x", VIP, "x" * 1001, "description"),
        ("x", {"all": [VIP, {"tag": ""}]}, "", "/rule/all/1/tag"),
        ("x", {"any": [{"segment": UNKNOWN}]}, "", "/rule/any/0/segment"),
        ("x", {"all": [VIP, {"list": "lst_" + "0" * 20}]}, "", "/rule/all/1/list"),
        ("x", [VIP], "", "/rule"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    name: str, rule: Any, description: str, field: str
) -> None:
    office = Office()
    with pytest.raises(InvalidInput) as caught:
        office.service.create(office.ws, name, rule, description)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert office.segments.segments == {}


def test_a_cycle_is_refused_when_it_would_close() -> None:
    office = Office()
    first = office.segment()
    second = office.segment({"any": [VIP, {"segment": first}]})
    with pytest.raises(InvalidInput, match="leads back to itself") as caught:
        office.service.update(office.ws, first, rule={"not": {"segment": second}})
    assert caught.value.problems[0].field == "/rule/not/segment"
    with pytest.raises(InvalidInput, match="leads back to itself"):
        office.service.update(office.ws, first, rule={"segment": first})


def test_another_workspaces_segment_is_unknown() -> None:
    office = Office()
    segment = office.segment()
    with pytest.raises(InvalidInput, match="there is no segment"):
        office.service.create("ws_other", "x", {"segment": segment})
    with pytest.raises(NotFound):
        office.service.get("ws_other", segment)


def test_a_segment_that_another_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_PAGE", 1)
    office = Office()
    first = office.segment()
    office.segment()
    second = office.segment({"all": [{"not": {"segment": first}}]})
    with pytest.raises(WrongState, match=second):
        office.service.delete(office.ws, first)
    office.service.delete(office.ws, second)
    office.service.delete(office.ws, first)


def test_a_stale_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    segment = office.service.create(office.ws, "x", VIP)
    office.service.update(office.ws, segment.id, name="y")
    monkeypatch.setattr(office.segments, "get", lambda *_: segment)
    with pytest.raises(StaleWrite):
        office.service.update(office.ws, segment.id, name="z")


def test_a_preview_counts_with_segments_in_the_rule() -> None:
    office = Office(100)
    segment = office.segment()
    counted = office.service.preview(office.ws, {"segment": segment})
    assert (counted.people, counted.exact) == (20, True)
    counted = office.service.preview(office.ws, {"all": [{"not": {"segment": segment}}]})
    assert counted.people == 80
    with pytest.raises(InvalidInput):
        office.service.preview(office.ws, {"all": []})


def test_a_preview_of_very_many_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PREVIEW_PEOPLE", 150)
    counted = Office(300).service.preview("ws_none", VIP)
    assert (counted.people, counted.exact) == (0, True)
    office = Office(300)
    counted = office.service.preview(office.ws, VIP)
    assert (counted.looked_at, counted.exact) == (150, False)
    assert counted.low <= 60 <= counted.high


def test_a_snapshot_keeps_whom_the_segment_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "PEOPLE_PER_STEP", 30)
    office = Office(100)
    segment = office.segment()
    taken, job = office.taker.take(office.ws, segment)
    assert (taken.members, taken.segment) == (None, segment)
    assert [queued.job for queued in office.queue.messages] == [job.id]
    office.service.update(office.ws, segment, rule={"not": VIP})

    done = office.run(job.id)

    assert done.progress == {"looked_at": 100, "members": 20}
    shown, shown_job = office.taker.get(office.ws, taken.id)
    assert (shown.members, shown.rule, shown_job.state) == (20, VIP, JobState.DONE)
    members = [
        member
        for shard in range(SHARDS)
        for member in office.memberships.members(office.ws, taken.id, shard)
    ]
    assert len(members) == 20
    assert all("vip" in office.subscribers.people[office.ws, one].tags for one in members)
    assert office.memberships.until[office.ws, taken.id] == taken.expires_at
    assert office.taker.page(office.ws, limit=5).items == (shown,)


def test_a_snapshot_step_may_be_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "PEOPLE_PER_STEP", 30)
    office = Office(100)
    taken, job = office.taker.take(office.ws, office.segment())
    step = SnapshotStep(office.snapshots, office.memberships, office.walk)
    while job.state is not JobState.DONE:
        first = step.run(job)
        job = step.run(job)
        assert job == first
    assert office.snapshots.get(office.ws, taken.id).members == 20


def source(kind: SourceKind, identifier: str) -> Source:
    return Source(kind, identifier)


LIST, SEGMENT, SNAPSHOT = SourceKind.LIST, SourceKind.SEGMENT, SourceKind.SNAPSHOT


def test_an_audience_is_looked_up_in_full() -> None:
    office = Office(10)
    on_list = {"all": [VIP, {"list": office.list_id}]}
    inner, outer = office.segment(), ""
    outer = office.segment({"not": {"segment": inner}})
    snapshot = office.snapshot(on_list)
    audience = Audience(
        (source(LIST, office.list_id), source(SNAPSHOT, snapshot)),
        (source(SEGMENT, outer), source(LIST, office.list_id), source(SNAPSHOT, snapshot)),
    )
    chosen = office.audiences.choose(office.ws, audience)
    assert chosen.lists == (office.list_id, snapshot)
    assert chosen.without == ({"not": VIP}, {"list": office.list_id})
    assert chosen.without_snapshots == (snapshot,)
    assert chosen.as_of == office.clock.now()
    assert chosen.consent == Consent((office.list_id,))


def test_which_subscriptions_let_people_be_mailed() -> None:
    office = Office()
    of_list = office.segment({"all": [VIP, {"list": office.list_id}]})
    of_all = office.segment()
    choose = office.audiences.choose
    only = choose(office.ws, Audience((source(SEGMENT, of_list),)))
    assert only.consent == Consent((office.list_id,))
    both = choose(office.ws, Audience((source(SEGMENT, of_list), source(SEGMENT, of_all))))
    assert both.consent == Consent((office.list_id,), any_list=True)


def test_all_that_cannot_be_looked_up_is_named() -> None:
    office = Office(5)
    pending, _ = office.taker.take(office.ws, office.segment())
    old = office.snapshot()
    office.clock.advance(days=91)
    audience = Audience(
        (source(LIST, "lst_" + "0" * 20), source(SNAPSHOT, pending.id)),
        (source(SEGMENT, UNKNOWN), source(SNAPSHOT, old)),
    )
    with pytest.raises(InvalidInput) as caught:
        office.audiences.choose(office.ws, audience)
    assert [(one.field, one.reason.split(";")[0]) for one in caught.value.problems] == [
        ("audience.include.0", f"there is no list {'lst_' + '0' * 20!r} in this workspace"),
        ("audience.include.1", "is not complete yet"),
        ("audience.exclude.0", f"there is no segment {UNKNOWN!r} in this workspace"),
        ("audience.exclude.1", "has expired"),
    ]


@pytest.mark.parametrize(
    ("audience", "fields"),
    [
        (Audience(()), ["audience.include"]),
        (Audience((source(LIST, "seg_x"),)), ["audience.include.0"]),
        (Audience((source(SEGMENT, UNKNOWN),) * 2), ["audience.include"]),
        (
            Audience((source(SEGMENT, UNKNOWN),), (source(SNAPSHOT, UNKNOWN),)),
            ["audience.exclude.0"],
        ),
        (Audience((source(SEGMENT, UNKNOWN),), (source(SEGMENT, UNKNOWN),)), []),
    ],
)
def test_an_audience_is_checked_by_itself(audience: Audience, fields: list[str]) -> None:
    assert [problem.field for problem in audience_problems(audience)] == fields
    assert Audience.from_item(audience.to_item()) == audience


@pytest.mark.parametrize(
    ("consent", "states", "given"),
    [
        (Consent(("a",)), {"a": "subscribed"}, True),
        (Consent(("a",)), {"a": "unsubscribed", "b": "subscribed"}, False),
        (Consent(("a", "b")), {"a": "unsubscribed", "b": "subscribed"}, True),
        (Consent((), any_list=True), {"b": "subscribed"}, True),
        (Consent((), any_list=True), {"b": "pending"}, False),
        (Consent((), any_list=True), {}, False),
        (Consent(("a",), any_list=True), {"b": "subscribed"}, True),
        (Consent(("a",), any_list=True), {"a": "unsubscribed", "b": "subscribed"}, False),
    ],
)
def test_consent(consent: Consent, states: dict[str, str], given: bool) -> None:
    assert consent.given(states) is given
