"""In-memory implementations of every port, one set for all tests.

They behave exactly as the ports say; tests/contracts runs the same tests over
them and over the real stores.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

from shared.access.model import (
    ApiKey,
    AuditEntry,
    AuditFilter,
    DomainState,
    SenderDomain,
    Workspace,
)
from shared.access.ports import EVERYTHING
from shared.analytics.model import CounterDelta, Engagement
from shared.audience.asking import Asked
from shared.audience.consents import ConsentRecord
from shared.audience.erasure import Erasure
from shared.audience.model import MailingList, Subscriber, Suppression, SuppressionReason
from shared.audience.page_settings import PageSettings
from shared.audience.ports import MIN_PART_BYTES, SHARDS, UploadForm
from shared.audience.segments.model import Segment, Snapshot
from shared.audience.settings import AudienceSettings
from shared.audience.suppressions.ports import KnownAddress, Listed, Pulled
from shared.audience.unconfirmed import Waiting
from shared.clock import to_iso
from shared.content.model import Template
from shared.delivery.frequency import Place, Taken
from shared.delivery.frequency import take as take_place
from shared.delivery.health import Count, Counts, Health
from shared.delivery.model import (
    Attempt,
    Campaign,
    ChunkKey,
    ChunkOutcome,
    ChunkPlan,
    ChunkRecord,
    DueItem,
)
from shared.delivery.rates import BucketState
from shared.delivery.states import CampaignState
from shared.delivery.workspace import FrequencyCap, Switch, WorkspaceSettings
from shared.engagement import KeptState
from shared.errors import (
    AlreadyExists,
    Conflict,
    DependencyUnavailable,
    FieldProblem,
    ForgedToken,
    InvalidInput,
    NotFound,
    StaleWrite,
)
from shared.ids import SUBSCRIBER, is_id, to_bytes
from shared.jobs import Job
from shared.mail import (
    MailboxGroup,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Verdict,
)
from shared.paging import BAD_CURSOR, Page, cut, cut_matching, resume
from shared.retention import Retention
from shared.warming.model import Warmup

T = TypeVar("T")


class FakeClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: datetime = datetime(2026, 11, 24, 8, tzinfo=UTC)) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        self._now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def seeded_bytes(seed: int = 1) -> Callable[[int], bytes]:
    """`random_bytes` that gives the same bytes on every run."""
    return random.Random(seed).randbytes  # noqa: S311  # no secret hangs on it


class FakeSubscribers:
    """`SubscriberStore` and `RecipientReader`."""

    def __init__(self) -> None:
        self.people: dict[tuple[str, str], Subscriber] = {}

    def get(self, workspace: str, subscriber_id: str) -> Subscriber:
        subscriber = self.people.get((workspace, subscriber_id))
        if subscriber is None or subscriber.deleted:
            raise NotFound("subscriber", subscriber_id)
        return deepcopy(subscriber)

    def get_many(self, workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        return {
            one: deepcopy(self.people[workspace, one])
            for one in ids
            if (workspace, one) in self.people
        }

    def recipients(
        self, workspace: str, subscriber_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, object]]:
        people = self.get_many(workspace, subscriber_ids).values()
        return {one.id: one.to_item() for one in people if not one.deleted or one.moved_to}

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        ids = sorted(one for ws, one in self.people if ws == workspace and one > (after or ""))
        return (
            person.to_item()
            for one in ids
            if _shard(one) == shard and not (person := self.people[workspace, one]).deleted
        )

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        people = self.get_many(workspace, subscriber_ids).values()
        return {one.id: one.to_item() for one in people if not one.deleted}

    def put(self, subscriber: Subscriber) -> Subscriber:
        _sharded(subscriber.id)
        stored = self.people.get((subscriber.workspace, subscriber.id))
        if subscriber.version != (stored.version if stored else 0):
            raise StaleWrite(f"subscriber {subscriber.id} was changed: read it, then decide")
        return self._write(subscriber)

    def put_many(self, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            _sharded(subscriber.id)
            self._write(subscriber)

    def delete(self, workspace: str, subscriber_id: str) -> None:
        self.people.pop((workspace, subscriber_id), None)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Subscriber]:
        living = [
            one for (ws, _), one in self.people.items() if ws == workspace and not one.deleted
        ]
        by_id = {one.id: one for one in living}
        return _page_of(by_id, limit, cursor, lambda one: deepcopy(by_id[one]), lambda one: one.id)

    def _write(self, subscriber: Subscriber) -> Subscriber:
        written = replace(subscriber, version=subscriber.version + 1)
        self.people[written.workspace, written.id] = deepcopy(written)
        return written


class FakeMemberships:
    """`MembershipStore` and `AudienceReader`."""

    def __init__(self) -> None:
        self.lists: dict[tuple[str, str], set[str]] = {}
        self.until: dict[tuple[str, str], datetime] = {}

    def add(
        self,
        workspace: str,
        list_id: str,
        subscriber_ids: Iterable[str],
        *,
        until: datetime | None = None,
    ) -> None:
        if until:
            self.until[workspace, list_id] = until
        well_formed = (one for one in subscriber_ids if _shard(one) is not None)
        self.lists.setdefault((workspace, list_id), set()).update(well_formed)

    def remove(self, workspace: str, list_id: str, subscriber_id: str) -> None:
        self.lists.get((workspace, list_id), set()).discard(subscriber_id)

    def members(
        self,
        workspace: str,
        list_id: str,
        shard: int,
        *,
        after: str | None = None,
        consistent: bool = True,  # noqa: ARG002  # the port's; memory always is
    ) -> Iterator[str]:
        everybody = sorted(self.lists.get((workspace, list_id), ()))
        return (one for one in everybody if _shard(one) == shard and one > (after or ""))

    def among(self, workspace: str, list_id: str, subscriber_ids: Sequence[str]) -> set[str]:
        return self.lists.get((workspace, list_id), set()) & set(subscriber_ids)

    def page(
        self, workspace: str, list_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[str]:
        return _page_of(self.lists.get((workspace, list_id), ()), limit, cursor, str, str)


class FakePersonStates:
    """`PersonStateStore` and `EngagementReader`. `writes` counts the items written."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], KeptState] = {}
        self.writes = 0

    def load(self, workspace: str, subscribers: Sequence[str]) -> dict[str, KeptState]:
        return {
            one: self.states[workspace, one]
            for one in subscribers
            if (workspace, one) in self.states
        }

    def save(self, workspace: str, states: Mapping[str, KeptState]) -> set[str]:
        stale = set()
        for one, kept in states.items():
            stored = self.states.get((workspace, one))
            if kept.version != (stored.version if stored else 0):
                stale.add(one)
                continue
            self.writes += 1
            self.states[workspace, one] = replace(kept, version=kept.version + 1)
        return stale

    def forget(self, workspace: str, subscriber_id: str) -> None:
        self.states.pop((workspace, subscriber_id), None)

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        ids = sorted(one for ws, one in self.states if ws == workspace and one > (after or ""))
        return (
            (one, self.states[workspace, one].state.to_bytes())
            for one in ids
            if _shard(one) == shard
        )

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> dict[str, bytes]:
        found = self.load(workspace, subscriber_ids)
        return {one: kept.state.to_bytes() for one, kept in found.items()}


