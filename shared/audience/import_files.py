"""The files of one import, all under `<workspace>/imports/<job id>/`.

`upload` is the file as it came, `people` what was read from it, a JSON line
each, and `rejected-<number>` holds some of the rows that were not taken. Their
names depend on nothing but the job's cursor, so a repeated step writes the
same files again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from shared.audience.fields import Fields
from shared.audience.model import RowRejection
from shared.audience.ports import BlobStore
from shared.audience.rows import FileFormat
from shared.jobs import Job

READ_BYTES = 1_048_576
"""Read at once. A line is shorter: the longest person has 100 KB of text, escaped 600 KB."""

_LINES = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """A row that was found good; no other row of the import has this id."""

    row: int
    id: str
    address: str
    fields: Fields

    def to_line(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps(self) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ImportedPerson:
        """Reads what `to_line` wrote."""
        plain = orjson.loads(line)
        fields = plain.pop("fields")
        return cls(**plain, fields=Fields(**{**fields, "tags": tuple(fields["tags"])}))


class ImportFiles:
    """Writes and reads one import's files."""

    def __init__(self, blobs: BlobStore, job: Job) -> None:
        self._blobs = blobs
        self._folder = f"{job.workspace}/imports/{job.id}"

    def keep_upload(self, body: bytes, file_format: FileFormat) -> None:
        """Keeps the file as it came."""
        self._blobs.put(f"{self._folder}/upload", body, content_type=file_format.value)

    def upload(self) -> bytes:
        """The file as it came."""
        return self._blobs.get(f"{self._folder}/upload")

    def keep_people(self, lines: bytes) -> None:
        """Keeps the people that were read from it."""
        self._blobs.put(f"{self._folder}/people", lines, content_type=_LINES)

    def people(self, offset: int, limit: int) -> tuple[list[ImportedPerson], int]:
        """Up to `limit` people from a byte on, and the byte to go on from; none at the end."""
        part = self._blobs.get(f"{self._folder}/people", start=offset, length=READ_BYTES)
        lines = part.splitlines(keepends=True)[:limit]
        whole = [line for line in lines if line.endswith(b"\n")]
        return [*map(ImportedPerson.from_line, whole)], offset + sum(map(len, whole))

    def keep_rejections(self, number: int, rejections: Sequence[RowRejection]) -> None:
        """Keeps some rows that were not taken."""
        lines = b"".join(orjson.dumps(rejection) + b"\n" for rejection in rejections)
        self._blobs.put(f"{self._folder}/rejected-{number:06d}", lines, content_type=_LINES)

    def rejections(self, number: int) -> list[RowRejection]:
        """What `keep_rejections` kept under that number."""
        lines = self._blobs.get(f"{self._folder}/rejected-{number:06d}").splitlines()
        return [RowRejection(**orjson.loads(line)) for line in lines]
