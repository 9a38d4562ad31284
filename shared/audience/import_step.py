"""The job that imports people: first read the whole file, then write person by person.

Reading finds what is wrong with each row and drops people who stand in the
file twice (the first good row counts), so that afterwards no two rows are about
one person. It writes nobody, so a file that breaks in the middle changes
nobody. Writing then goes on by byte offset, `people_per_step` at a time.

A repeated step must report what the first run reported, though it finds the
people there already. The record tells: `imported_by` this job means that this
row wrote it, and whoever the import added is dated to the job's start.

A new person on one list costs two write units: the membership and the person,
if she is below 1 KB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from shared.audience.addresses import normalise
from shared.audience.consent import ConsentService
from shared.audience.fields import read_fields
from shared.audience.import_files import ImportedPerson, ImportFiles
from shared.audience.merging import MergePolicy, joins, merged, stays_away
from shared.audience.model import ListState, RowRejection, Subscriber
from shared.audience.ports import BlobStore, MembershipStore, SubscriberStore, SuppressionStore
from shared.audience.rows import FileFormat, Row, read_rows
from shared.audience.tally import Tally
from shared.audience.writes import rewrite
from shared.clock import Clock, to_iso
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import SubscriberIds
from shared.jobs import Job

PEOPLE_PER_STEP = 1000
REJECTIONS_PER_FILE = 1000


class ImportStep:
    """`JobStep` of `IMPORT_SUBSCRIBERS`. The cursor: `offset`, `rejected_files`."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        blobs: BlobStore,
        ids: SubscriberIds,
        clock: Clock,
        people_per_step: int = PEOPLE_PER_STEP,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._suppressions = suppressions
        self._blobs = blobs
        self._ids = ids
        self._clock = clock
        self._people_per_step = people_per_step
        self._consent = ConsentService(subscribers, memberships, suppressions, clock)

    def run(self, job: Job) -> Job:
        """The next step.

        Raises:
            InvalidInput: the file cannot be read; names byte or row.
            StaleWrite: others kept changing a person; do the step again.
        """
        return self._write(job) if job.cursor else self._read(job)

    def _read(self, job: Job) -> Job:
        files = ImportFiles(self._blobs, job)
        tally = Tally(rows=job.progress["rows"])
        rejections: list[RowRejection] = []
        lines = bytearray()
        seen: set[str] = set()
        for row in read_rows(files.upload(), FileFormat(job.params["format"])):
            found = row if isinstance(row, RowRejection) else self._check(job.workspace, row)
            if isinstance(found, RowRejection):
                rejections.append(found)
            elif found.id in seen:
                tally.duplicates += 1
            else:
                seen.add(found.id)
                lines += found.to_line()
        tally.reject(rejections)
        starts = range(0, len(rejections), REJECTIONS_PER_FILE)
        for number, start in enumerate(starts):
            files.keep_rejections(number, rejections[start : start + REJECTIONS_PER_FILE])
        files.keep_people(bytes(lines))
        cursor = {"offset": 0, "rejected_files": len(starts)}
        return job.advanced(cursor=cursor, progress=tally.progress(), done=not seen)

    def _check(self, workspace: str, row: Row) -> ImportedPerson | RowRejection:
        """The person of a row, or its first problem: one wrong field refuses the row."""
        try:
            address = normalise(row.email if isinstance(row.email, str) else "")
            fields = read_fields(row.attributes, row.tags, row.locale, row.time_zone)
        except InvalidInput as error:
            return _rejection(row.number, error)
        return ImportedPerson(row.number, self._ids.of(workspace, address), address, fields)

    def _write(self, job: Job) -> Job:
        files = ImportFiles(self._blobs, job)
        people, offset = files.people(job.cursor["offset"], self._people_per_step)
        tally = Tally.of(job.progress)
        rejections = self._write_people(job, people, tally)
        tally.reject(rejections)
        number = job.cursor["rejected_files"]
        if rejections:
            files.keep_rejections(number, rejections)
        cursor = {"offset": offset, "rejected_files": number + bool(rejections)}
        done = tally.settled == tally.rows
        return job.advanced(cursor=cursor, progress=tally.progress(), done=done)

    def _write_people(
        self, job: Job, people: Sequence[ImportedPerson], tally: Tally
    ) -> list[RowRejection]:
        workspace, lists = job.workspace, job.params["lists"]
        stored = self._subscribers.get_many(workspace, [person.id for person in people])
        new = self._new(job, [person for person in people if person.id not in stored])
        mine = [person for person in stored.values() if _added_by(job, person)]
        others = [
            (person, stored[person.id])
            for person in people
            if person.id in stored and not _added_by(job, stored[person.id])
        ]
        self._join(job, new, [known for _, known in others])
        self._subscribers.put_many(new)
        self._copy_suppressions(workspace, [*new, *mine])
        tally.created += len(new) + len(mine)
        tally.kept_unsubscribed += sum(stays_away(person, lists) for person in [*new, *mine])
        rejections = []
        for person, known in others:
            try:
                updated = self._update(job, person, known)
            except InvalidInput as error:
                rejections.append(_rejection(person.row, error))
                continue
            tally.updated += updated.imported_by == job.id
            tally.unchanged += updated.imported_by != job.id
            tally.kept_unsubscribed += stays_away(updated, lists)
        return rejections

    def _new(self, job: Job, people: Sequence[ImportedPerson]) -> list[Subscriber]:
        """The records to add: one who is suppressed joins no list."""
        entries = self._suppressions.get_many(job.workspace, [person.id for person in people])
        subscribed = dict.fromkeys(job.params["lists"], ListState.SUBSCRIBED)
        return [
            Subscriber(
                id=person.id,
                workspace=job.workspace,
                address=person.address,
                created_at=job.created_at,
                updated_at=job.created_at,
                lists={} if person.id in entries else subscribed,
                attributes=person.fields.attributes,
                tags=person.fields.tags,
                locale=person.fields.locale,
                time_zone=person.fields.time_zone,
                suppressed=entries[person.id].reason if person.id in entries else None,
                imported_by=job.id,
            )
            for person in people
        ]

    def _join(self, job: Job, new: Sequence[Subscriber], known: Sequence[Subscriber]) -> None:
        """Adds to the lists' index, before any record says so."""
        lists = job.params["lists"]
        merging = known if job.params["policy"] != MergePolicy.SKIP else ()
        for list_id in lists:
            joining = [person.id for person in new if list_id in person.lists]
            joining += [person.id for person in merging if list_id in joins(person, lists)]
            self._memberships.add(job.workspace, list_id, joining)

    def _copy_suppressions(self, workspace: str, written: Sequence[Subscriber]) -> None:
        """Once more after writing: an entry made meanwhile found no record to copy itself to."""
        entries = self._suppressions.get_many(workspace, [person.id for person in written])
        for person in written:
            entry = entries.get(person.id)
            if person.suppressed != (entry.reason if entry else None):
                with contextlib.suppress(NotFound):
                    self._consent.copy_suppression(workspace, person.id)

    def _update(self, job: Job, person: ImportedPerson, known: Subscriber) -> Subscriber:
        lists, policy = job.params["lists"], MergePolicy(job.params["policy"])

        def change(stored: Subscriber) -> Subscriber:
            after = merged(stored, person.fields, lists, policy)
            if after == stored:
                return stored
            if stored is not known:
                for list_id in after.lists.keys() - stored.lists.keys():
                    self._memberships.add(job.workspace, list_id, [stored.id])
            return replace(after, updated_at=self._clock.now(), imported_by=job.id)

        if known.deleted:
            raise InvalidInput(_BEING_DELETED)
        try:
            return rewrite(self._subscribers, job.workspace, person.id, change, known=known)
        except NotFound as error:
            raise InvalidInput(_BEING_DELETED) from error


def _added_by(job: Job, person: Subscriber) -> bool:
    """Whether this very job made the record, in a run of this step that was cut short."""
    return (
        person.imported_by == job.id
        and to_iso(person.created_at) == to_iso(job.created_at)
        and not person.deleted
    )


def _rejection(row: int, error: InvalidInput) -> RowRejection:
    first = error.problems[0]
    return RowRejection(row, first.field, first.reason)


_BEING_DELETED = FieldProblem("email", "is of a person being deleted; import it again in a minute")