class FakeSegments:
    """`SegmentStore`."""

    def __init__(self) -> None:
        self.segments: dict[tuple[str, str], Segment] = {}

    def create(self, segment: Segment) -> None:
        key = segment.workspace, segment.id
        if key in self.segments:
            raise AlreadyExists(f"there is a segment {segment.id} already")
        self.segments[key] = segment

    def get(self, workspace: str, segment_id: str) -> Segment:
        if (workspace, segment_id) not in self.segments:
            raise NotFound("segment", segment_id)
        return self.segments[workspace, segment_id]

    def save(self, segment: Segment) -> Segment:
        key = segment.workspace, segment.id
        if key not in self.segments or self.segments[key].version != segment.version:
            raise StaleWrite("somebody else wrote first")
        self.segments[key] = replace(segment, version=segment.version + 1)
        return self.segments[key]

    def delete(self, workspace: str, segment_id: str) -> None:
        self.get(workspace, segment_id)
        del self.segments[workspace, segment_id]

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Segment]:
        after = resume(cursor) or ""
        of_workspace = sorted(key for key in self.segments if key[0] == workspace)
        rest = (self.segments[key] for key in of_workspace if key[1] > after)
        return cut(rest, limit, lambda one: one.id)


class FakeSnapshots:
    """`SnapshotStore`."""

    def __init__(self) -> None:
        self.snapshots: dict[tuple[str, str], Snapshot] = {}

    def create(self, snapshot: Snapshot) -> None:
        key = snapshot.workspace, snapshot.id
        if key in self.snapshots:
            raise AlreadyExists(f"there is a snapshot {snapshot.id} already")
        self.snapshots[key] = snapshot

    def get(self, workspace: str, snapshot_id: str) -> Snapshot:
        if (workspace, snapshot_id) not in self.snapshots:
            raise NotFound("snapshot", snapshot_id)
        return self.snapshots[workspace, snapshot_id]

    def finish(self, snapshot: Snapshot) -> None:
        self.snapshots[snapshot.workspace, snapshot.id] = snapshot

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        after = resume(cursor) or ""
        of_workspace = sorted(key for key in self.snapshots if key[0] == workspace)
        rest = (self.snapshots[key] for key in of_workspace if key[1] > after)
        return cut(rest, limit, lambda one: one.id)


class FakeSuppressions:
    """`SuppressionStore`."""

    _gravest_first = ("erasure", "complaint", "hard_bounce", "manual", "unsubscribed")

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Suppression] = {}
        self.most_looked_at = 5000

    def get(self, workspace: str, subscriber_id: str) -> Suppression | None:
        return self.entries.get((workspace, subscriber_id))

    def get_many(
        self,
        workspace: str,
        ids: Sequence[str],
        *,
        consistent: bool = True,  # noqa: ARG002  # always is
    ) -> dict[str, Suppression]:
        return {
            one: self.entries[workspace, one] for one in ids if (workspace, one) in self.entries
        }

    def put(self, suppression: Suppression) -> None:
        _sharded(suppression.subscriber)
        key = suppression.workspace, suppression.subscriber
        stored = self.entries.get(key)
        if stored is None or self._rank(suppression.reason) <= self._rank(stored.reason):
            self.entries[key] = suppression

    def remove(
        self, workspace: str, subscriber_id: str, *, only: SuppressionReason | None = None
    ) -> bool:
        entry = self.entries.get((workspace, subscriber_id))
        if entry and only not in {None, entry.reason}:
            return False
        self.entries.pop((workspace, subscriber_id), None)
        return True

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        cursor: str | None = None,
        reason: SuppressionReason | None = None,
        source: str = "",
    ) -> Page[Suppression]:
        own = _by_shard((one for ws, one in self.entries if ws == workspace), cursor)
        return cut_matching(
            (self.entries[workspace, one] for one in own),
            limit,
            lambda entry: entry.subscriber,
            matches=lambda entry: entry.is_of(reason, source),
            most=self.most_looked_at,
        )

    def _rank(self, reason: SuppressionReason) -> int:
        return self._gravest_first.index(reason.value)


