"""The second half of an import: write the people that were read, some at a time.

A repeated step must report what the first run reported, though it finds the
people there already. The record tells: `imported_by` this job means that this
row wrote it, and whoever the import added is dated to the job's start.

A new person on one list costs two write units: the membership and the person,
if she is below 1 KB. A dry run reads the same, writes nothing, and reports
what would be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.import_files import ImportedPerson
from shared.audience.import_reading import rejection
from shared.audience.merging import MergePolicy, joins, leaves, merged, stays_away
from shared.audience.model import (
    ListState,
    RowRejection,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from shared.audience.ports import MembershipStore, SubscriberStore, SuppressionStore
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.tally import Tally
from shared.audience.writes import rewrite
from shared.clock import Clock, to_iso
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.jobs import Job


class ImportWriting:
    """Writes people; every row's outcome is counted."""

    def __init__(
        self,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        *,
        everywhere: EverywhereList,
        clock: Clock,
        log: ConsentLog,
    ) -> None:
        self._everywhere = everywhere
        self._subscribers = subscribers
        self._memberships = memberships
        self._suppressions = suppressions
        self._clock = clock
        self._log = log
        self._consent = ConsentService(subscribers, memberships, suppressions, clock, log)

    def write(self, job: Job, lines: Sequence[bytes], tally: Tally) -> list[RowRejection]:
        """Writes people of different ids, a line each; gives those rows that could not be.

        Raises:
            StaleWrite: others kept changing a person; do it again.
        """
        people = [*map(ImportedPerson.from_line, lines)]
        workspace = job.workspace
        dry = bool(job.params["dry_run"])
        stored = self._subscribers.get_many(workspace, [person.id for person in people])
        mine = [person for person in people if _is_mine(job, stored.get(person.id))]
        own_ids = {person.id for person in mine}
        unknown = [person for person in people if person.id not in stored]
        entries = self._suppressions.get_many(workspace, [person.id for person in unknown])
        new, rejections = _admitted(unknown, entries)
        others = [
            (person, stored[person.id])
            for person in people
            if person.id in stored and person.id not in own_ids
        ]
        addresses = {person.id: person.address for person in new}
        if not dry and self._everywhere.adopt(workspace, addresses):
            entries = self._suppressions.get_many(workspace, list(addresses))
        records = self._records(job, new, entries)
        if not dry:
            self._suppress(job, people)
            self._join(job, records, others)
            self._subscribers.put_many(records)
            self._copy_suppressions(workspace, [*records, *(stored[one.id] for one in mine)])
        tally.created += len(new) + len(mine)
        written = [*zip(new, records, strict=True), *((one, stored[one.id]) for one in mine)]
        tally.kept_unsubscribed += sum(stays_away(record, one.lists) for one, record in written)
        for person, known in others:
            try:
                updated, changed = self._update(job, person, known, dry=dry)
            except InvalidInput as error:
                rejections.append(rejection(person.row, error))
                continue
            tally.updated += changed
            tally.unchanged += not changed
            tally.kept_unsubscribed += stays_away(updated, person.lists)
        return rejections

    def _records(
        self, job: Job, people: Sequence[ImportedPerson], entries: Mapping[str, Suppression]
    ) -> list[Subscriber]:
        """The records to add: one who was suppressed before joins no list."""
        records = []
        for person in people:
            entry = entries.get(person.id)
            lists = person.lists
            if entry and entry.source != _source(job):
                lists = {k: v for k, v in lists.items() if v is ListState.UNSUBSCRIBED}
            records.append(
                Subscriber(
                    id=person.id,
                    workspace=job.workspace,
                    address=person.address,
                    created_at=job.created_at,
                    updated_at=job.created_at,
                    lists=lists,
                    attributes=person.fields.attributes,
                    tags=person.fields.tags,
                    locale=person.fields.locale,
                    time_zone=person.fields.time_zone,
                    suppressed=entry.reason if entry else person.suppressed,
                    imported_by=job.id,
                    quality=person.quality,
                )
            )
        return records

    def _suppress(self, job: Job, people: Sequence[ImportedPerson]) -> None:
        """Puts on the suppression list whom the file says must not be mailed."""
        for person in people:
            if reason := person.suppressed:
                address = "" if reason is SuppressionReason.ERASURE else person.address
                self._suppressions.put(
                    Suppression(
                        job.workspace, person.id, reason, job.created_at, _source(job), address
                    )
                )

    def _join(
        self,
        job: Job,
        records: Sequence[Subscriber],
        others: Sequence[tuple[ImportedPerson, Subscriber]],
    ) -> None:
        """Adds to the lists' index, before any record says so."""
        joining: dict[str, list[str]] = {}
        for record in records:
            for list_id, state in record.lists.items():
                if state is not ListState.UNSUBSCRIBED:
                    joining.setdefault(list_id, []).append(record.id)
        if job.params["policy"] != MergePolicy.SKIP:
            for person, known in others:
                for list_id in joins(known, person.lists):
                    joining.setdefault(list_id, []).append(person.id)
        for list_id, ids in joining.items():
            self._memberships.add(job.workspace, list_id, ids)

    def _copy_suppressions(self, workspace: str, written: Sequence[Subscriber]) -> None:
        """Once more after writing: an entry made meanwhile found no record to copy itself to."""
        entries = self._suppressions.get_many(workspace, [person.id for person in written])
        for person in written:
            entry = entries.get(person.id)
            if entry and entry.reason is SuppressionReason.ERASURE:
                self._unwrite(person)
            elif person.suppressed != (entry.reason if entry else None):
                with contextlib.suppress(NotFound):
                    self._consent.copy_suppression(workspace, person.id)

    def _unwrite(self, person: Subscriber) -> None:
        """She was erased while this step ran, so that its job may be over already."""
        self._subscribers.delete(person.workspace, person.id)
        for list_id in person.lists:
            self._memberships.remove(person.workspace, list_id, person.id)

    def _update(
        self, job: Job, person: ImportedPerson, known: Subscriber, *, dry: bool
    ) -> tuple[Subscriber, bool]:
        """The person as she is now, and whether this row changed her."""
        if known.deleted:
            raise InvalidInput(_MOVED if known.moved_to else _BEING_DELETED)
        policy = MergePolicy(job.params["policy"])

        def change(stored: Subscriber) -> Subscriber:
            after = _after(stored, person, policy)
            if after == stored:
                return stored
            if stored is not known and not dry:
                for list_id in joins(stored, person.lists):
                    self._memberships.add(job.workspace, list_id, [stored.id])
            first = stored.first_import or stored.imported_by
            return replace(
                after,
                updated_at=self._clock.now(),
                imported_by=job.id,
                first_import="" if first == job.id else first,
            )

        if dry:
            after = change(known)
            return after, after != known
        try:
            self._note(job, person, known)
            after = rewrite(self._subscribers, job.workspace, person.id, change, known=known)
            if person.suppressed:
                after = self._consent.copy_suppression(job.workspace, person.id, known=after)
        except NotFound as error:
            raise InvalidInput(_BEING_DELETED) from error
        for list_id in leaves(known, person.lists):
            self._memberships.remove(job.workspace, list_id, person.id)
        return after, after.imported_by == job.id

    def _note(self, job: Job, person: ImportedPerson, known: Subscriber) -> None:
        """Of whom an import finds there already, each has a record of her own."""
        left = leaves(known, person.lists)
        joined = joins(known, person.lists) if job.params["policy"] != MergePolicy.SKIP else ()
        for change, lists in (
            (ConsentChange.IMPORTED, joined),
            (ConsentChange.UNSUBSCRIBED, left),
        ):
            if lists:
                told = circumstances_of(job)
                self._log.append(
                    ConsentRecord(
                        job.workspace, known.id, job.created_at, change, told, lists, job.id
                    )
                )


