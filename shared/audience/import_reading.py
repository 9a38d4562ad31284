"""The first half of an import: unpack the file, read it, and find what is wrong with each row.

Nobody is written here, so a file that breaks in the middle changes nobody. If
the settings ask for it, each step asks DNS once for each domain it has met. Of
rows about one person the first good one counts. To know the others, each step
holds its own ids and looks through the files of ids of the steps before, so
that memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from shared.audience.addresses import normalise
from shared.audience.fields import read_fields
from shared.audience.import_files import UNPACKED_BYTES, ImportedPerson, ImportFiles
from shared.audience.importers import Importer, importer_of
from shared.audience.lists import known_lists
from shared.audience.mail_domains import MailDomains
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.ports import LargeFileStore, ListStore
from shared.audience.quality import AddressQuality
from shared.audience.records import Position, Record, read_records
from shared.audience.rows import MAX_ROWS, FileFormat, Product, Row, unreadable
from shared.audience.settings import AudienceSettings, AudienceSettingsStore
from shared.audience.tally import Tally
from shared.audience.unpacking import MAGIC, unpacked
from shared.errors import FieldProblem, InvalidInput
from shared.ids import SubscriberIds, to_bytes
from shared.jobs import Job

ROWS_PER_STEP = 20_000
BYTES_PER_STEP = 4 * 1_048_576
DOMAINS_PER_STEP = 400
"""That DNS is asked for, if it is at all: a step ends early rather than leave any out."""

PARTS_PER_STEP = 32
"""Of `UNPACKED_BYTES` each."""


class ImportReading:
    """Makes `people`, `ids` and `rejected` files of an upload.

    Cursor: `size` and `packed` once the upload was looked at, `unpacked` bytes
    so far, then `offset`, `row`, `columns`, `people_files`, `rejected_files`.
    """

    def __init__(
        self,
        *,
        blobs: LargeFileStore,
        lists: ListStore,
        settings: AudienceSettingsStore,
        mail_domains: MailDomains,
        ids: SubscriberIds,
        rows_per_step: int = ROWS_PER_STEP,
    ) -> None:
        self._blobs = blobs
        self._lists = lists
        self._settings = settings
        self._mail_domains = mail_domains
        self._ids = ids
        self._rows_per_step = rows_per_step

    def run(self, job: Job) -> tuple[dict[str, Any], Tally, bool]:
        """The cursor after the next step, the rows' outcome so far, and whether all are read.

        Raises:
            InvalidInput: the file cannot be read; names byte or row.
        """
        files = ImportFiles(self._blobs, job)
        cursor = job.cursor or self._look(files)
        if cursor["packed"] and not cursor["size"]:
            return self._unpack(files, cursor), Tally(), False
        return self._read(job, files, cursor)

    def _look(self, files: ImportFiles) -> dict[str, Any]:
        packed = files.read_upload(0, len(MAGIC)) == MAGIC
        size = 0 if packed else self._blobs.size(files.upload)
        return {"phase": "read", "packed": packed, "size": size, "unpacked": 0}

    @staticmethod
    def _unpack(files: ImportFiles, cursor: dict[str, Any]) -> dict[str, Any]:
        """Some parts more. gzip cannot be entered in the middle: what was kept is skipped."""
        skip: int = cursor["unpacked"]
        kept, rest, seen = skip, bytearray(), 0
        for piece in unpacked(files.read_upload):
            seen += len(piece)
            rest += piece[max(0, len(piece) - (seen - kept - len(rest))) :]
            while len(rest) >= UNPACKED_BYTES:
                files.keep_unpacked(kept // UNPACKED_BYTES, bytes(rest[:UNPACKED_BYTES]))
                del rest[:UNPACKED_BYTES]
                kept += UNPACKED_BYTES
            if kept - skip >= PARTS_PER_STEP * UNPACKED_BYTES:
                return {**cursor, "unpacked": kept}
        if rest:
            files.keep_unpacked(kept // UNPACKED_BYTES, bytes(rest))
        if not seen:
            raise unreadable("is empty")
        return {**cursor, "unpacked": seen, "size": seen}

    def _read(
        self, job: Job, files: ImportFiles, cursor: dict[str, Any]
    ) -> tuple[dict[str, Any], Tally, bool]:
        size: int = cursor["size"]
        file_format = FileFormat(job.params["format"])
        settings = self._settings.get(job.workspace)
        importer = importer_for(job.params, file_format, settings)
        check = _Check(job, self._ids, self._lists, settings)
        start = Position(
            cursor.get("offset", 0), cursor.get("row", 0), tuple(cursor.get("columns", ()))
        )

        def read(offset: int, length: int) -> bytes:
            if cursor["packed"]:
                return files.read_unpacked(size, offset, length)
            return files.read_upload(offset, length) if offset < size else b""

        step = _Step(Tally.of(job.progress) if cursor.get("offset") else Tally(), check)
        position, ended = start, True
        for record in read_records(read, file_format, start, importer.columns):
            step.take(_found(record, importer, check))
            position = record.after
            far = position.offset - start.offset >= BYTES_PER_STEP
            if step.rows >= self._rows_per_step or far or len(step.domains) >= DOMAINS_PER_STEP:
                ended = False
                break
        step.settle(self._mail_domains.dead(step.domains) if step.domains else ())
        if step.tally.rows > MAX_ROWS:
            raise unreadable(f"has more than {MAX_ROWS} rows; split it")
        if ended and not step.tally.rows:
            raise unreadable("holds no subscribers" if size else "is empty")
        number: int = cursor.get("people_files", 0)
        self._keep(files, number, step)
        rejected: int = cursor.get("rejected_files", 0)
        if step.rejections:
            files.keep_rejections(rejected, step.rejections)
        after = {
            **cursor,
            "offset": position.offset,
            "row": position.row,
            "columns": list(position.columns),
            "people_files": number + 1,
            "rejected_files": rejected + bool(step.rejections),
        }
        return after, step.tally, ended

    @staticmethod
    def _keep(files: ImportFiles, number: int, step: _Step) -> None:
        """Leaves out whom a step before has had, and keeps the rest."""
        mine = set(step.people)
        for earlier in range(number):
            mine.difference_update(files.ids(earlier))
        kept = [one for one in step.people if one in mine]
        step.tally.duplicates += len(step.people) - len(kept)
        files.keep_people(number, b"".join(step.people[one] for one in kept), b"".join(kept))


class _Step:
    """What one step found: lines of people by id, and rows that were not taken.

    If DNS is to be asked, everything is held until `settle` knows the answers.
    """

    def __init__(self, tally: Tally, check: _Check) -> None:
        self.tally = tally
        self.rows = 0
        self.domains: set[str] = set()
        self.people: dict[bytes, bytes] = {}
        self.rejections: list[RowRejection] = []
        self._check = check
        self._held: list[ImportedPerson | RowRejection] = []

    def take(self, found: ImportedPerson | RowRejection) -> None:
        self.rows += 1
        self.tally.rows += 1
        if not self._check.asks_dns:
            self._keep(found)
            return
        self._held.append(found)
        if isinstance(found, ImportedPerson):
            self.domains.add(_domain(found))

    def settle(self, dead: Collection[str]) -> None:
        for found in self._held:
            if isinstance(found, ImportedPerson) and _domain(found) in dead:
                self._keep(self._check.without_mail(found))
            else:
                self._keep(found)
        self._held = []

    def _keep(self, found: ImportedPerson | RowRejection) -> None:
        if isinstance(found, RowRejection):
            self.rejections.append(found)
            self.tally.reject([found])
            return
        key = to_bytes(found.id)
        if key in self.people:
            self.tally.duplicates += 1
        else:
            self.people[key] = found.to_line()


class _Check:
    """From a row to a person; one wrong field refuses the row."""

    def __init__(
        self, job: Job, ids: SubscriberIds, lists: ListStore, settings: AudienceSettings
    ) -> None:
        self._workspace = job.workspace
        self._named: Sequence[str] = job.params["lists"]
        self._ids = ids
        self._types = settings.attributes
        self._quality = AddressQuality(settings)
        self._known = known_lists(lists, job.workspace)
        self.asks_dns = self._quality.asks_dns

    def without_mail(self, person: ImportedPerson) -> ImportedPerson | RowRejection:
        try:
            return replace(person, quality=self._quality.flags_without_mail(person.quality))
        except InvalidInput as error:
            return rejection(person.row, error)

    def person(self, row: Row) -> ImportedPerson | RowRejection:
        try:
            address = normalise(row.email if isinstance(row.email, str) else "")
            quality = self._quality.flags(address)
            fields = read_fields(
                row.attributes, row.tags, row.locale, row.time_zone, types=self._types
            )
            states = self._states(row)
        except InvalidInput as error:
            return rejection(row.number, error)
        suppressed = row.suppressed
        if row.state is ListState.UNSUBSCRIBED and not self._named and not row.lists:
            suppressed = suppressed or SuppressionReason.UNSUBSCRIBED
        subscriber_id = self._ids.of(self._workspace, address)
        return ImportedPerson(
            row.number, subscriber_id, address, fields, states, suppressed, quality
        )

    def _states(self, row: Row) -> dict[str, ListState]:
        states = dict.fromkeys(self._named, row.state) if row.state else {}
        for list_id, state in row.lists.items():
            if not self._known(list_id):
                raise InvalidInput(FieldProblem("lists", "name one that is not of this workspace"))
            if state not in set(ListState):
                raise InvalidInput(FieldProblem("lists", "have a state that there is not"))
            states[list_id] = ListState(str(state))
        return states


def _domain(person: ImportedPerson) -> str:
    return person.address.rpartition("@")[2]


def importer_for(
    params: dict[str, Any], file_format: FileFormat, settings: AudienceSettings
) -> Importer:
    """The importer that a job's parameters ask for."""
    return importer_of(
        Product(params["product"]),
        file_format,
        types=settings.attributes,
        mapping=params["mapping"],
        list_names=params["list_names"],
    )


def rejection(row: int, error: InvalidInput) -> RowRejection:
    """A row's first problem."""
    first = error.problems[0]
    return RowRejection(row, first.field, first.reason)


def _found(record: Record, importer: Importer, check: _Check) -> ImportedPerson | RowRejection:
    row = (
        record.content
        if isinstance(record.content, RowRejection)
        else importer.row(record.number, record.content)
    )
    return row if isinstance(row, RowRejection) else check.person(row)