class FakeKnownAddresses:
    """`KnownAddressStore`."""

    def __init__(self) -> None:
        self.known: dict[str, KnownAddress] = {}
        self.reached: dict[str, datetime] = {}
        self.most_looked_at = 5000

    def get_many(self, ids: Sequence[str]) -> dict[str, KnownAddress]:
        return {one: self.known[one] for one in ids if one in self.known}

    def put(self, known: KnownAddress) -> None:
        _sharded(known.id)
        before = self.known.get(known.id)
        forgotten = before is not None and not before.address
        self.known[known.id] = replace(known, address="") if forgotten else known

    def remove(self, known_id: str) -> None:
        self.known.pop(known_id, None)

    def page(
        self, *, limit: int, cursor: str | None = None, lacking: str = ""
    ) -> Page[KnownAddress]:
        return cut_matching(
            (self.known[one] for one in _by_shard(self.known, cursor)),
            limit,
            lambda known: known.id,
            matches=lambda known: not lacking or known.is_lacking(lacking),
            most=self.most_looked_at,
        )

    def read_until(self, provider: str) -> datetime | None:
        return self.reached.get(provider)

    def set_read_until(self, provider: str, at: datetime) -> None:
        self.reached[provider] = at


class FakeProviderSuppressions:
    """`ProviderSuppressions`: `own` is what the provider put there, `placed` what we did.

    Calls fail as long as there are `failures`; addresses in `refused` are not taken.
    """

    def __init__(self, *own: Listed, most: int = 2) -> None:
        self.own = list(own)
        self.placed: dict[str, SuppressionReason] = {}
        self.failures: list[Exception] = []
        self.refused: set[str] = set()
        self.asked: list[tuple[datetime, datetime]] = []
        self._most = most

    @property
    def most(self) -> int:
        return self._most

    def pull(self, since: datetime, until: datetime, cursor: str = "") -> Pulled:
        self._fail()
        self.asked.append((since, until))
        within = [entry for entry in self.own if since <= entry.at <= until]
        start = int(cursor or 0)
        page = tuple(within[start : start + self._most])
        end = start + len(page)
        return Pulled(page, str(end) if end < len(within) else "")

    def place(self, entries: Sequence[KnownAddress]) -> frozenset[str]:
        self._fail()
        assert 0 < len(entries) <= self._most
        refused = {entry.id for entry in entries if entry.address in self.refused}
        self.placed |= {e.address: e.reason for e in entries if e.id not in refused}
        return frozenset(refused)

    def take_away(self, addresses: Sequence[str], *, own: bool) -> None:
        self._fail()
        for address in addresses:
            self.placed.pop(address, None)
        if own:
            self.own = [entry for entry in self.own if entry.address not in addresses]

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class FakeConsents:
    """`ConsentLog`."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], dict[str, ConsentRecord]] = {}
        self.until: dict[tuple[str, str, str], datetime] = {}

    def append(self, record: ConsentRecord) -> None:
        digest = hashlib.sha256(repr(record).encode()).hexdigest()
        kept = self.records.setdefault((record.workspace, record.subject), {})
        kept.setdefault(f"{to_iso(record.at)}#{digest}", record)

    def of(
        self, workspace: str, subject: str, *, after: str | None = None
    ) -> Iterator[tuple[str, ConsentRecord]]:
        kept = self.records.get((workspace, subject), {})
        return iter([(place, kept[place]) for place in sorted(kept) if place > (after or "")])

    def seal(self, place: str, record: ConsentRecord, *, until: datetime) -> None:
        sealed = replace(record, circumstances=record.circumstances.of_nobody())
        self.records[record.workspace, record.subject][place] = sealed
        self.until[record.workspace, record.subject, place] = until


class FakeErasures:
    """`ErasureJournal`."""

    def __init__(self) -> None:
        self.entries: list[Erasure] = []

    def append(self, erasure: Erasure) -> None:
        if erasure not in self.entries:
            self.entries.append(erasure)

    def since(self, since: datetime, until: datetime) -> Iterator[Erasure]:
        return iter(sorted((e for e in self.entries if since <= e.at <= until), key=lambda e: e.at))


class FakeRetention:
    """`RetentionStore`; `reads` counts."""

    def __init__(self) -> None:
        self.by_workspace: dict[str, Retention] = {}
        self.reads = 0

    def get(self, workspace: str) -> Retention:
        self.reads += 1
        return self.by_workspace.get(workspace, Retention())

    def save(self, workspace: str, retention: Retention) -> Retention:
        if retention.version != self.by_workspace.get(workspace, Retention()).version:
            raise StaleWrite("somebody else wrote first")
        self.by_workspace[workspace] = replace(retention, version=retention.version + 1)
        return self.by_workspace[workspace]


class FakeLists:
    """`ListStore`."""

    def __init__(self) -> None:
        self.lists: dict[tuple[str, str], MailingList] = {}

    def create(self, mailing_list: MailingList) -> None:
        key = mailing_list.workspace, mailing_list.id
        if key in self.lists:
            raise AlreadyExists(f"there is a list {mailing_list.id} already")
        self.lists[key] = mailing_list

    def get(self, workspace: str, list_id: str) -> MailingList:
        if (workspace, list_id) not in self.lists:
            raise NotFound("list", list_id)
        return self.lists[workspace, list_id]

    def save(self, mailing_list: MailingList) -> MailingList:
        key = mailing_list.workspace, mailing_list.id
        if key not in self.lists or self.lists[key].version != mailing_list.version:
            raise StaleWrite("somebody else wrote first")
        self.lists[key] = replace(mailing_list, version=mailing_list.version + 1)
        return self.lists[key]

    def delete(self, workspace: str, list_id: str) -> None:
        self.get(workspace, list_id)
        del self.lists[workspace, list_id]

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[MailingList]:
        after = resume(cursor) or ""
        of_workspace = sorted(key for key in self.lists if key[0] == workspace)
        rest = (self.lists[key] for key in of_workspace if key[1] > after)
        return cut(rest, limit, lambda one: one.id)


class FakeBlobs:
    """`BlobStore`, `LargeFileStore`, `FileKeeper`. `writings` are of parts, not yet finished."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.writings: dict[str, dict[int, bytes]] = {}
        self._begun = 0

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        self.files[key] = body
        self.content_types[key] = content_type

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if key not in self.files:
            raise NotFound("file", key)
        return self.files[key][start:][:length]

    def size(self, key: str) -> int:
        return len(self.get(key))

    def begin(self, key: str, *, content_type: str) -> str:
        self._begun += 1
        self.content_types[key] = content_type
        self.writings[f"writing-{self._begun}"] = {}
        return f"writing-{self._begun}"

    def put_part(self, key: str, writing: str, number: int, body: bytes) -> str:
        if writing not in self.writings:
            raise NotFound("file that is being written", key)
        self.writings[writing][number] = body
        return f"tag-{number}-{len(body)}"

    def finish(self, key: str, writing: str, tags: Sequence[str]) -> None:
        parts = self.writings.pop(writing, None)
        if parts is None:
            self.size(key)
            return
        bodies = [parts[number] for number in range(1, len(tags) + 1)]
        assert all(len(body) >= MIN_PART_BYTES for body in bodies[:-1])
        assert list(tags) == [f"tag-{n}-{len(body)}" for n, body in enumerate(bodies, start=1)]
        self.files[key] = b"".join(bodies)

    def keys(self, prefix: str, *, after: str | None = None, limit: int) -> list[str]:
        found = sorted(key for key in self.files if key.startswith(prefix) and key > (after or ""))
        return found[:limit]

    def delete(self, key: str) -> None:
        self.files.pop(key, None)

    def upload_form(self, key: str, *, max_bytes: int, valid: timedelta) -> UploadForm:
        fields = {"key": key, "max": str(max_bytes), "seconds": f"{valid.total_seconds():.0f}"}
        return UploadForm("https://files.example", fields)

    def download_link(self, key: str, *, name: str, valid: timedelta) -> str:
        self.get(key)
        return f"https://files.example/{key}?as={name}&seconds={valid.total_seconds():.0f}"


