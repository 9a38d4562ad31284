"""The first half of an import: unpack the file, read it, and find what is wrong with each row.

Nobody is written here, so a file that breaks in the middle changes nobody. Of
rows about one person the first good one counts. To know the others, each step
holds its own ids and looks through the files of ids of the steps before, so
that memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from shared.audience.import_files import UNPACKED_BYTES, ImportedRow, ImportFiles
from shared.audience.model import RowRejection
from shared.audience.ports import LargeFileStore
from shared.audience.records import Position, Record, read_records
from shared.audience.rows import MAX_ROWS, FileFormat, unreadable
from shared.audience.tally import Tally
from shared.audience.unpacking import MAGIC, unpacked
from shared.errors import InvalidInput
from shared.ids import to_bytes
from shared.jobs import Job

ROWS_PER_STEP = 20_000
BYTES_PER_STEP = 4 * 1_048_576
PARTS_PER_STEP = 32
"""Of `UNPACKED_BYTES` each."""


class Rows(Protocol):
    """Understands the rows of one job's file."""

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """A CSV's header as keys of the records; an empty one leaves the column out.

        Raises:
            InvalidInput: such a file cannot be imported; says what is missing.
        """
        ...

    def read(self, record: Record) -> ImportedRow | RowRejection:
        """What a record says, or why it is not taken."""
        ...

    @property
    def waits(self) -> bool:
        """Whether rows are to be held until all of a step are read, and `settled` then."""
        ...

    @property
    def enough(self) -> bool:
        """Whether a step must end here, however few rows it has had."""
        ...

    @property
    def misfit(self) -> str:
        """Why none of the rows read so far is of such a file; empty if one is."""
        ...

    def settled(
        self, found: Sequence[ImportedRow | RowRejection]
    ) -> Iterable[ImportedRow | RowRejection]:
        """The rows of a step once more, in order."""
        ...


class ImportReading:
    """Makes `people`, `ids` and `rejected` files of an upload.

    Cursor: `size` and `packed` once the upload was looked at, `unpacked` bytes
    so far, then `offset`, `row`, `columns`, `people_files`, `rejected_files`.
    """

    def __init__(
        self,
        *,
        blobs: LargeFileStore,
        rows: Callable[[Job], Rows],
        rows_per_step: int = ROWS_PER_STEP,
    ) -> None:
        self._blobs = blobs
        self._rows = rows
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
        rows = self._rows(job)
        start = Position(
            cursor.get("offset", 0), cursor.get("row", 0), tuple(cursor.get("columns", ()))
        )

        def read(offset: int, length: int) -> bytes:
            if cursor["packed"]:
                return files.read_unpacked(size, offset, length)
            return files.read_upload(offset, length) if offset < size else b""

        step = _Step(Tally.of(job.progress) if cursor.get("offset") else Tally(), rows)
        position, ended = start, True
        for record in read_records(read, file_format, start, rows.columns):
            step.take(record)
            position = record.after
            far = position.offset - start.offset >= BYTES_PER_STEP
            if step.count >= self._rows_per_step or far or rows.enough:
                ended = False
                break
        step.settle()
        if not start.offset and rows.misfit:
            raise unreadable(rows.misfit)
        if step.tally.rows > MAX_ROWS:
            raise unreadable(f"has more than {MAX_ROWS} rows; split it")
        if ended and not step.tally.rows:
            raise unreadable("holds no rows" if size else "is empty")
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
    """What one step found: lines of rows by id, and rows that were not taken.

    If the rows wait, everything is held until `settle`.
    """

    def __init__(self, tally: Tally, rows: Rows) -> None:
        self.tally = tally
        self.count = 0
        self.people: dict[bytes, bytes] = {}
        self.rejections: list[RowRejection] = []
        self._rows = rows
        self._held: list[ImportedRow | RowRejection] = []

    def take(self, record: Record) -> None:
        self.count += 1
        self.tally.rows += 1
        found = self._rows.read(record)
        if self._rows.waits:
            self._held.append(found)
        else:
            self._keep(found)

    def settle(self) -> None:
        if self._held:
            for found in self._rows.settled(self._held):
                self._keep(found)
        self._held = []

    def _keep(self, found: ImportedRow | RowRejection) -> None:
        if isinstance(found, RowRejection):
            self.rejections.append(found)
            self.tally.reject([found])
            return
        key = to_bytes(found.id)
        if key in self.people:
            self.tally.duplicates += 1
        else:
            self.people[key] = found.to_line()


class MappedAddresses:
    """Whether a mapping fits JSON lines: any object has something where it says the address is.

    A CSV's header says so by itself, see `Rows.columns`.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        asks = params["format"] == FileFormat.NDJSON
        paths = [path for path, target in params["mapping"].items() if target == "email"]
        self._path = paths[0] if asks and paths else ""
        self._rows = 0
        self._found = False

    def take(self, address: object) -> None:
        """What the next object has there; None or blank for nothing."""
        self._rows += 1
        self._found = self._found or address not in (None, "")

    @property
    def misfit(self) -> str:
        """As `Rows` says."""
        if self._found or not self._rows or not self._path:
            return ""
        return (
            f"has nothing at {self._path[:100]!r} in its first {self._rows} rows, which the"
            " mapping names as email"
        )


def rejection(row: int, error: InvalidInput) -> RowRejection:
    """A row's first problem."""
    first = error.problems[0]
    return RowRejection(row, first.field, first.reason)