def _admitted(
    people: Sequence[ImportedPerson], entries: Mapping[str, Suppression]
) -> tuple[list[ImportedPerson], list[RowRejection]]:
    """Who may be added, and the rows of those who were erased, here or where the file is from."""
    admitted, rejections = [], []
    for person in people:
        entry = entries.get(person.id)
        if SuppressionReason.ERASURE in {person.suppressed, entry.reason if entry else None}:
            rejections.append(rejection(person.row, InvalidInput(_ERASED)))
        else:
            admitted.append(person)
    return admitted, rejections


def circumstances_of(job: Job) -> Circumstances:
    """How the people of an import came in."""
    params = job.params
    return Circumstances(
        "import", text_version=params.get("text_version"), actor=params.get("actor")
    )


def _after(stored: Subscriber, person: ImportedPerson, policy: MergePolicy) -> Subscriber:
    """What a row makes of somebody who is there already, but for the time."""
    after = merged(stored, person.fields, person.lists, policy)
    if policy is not MergePolicy.SKIP:
        after = replace(after, quality=person.quality)
    if person.suppressed and not stored.suppressed:
        after = replace(after, suppressed=person.suppressed)
    return after


def _is_mine(job: Job, person: Subscriber | None) -> bool:
    """Whether this very job made the record, in a run of this step that was cut short."""
    return (
        person is not None
        and person.imported_by == job.id
        and to_iso(person.created_at) == to_iso(job.created_at)
        and not person.deleted
    )


def _source(job: Job) -> str:
    return f"import:{job.id}"


_BEING_DELETED = FieldProblem("email", "is of a person being deleted; import it again in a minute")
_ERASED = FieldProblem("email", "was erased at the person's request and cannot be imported")
_MOVED = FieldProblem("email", "is the former address of a subscriber, who has another one now")