class FakeAudienceSettings:
    """`AudienceSettingsStore`."""

    def __init__(self) -> None:
        self.by_workspace: dict[str, AudienceSettings] = {}

    def get(self, workspace: str) -> AudienceSettings:
        return self.by_workspace.get(workspace, AudienceSettings())

    def save(self, workspace: str, settings: AudienceSettings) -> AudienceSettings:
        if settings.version != self.get(workspace).version:
            raise StaleWrite("somebody else wrote first")
        self.by_workspace[workspace] = replace(settings, version=settings.version + 1)
        return self.by_workspace[workspace]


class FakePageSettings:
    """`PageSettingsStore`."""

    def __init__(self) -> None:
        self.by_workspace: dict[str, PageSettings] = {}

    def get(self, workspace: str) -> PageSettings:
        return self.by_workspace.get(workspace, PageSettings())

    def save(self, workspace: str, settings: PageSettings) -> PageSettings:
        if settings.version != self.get(workspace).version:
            raise StaleWrite("somebody else wrote first")
        self.by_workspace[workspace] = replace(settings, version=settings.version + 1)
        return self.by_workspace[workspace]


class FakeAsked:
    """`AskedStore`."""

    def __init__(self) -> None:
        self.by_person: dict[tuple[str, str], Asked] = {}

    def get(self, workspace: str, subscriber_id: str) -> Asked:
        return self.by_person.get((workspace, subscriber_id), Asked(workspace, subscriber_id))

    def save(self, asked: Asked) -> Asked:
        if asked.version != self.get(asked.workspace, asked.subscriber).version:
            raise StaleWrite("somebody else wrote first")
        saved = replace(asked, version=asked.version + 1)
        self.by_person[asked.workspace, asked.subscriber] = saved
        return saved


class FakeWaiting:
    """`WaitingStore`."""

    def __init__(self) -> None:
        self.notes: dict[str, Waiting] = {}

    def note(self, waiting: Waiting) -> None:
        self.notes[self._place(waiting)] = waiting

    def of_shard(self, shard: int, *, after: str | None = None) -> Iterator[tuple[str, Waiting]]:
        for place, waiting in sorted(self.notes.items(), key=lambda pair: pair[0]):
            if to_bytes(waiting.subscriber)[0] % SHARDS == shard and place > (after or ""):
                yield place, waiting

    def forget(self, waiting: Waiting) -> None:
        if self.notes.get(self._place(waiting)) == waiting:
            del self.notes[self._place(waiting)]

    @staticmethod
    def _place(waiting: Waiting) -> str:
        return f"{waiting.workspace}#{waiting.subscriber}#{waiting.list_id}"


class FakeAttempts:
    """`AttemptCounter`."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def count(self, source: str, minute: datetime) -> int:
        key = source, to_iso(minute)[:16]
        self.counts[key] += 1
        return self.counts[key]


class FakeTemplates:
    """`TemplateStore`."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], Template] = {}
        self.versions: dict[tuple[str, str, int], Template] = {}

    def create(self, template: Template) -> None:
        key = template.workspace, template.id
        if key in self.newest or (*key, 1) in self.versions:
            raise AlreadyExists(f"there is a template {template.id} already")
        self._write(replace(template, version=1))

    def get(self, workspace: str, template_id: str, version: int | None = None) -> Template:
        found = (
            self.newest.get((workspace, template_id))
            if version is None
            else self.versions.get((workspace, template_id, version))
        )
        if found is None:
            raise NotFound("template", template_id)
        return found

    def add_version(self, template: Template) -> Template:
        if self.get(template.workspace, template.id).version != template.version:
            raise StaleWrite("somebody else wrote first")
        return self._write(replace(template, version=template.version + 1))

    def delete(self, workspace: str, template_id: str) -> None:
        self.get(workspace, template_id)
        del self.newest[workspace, template_id]

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Template]:
        after = resume(cursor) or ""
        of_workspace = sorted(key for key in self.newest if key[0] == workspace)
        rest = (self.newest[key] for key in of_workspace if key[1] > after)
        return cut(rest, limit, lambda one: one.id)

    def _write(self, template: Template) -> Template:
        self.newest[template.workspace, template.id] = template
        self.versions[template.workspace, template.id, template.version] = template
        return template


class FakeWorkspaces:
    """`WorkspaceStore`."""

    def __init__(self) -> None:
        self.workspaces: dict[str, Workspace] = {}

    def create(self, workspace: Workspace) -> None:
        if workspace.id in self.workspaces:
            raise AlreadyExists(f"there is a workspace {workspace.id} already")
        self.workspaces[workspace.id] = workspace

    def get(self, workspace_id: str) -> Workspace:
        if workspace_id not in self.workspaces:
            raise NotFound("workspace", workspace_id)
        return self.workspaces[workspace_id]

    def ids(self) -> Iterator[str]:
        yield from sorted(self.workspaces)


class FakeApiKeys:
    """`ApiKeyStore`."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.requests: dict[tuple[str, datetime], int] = {}

    def create(self, key: ApiKey) -> None:
        if key.id in self.keys:
            raise AlreadyExists(f"there is an API key {key.id} already")
        self.keys[key.id] = key

    def find(self, key_id: str) -> ApiKey | None:
        return self.keys.get(key_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        after = resume(cursor) or ""
        of_workspace = (key for key in self.keys.values() if key.workspace == workspace)
        rest = sorted((key for key in of_workspace if key.id > after), key=lambda key: key.id)
        return cut(rest, limit, lambda key: key.id)

    def revoke(self, workspace: str, key_id: str, at: datetime) -> ApiKey:
        key = self.keys.get(key_id)
        if key is None or key.workspace != workspace:
            raise NotFound("API key", key_id)
        self.keys[key_id] = replace(key, revoked_at=key.revoked_at or at)
        return self.keys[key_id]

    def count_request(self, key_id: str, minute: datetime) -> int:
        counter = key_id, minute.replace(second=0, microsecond=0)
        self.requests[counter] = self.requests.get(counter, 0) + 1
        return self.requests[counter]


class FakeSenderDomains:
    """`SenderDomainStore`."""

    def __init__(self) -> None:
        self.domains: dict[tuple[str, str], SenderDomain] = {}
        self.owners: dict[str, str] = {}

    def create(self, domain: SenderDomain) -> None:
        key = domain.workspace, domain.domain
        if key in self.domains:
            raise AlreadyExists(f"this workspace has the domain {domain.domain} already")
        self.domains[key] = domain

    def get(self, workspace: str, domain_id: str) -> SenderDomain:
        for domain in self.domains.values():
            if (domain.workspace, domain.id) == (workspace, domain_id):
                return domain
        raise NotFound("sender domain", domain_id)

    def find(self, workspace: str, domain: str) -> SenderDomain | None:
        return self.domains.get((workspace, domain))

    def owner(self, domain: str) -> str | None:
        return self.owners.get(domain)

    def verify(self, domain: SenderDomain, at: datetime) -> SenderDomain:
        if self.owners.get(domain.domain, domain.workspace) != domain.workspace:
            raise Conflict(f"the domain {domain.domain} belongs to another workspace")
        stored = self.get(domain.workspace, domain.id)
        if stored.state is DomainState.VERIFIED:
            return stored
        if stored.version != domain.version:
            raise StaleWrite("somebody else wrote first")
        verified = replace(
            domain, state=DomainState.VERIFIED, verified_at=at, version=domain.version + 1
        )
        self.owners[domain.domain] = domain.workspace
        self.domains[domain.workspace, domain.domain] = verified
        return verified

    def delete(self, workspace: str, domain_id: str) -> None:
        domain = self.get(workspace, domain_id)
        if self.owners.get(domain.domain) == workspace:
            del self.owners[domain.domain]
        del self.domains[workspace, domain.domain]

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[SenderDomain]:
        after = resume(cursor) or ""
        of_workspace = (one for one in self.domains.values() if one.workspace == workspace)
        rest = sorted((one for one in of_workspace if one.id > after), key=lambda one: one.id)
        return cut(rest, limit, lambda one: one.id)


class FakeAuditLog:
    """`AuditLog`."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], AuditEntry] = {}
        self.until: dict[str, datetime | None] = {}

    def append(self, entry: AuditEntry, *, until: datetime | None = None) -> None:
        if (entry.workspace, entry.id) in self.entries:
            raise AlreadyExists(f"there is an audit entry {entry.id} already")
        self.until[entry.id] = until
        self.entries[entry.workspace, entry.id] = entry

    def page(
        self,
        workspace: str,
        *,
        oldest: datetime,
        newest: datetime,
        wanted: AuditFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        after = resume(cursor) or "~"
        if cursor and not after[:4].isdigit():
            raise InvalidInput(BAD_CURSOR)
        months = to_iso(oldest)[:7], to_iso(newest)[:7]
        of_workspace = [e for (ws, _), e in self.entries.items() if ws == workspace]
        known = {f"{to_iso(e.at)}#{e.id}": e for e in of_workspace}
        keys = sorted((k for k in known if k < after), reverse=True)
        within = (known[key] for key in keys if months[0] <= key[:7] <= months[1])
        found = (entry for entry in within if wanted.takes(entry))
        return cut(found, limit, lambda e: f"{to_iso(e.at)}#{e.id}")


class FakeTxt:
    """`TxtLookup`; `down` makes it behave as if no resolver answered."""

    def __init__(self, records: Mapping[str, Sequence[str]] | None = None) -> None:
        self.records = {name: list(texts) for name, texts in (records or {}).items()}
        self.down = False

    def txt(self, name: str) -> list[str]:
        if self.down:
            raise DependencyUnavailable(f"no DNS server answered for {name}; try again later")
        return list(self.records.get(name, ()))


class FakeMx:
    """`MxLookup`. Who is not in `hosts` takes its mail itself, who has none there takes none.

    A domain in `silent` gives no answer, and with `down` none does.
    """

    def __init__(self, hosts: Mapping[str, Sequence[str]] | None = None) -> None:
        self.hosts = {name: list(hosts) for name, hosts in (hosts or {}).items()}
        self.silent: set[str] = set()
        self.down = False
        self.asked: list[str] = []

    def mx(self, domain: str) -> list[str]:
        self.asked.append(domain)
        if self.down or domain in self.silent:
            raise DependencyUnavailable(f"no DNS server answered for {domain}; try again later")
        return list(self.hosts.get(domain, [domain]))


class FakeMxStore:
    """`MxStore`; `down` makes it behave as if DynamoDB did not answer."""

    def __init__(self) -> None:
        self.groups: dict[str, tuple[MailboxGroup, datetime]] = {}
        self.down = False

    def get(self, domains: Sequence[str]) -> Mapping[str, MailboxGroup]:
        self._check()
        return {name: self.groups[name][0] for name in domains if name in self.groups}

    def put(self, domain: str, group: MailboxGroup, until: datetime) -> None:
        self._check()
        self.groups[domain] = group, until

    def _check(self) -> None:
        if self.down:
            raise DependencyUnavailable("DynamoDB did not answer for table rates; try again later")


class FakeJobs:
    """`JobStore`."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], Job] = {}

    def create(self, job: Job) -> None:
        if (job.workspace, job.id) in self.jobs:
            raise AlreadyExists(f"there is a job {job.id} already")
        self.jobs[job.workspace, job.id] = deepcopy(job)

    def get(self, workspace: str, job_id: str) -> Job:
        if (workspace, job_id) not in self.jobs:
            raise NotFound("job", job_id)
        return deepcopy(self.jobs[workspace, job_id])

    def save(self, job: Job) -> Job:
        stored = self.jobs.get((job.workspace, job.id))
        if stored is None or stored.version != job.version:
            raise StaleWrite("somebody else wrote first")
        saved = replace(job, version=job.version + 1)
        self.jobs[job.workspace, job.id] = deepcopy(saved)
        return saved


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """What `FakeJobQueue` was given."""

    workspace: str
    job: str
    delay_s: int


class FakeJobQueue:
    """`JobQueue`; the test takes out what it wants to have run."""

    def __init__(self) -> None:
        self.messages: list[QueuedJob] = []

    def enqueue(self, workspace: str, job_id: str, *, delay_s: int = 0) -> None:
        self.messages.append(QueuedJob(workspace, job_id, delay_s))


def _sharded(subscriber_id: str) -> int:
    return to_bytes(subscriber_id)[0] % SHARDS


def _shard(subscriber_id: str) -> int | None:
    try:
        return _sharded(subscriber_id)
    except ForgedToken:
        return None


def _page_of(
    ids: Iterable[str],
    limit: int,
    cursor: str | None,
    load: Callable[[str], T],
    key: Callable[[T], str],
) -> Page[T]:
    """A page by shard and id."""
    return cut((load(one) for one in _by_shard(ids, cursor)), limit, key)


def _by_shard(ids: Iterable[str], cursor: str | None) -> list[str]:
    """The ids after the cursor by shard and id."""
    after = resume(cursor)
    if after is not None and not is_id(SUBSCRIBER, after):
        raise InvalidInput(BAD_CURSOR)
    start = (-1, "") if after is None else (_sharded(after), after)
    places = sorted((_sharded(one), one) for one in ids)
    return [place[1] for place in places if place > start]


# --- delivery and analytics ---


class FakeCampaigns:
    """`CampaignStore`."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], Campaign] = {}

    def create(self, campaign: Campaign) -> None:
        if (campaign.workspace, campaign.id) in self.by_key:
            raise AlreadyExists(f"there is a campaign {campaign.id} already")
        self.by_key[campaign.workspace, campaign.id] = campaign

    def get(self, workspace: str, campaign_id: str) -> Campaign:
        try:
            return self.by_key[workspace, campaign_id]
        except KeyError:
            raise NotFound("campaign", campaign_id) from None

    def save(self, campaign: Campaign) -> Campaign:
        key = campaign.workspace, campaign.id
        if key not in self.by_key or self.by_key[key].version != campaign.version:
            raise StaleWrite("somebody else wrote first")
        self.by_key[key] = replace(campaign, version=campaign.version + 1)
        return self.by_key[key]

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Campaign]:
        after = resume(cursor)
        newest_first = sorted(self.by_key.items(), key=lambda pair: pair[0][1], reverse=True)
        return cut(
            (c for (ws, _), c in newest_first if ws == workspace and (not after or c.id < after)),
            limit,
            lambda campaign: campaign.id,
        )

    def active(self) -> Iterator[Campaign]:
        over = {
            CampaignState.DRAFT,
            CampaignState.SENT,
            CampaignState.CANCELLED,
            CampaignState.FAILED,
        }
        return iter([c for c in self.by_key.values() if c.state not in over])


class FakeLedger:
    """`LedgerStore`."""

    def __init__(self) -> None:
        self.plans: dict[ChunkKey, ChunkPlan] = {}
        self.tries: dict[ChunkKey, dict[int, Attempt]] = {}
        self.results: dict[ChunkKey, ChunkOutcome] = {}

    def put_plan(self, plan: ChunkPlan) -> ChunkPlan:
        return self.plans.setdefault(plan.key, plan)

    def plan(self, key: ChunkKey) -> ChunkPlan | None:
        return self.plans.get(key)

    def replace_plan(self, before: ChunkPlan, after: ChunkPlan) -> None:
        if self.plans.get(before.key) != before:
            raise StaleWrite("somebody else wrote first")
        self.plans[before.key] = after

    def messages_to(self, workspace: str, subscriber: str) -> Iterator[ChunkKey]:
        return iter(
            [
                key
                for key, plan in self.plans.items()
                if key.workspace == workspace and plan.message and plan.subscribers[0] == subscriber
            ]
        )

    def record(self, key: ChunkKey) -> ChunkRecord:
        if key not in self.plans:
            raise NotFound("chunk", f"{key.campaign}/{key.chunk}")
        return ChunkRecord(self.plans[key], self.attempts(key), self.results.get(key))

    def attempts(self, key: ChunkKey) -> tuple[Attempt, ...]:
        tries = self.tries.get(key, {})
        return tuple(tries[number] for number in sorted(tries))

    def begin(self, attempt: Attempt) -> bool:
        tries = self.tries.setdefault(attempt.key, {})
        return tries.setdefault(attempt.number, attempt).owner == attempt.owner

    def save_outcome(self, outcome: ChunkOutcome) -> ChunkOutcome:
        stored = self.results.get(outcome.key)
        saved = replace(outcome, version=outcome.version + 1)
        if stored == saved:
            return saved
        if outcome.version != (stored.version if stored else 0):
            raise StaleWrite("somebody else wrote first")
        self.results[outcome.key] = saved
        return saved

    def outcomes(self, workspace: str, campaign_id: str) -> Iterator[ChunkOutcome]:
        wanted = workspace, campaign_id
        return iter([o for k, o in self.results.items() if (k.workspace, k.campaign) == wanted])

    def outcomes_of(
        self, workspace: str, campaign_id: str, chunks: Sequence[int]
    ) -> Mapping[int, ChunkOutcome]:
        found = {o.key.chunk: o for o in self.outcomes(workspace, campaign_id)}
        return {number: found[number] for number in chunks if number in found}


class FakeDue:
    """`DueStore`, with one shard."""

    def __init__(self) -> None:
        self.items: set[DueItem] = set()

    def add(self, items: Iterable[DueItem]) -> None:
        self.items.update(items)

    def due(self, now: datetime, *, limit: int) -> list[DueItem]:
        ready = (item for item in self.items if item.at <= now)
        return sorted(ready, key=lambda item: (item.at, str(item.key)))[:limit]

    def remove(self, item: DueItem) -> None:
        self.items.discard(item)


class FakeRates:
    """`RateStore` and `QuotaStore` over the same token items."""

    def __init__(self) -> None:
        self.states: dict[str, BucketState] = {}

    def load(self, provider: str) -> BucketState:
        return self.states.get(provider, BucketState())

    def save(self, provider: str, state: BucketState) -> None:
        if state.version != self.load(provider).version:
            raise StaleWrite("another worker was first")
        self.states[provider] = replace(state, version=state.version + 1)

    def sent_by_day(self, provider: str) -> Mapping[date, int]:
        used = self.load(provider).used or {}
        return {date.fromisoformat(w[1:]): n for w, n in used.items() if w[0] == "d"}

    def set_quota(self, provider: str, quota: int | None) -> None:
        state = self.load(provider)
        if state.quota != quota:
            self.states[provider] = replace(state, quota=quota, version=state.version + 1)


class FakeSettings:
    """`SettingsStore`."""

    def __init__(self) -> None:
        self.by_workspace: dict[str, WorkspaceSettings] = {}

    def get(self, workspace: str) -> WorkspaceSettings:
        return self.by_workspace.get(workspace, WorkspaceSettings())

    def save(self, workspace: str, settings: WorkspaceSettings) -> WorkspaceSettings:
        if settings.version != self.get(workspace).version:
            raise StaleWrite("somebody else wrote first")
        self.by_workspace[workspace] = replace(settings, version=settings.version + 1)
        return self.by_workspace[workspace]


class FakeFrequency:
    """`FrequencyStore`. `writes` counts what the real one would be billed for at the least."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str, MessageKind], tuple[Place, ...]] = {}
        self.writes = 0
        self._lock = Lock()

    def take(
        self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place, now: datetime
    ) -> Taken:
        key = workspace, subscriber, cap.kind
        with self._lock:
            self.writes += 1
            taken, self.places[key] = take_place(self.places.get(key, ()), place, cap, now)
            return taken

    def give_back(self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place) -> None:
        key = workspace, subscriber, cap.kind
        with self._lock:
            self.writes += 1
            held = self.places.get(key, ())
            self.places[key] = tuple(one for one in held if one != place)

    def forget(self, workspace: str, subscriber: str) -> None:
        for kind in MessageKind:
            self.places.pop((workspace, subscriber, kind), None)


class FakeSwitches:
    """`SwitchStore`. `reads` counts the calls."""

    def __init__(self) -> None:
        self.switches: dict[str, Switch] = {}
        self.reads = 0

    def get(self, workspaces: Sequence[str]) -> Mapping[str, Switch]:
        self.reads += 1
        return {name: self.switches.get(name, Switch()) for name in workspaces}

    def put(self, workspace: str, switch: Switch) -> None:
        self.switches[workspace] = switch


class FakeWarmups:
    """`WarmupStore`."""

    def __init__(self) -> None:
        self.by_provider: dict[str, Warmup] = {}

    def get(self, provider: str) -> Warmup | None:
        return self.by_provider.get(provider)

    def save(self, warmup: Warmup) -> Warmup:
        stored = self.get(warmup.provider)
        if warmup.version != (stored.version if stored else 0):
            raise StaleWrite("somebody else wrote first")
        self.by_provider[warmup.provider] = replace(warmup, version=warmup.version + 1)
        return self.by_provider[warmup.provider]


class FakeChunkQueue:
    """`ChunkQueue`. `sent` holds every chunk with its delay in seconds."""

    def __init__(self) -> None:
        self.sent: list[tuple[ChunkKey, int]] = []

    def send(self, keys: Sequence[ChunkKey], *, delay_s: int = 0) -> None:
        self.sent.extend((key, delay_s) for key in keys)


class FakeSender:
    """`EmailSender` that accepts all, unless `answer` says otherwise. `batches` holds every POST.

    `answer` gets one recipient and gives the outcome.
    """

    def __init__(
        self,
        provider: str,
        *,
        max_batch: int = 500,
        answer: Callable[[OutgoingRecipient], SendOutcome] | None = None,
        cannot_take: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.provider = provider
        self.max_batch = max_batch
        self.answer = answer or (lambda one: SendOutcome(one.index, Verdict.ACCEPTED))
        self._cannot_take = cannot_take
        self.batches: list[OutgoingBatch] = []

    def cannot_take(self, address: str) -> str:
        return self._cannot_take(address)

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        self.batches.append(batch)
        return [self.answer(recipient) for recipient in batch.recipients]


class FakeMessageSearch:
    """`MessageSearch` that has the ids in `taken`. With `down` it gives no answer."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.taken: set[tuple[MessageKind, str]] = set()
        self.asked: list[str] = []
        self.down = False

    def has(self, kind: MessageKind, message_id: str) -> bool:
        self.asked.append(message_id)
        if self.down:
            raise DependencyUnavailable(f"{self.provider} did not answer; try again later")
        return (kind, message_id) in self.taken


class FakeSenderCheck:
    """`SenderCheck`. `domains` are the pairs of workspace and verified domain."""

    def __init__(self, domains: Iterable[tuple[str, str]]) -> None:
        self.domains = set(domains)

    def check_sender(self, workspace: str, address: str) -> None:
        if (workspace, address.rpartition("@")[2]) not in self.domains:
            raise InvalidInput(FieldProblem("sender.email", "the domain is not verified"))

    def check_not_foreign(self, workspace: str, address: str) -> None:
        domain = address.rpartition("@")[2]
        if any(name == domain and owner != workspace for owner, name in self.domains):
            raise InvalidInput(FieldProblem("sender.email", "the domain is not yours"))


class FakeEngagements:
    """`EngagementStore`."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str, int, str], Engagement] = {}

    def put_many(self, engagements: Iterable[Engagement]) -> None:
        for one in engagements:
            key = (one.ref.workspace, one.ref.campaign, one.ref.chunk, _place(one))
            kept = replace(one, event=replace(one.event, address=None))
            self.by_key.setdefault(key, kept)

    def of_chunk(self, workspace: str, campaign: str, chunk: int) -> list[Engagement]:
        wanted = workspace, campaign, chunk
        return [self.by_key[key] for key in sorted(self.by_key) if key[:3] == wanted]

    def page_of_campaign(
        self, workspace: str, campaign: str, chunks: int, *, limit: int, cursor: str | None = None
    ) -> Page[Engagement]:
        after = resume(cursor) or ""
        events = (e for n in range(chunks) for e in self.of_chunk(workspace, campaign, n))
        return cut((e for e in events if _in_campaign(e) > after), limit, _in_campaign)

    def page_of_subscriber(
        self,
        workspace: str,
        subscriber: str,
        *,
        limit: int,
        cursor: str | None = None,
        former: Sequence[str] = (),
    ) -> Page[Engagement]:
        after = resume(cursor) or "~"
        wanted = {(workspace, one) for one in (subscriber, *former)}
        found = [e for e in self.by_key.values() if (e.ref.workspace, e.subscriber) in wanted]
        found.sort(key=_moment, reverse=True)
        return cut((e for e in found if _moment(e) < after), limit, _moment)

    def remove(self, engagement: Engagement) -> None:
        ref = engagement.ref
        self.by_key.pop((ref.workspace, ref.campaign, ref.chunk, _place(engagement)), None)


class FakeCounters:
    """`CounterStore`."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, str], Counter[str]] = {}
        self.sequences: dict[tuple[str, str, str], int] = {}
        self.firsts: dict[tuple[str, str, int, int, str], str] = {}
        self.seen: dict[str, datetime] = {}

    def applied_up_to(self, workspace: str, campaign: str, stream_shard: str) -> str:
        sequence = self.sequences.get((workspace, campaign, stream_shard))
        return "" if sequence is None else str(sequence)

    def apply(self, delta: CounterDelta) -> bool:
        key = delta.workspace, delta.campaign, delta.stream_shard
        if int(delta.sequence) <= self.sequences.get(key, -1):
            return False
        self.sequences[key] = int(delta.sequence)
        self.counts.setdefault(key, Counter()).update(delta.counts)
        return True

    def totals(self, workspace: str, campaign: str) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for key, counts in self.counts.items():
            if key[:2] == (workspace, campaign):
                total.update(counts)
        return dict(total)

    def claim_firsts(self, engagements: Sequence[Engagement]) -> list[bool]:
        return [self._claim(engagement) for engagement in engagements]

    def _claim(self, engagement: Engagement) -> bool:
        ref = engagement.ref
        key = (ref.workspace, ref.campaign, ref.chunk, ref.index, engagement.event.type.value)
        place = _place(engagement)
        return self.firsts.setdefault(key, place) == place

    def saw_events(self, provider: str, at: datetime) -> None:
        self.seen[provider] = max(at, self.seen.get(provider, at))

    def last_events(self, providers: Sequence[str]) -> Mapping[str, datetime]:
        return {provider: self.seen[provider] for provider in providers if provider in self.seen}


def _moment(engagement: Engagement) -> str:
    event = engagement.event
    digest = hashlib.sha256(event.event_id.encode()).hexdigest()[:16]
    return f"{to_iso(event.occurred_at)}#{event.type.value}#{digest}"


def _place(engagement: Engagement) -> str:
    return f"{engagement.ref.index:05d}#{_moment(engagement)}"


def _in_campaign(engagement: Engagement) -> str:
    return f"{engagement.ref.chunk:010d}#{_place(engagement)}"


class FakeHealth:
    """`HealthStore`. `writes` counts the items written."""

    def __init__(self) -> None:
        self.health = Health()
        self.counts: dict[int, Counter[Count]] = {}
        self.writes = 0

    def load(self) -> Health:
        return self.health

    def save(self, health: Health) -> Health:
        if health.version != self.health.version:
            raise StaleWrite("another worker was first")
        self.writes += 1
        self.health = replace(health, version=health.version + 1)
        return self.health

    def slots(self, first: int, last: int) -> Mapping[int, Counts]:
        return {s: dict(self.counts[s]) for s in sorted(self.counts) if first <= s <= last}

    def add(self, slots: Mapping[int, Counts]) -> None:
        for slot, counts in slots.items():
            self.writes += 1
            self.counts.setdefault(slot, Counter()).update(counts)
