"""The files of one import, all under `<workspace>/imports/<job id>/`.

`upload-<random>` is the file as it came, and `unpacked-<number>` what was in
it if it was packed. `people-<number>` are the people that were read from it, a
JSON line each, `ids-<number>` their ids in 12 bytes each, `rejected-<number>`
rows that were not taken, and `report.csv` all of those. Their names depend on
nothing but the job and its cursor, so a repeated step writes the same files
again. No part of a name comes from a caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from shared.audience.fields import Fields
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.ports import BlobStore
from shared.ids import ID_BYTES
from shared.jobs import Job

READ_BYTES = 1_048_576
"""Read at once. A line is shorter: the longest person has 100 KB of text, escaped 600 KB."""

UNPACKED_BYTES = 4 * 1_048_576
"""Of one file of what was unpacked; only the last is shorter."""

LINES = "application/x-ndjson"


class ImportedRow(Protocol):
    """A row that was found good; its id is a subscriber's."""

    @property
    def id(self) -> str:
        """Of the address."""
        ...

    def to_line(self) -> bytes:
        """One line of JSON."""
        ...


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """A row that was found good; no other row of the import has this id.

    `lists` are all that the row says of lists, those of the whole import
    included.
    """

    row: int
    id: str
    address: str
    fields: Fields
    lists: Mapping[str, ListState] = field(default_factory=dict)
    suppressed: SuppressionReason | None = None
    quality: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps(self) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ImportedPerson:
        """Reads what `to_line` wrote."""
        plain = orjson.loads(line)
        fields = plain["fields"]
        return cls(
            plain["row"],
            plain["id"],
            plain["address"],
            Fields(
                fields["attributes"], tuple(fields["tags"]), fields["locale"], fields["time_zone"]
            ),
            {list_id: ListState(state) for list_id, state in plain["lists"].items()},
            SuppressionReason(plain["suppressed"]) if plain["suppressed"] else None,
            tuple(plain["quality"]),
        )


class ImportFiles:
    """Writes and reads one import's files."""

    def __init__(self, blobs: BlobStore, job: Job) -> None:
        self._blobs = blobs
        self._folder = f"{job.workspace}/imports/{job.id}"
        self.upload = f"{self._folder}/upload-{job.params['upload']}"
        self.report = f"{self._folder}/report.csv"

    def keep_upload(self, body: bytes, content_type: str) -> None:
        """Keeps the file as it came."""
        self._blobs.put(self.upload, body, content_type=content_type)

    def read_upload(self, offset: int, length: int) -> bytes:
        """Bytes of the file as it came, fewer at its end."""
        return self._blobs.get(self.upload, start=offset, length=length)

    def keep_unpacked(self, number: int, part: bytes) -> None:
        """Keeps a part of what was packed."""
        key = f"{self._folder}/unpacked-{number:06d}"
        self._blobs.put(key, part, content_type="application/octet-stream")

    def read_unpacked(self, size: int, offset: int, length: int) -> bytes:
        """Bytes of what was packed, at most to the end of one part; `size` is of all of it."""
        if offset >= size:
            return b""
        number, start = divmod(offset, UNPACKED_BYTES)
        return self._blobs.get(
            f"{self._folder}/unpacked-{number:06d}", start=start, length=min(length, size - offset)
        )

    def keep_people(self, number: int, lines: bytes, ids: bytes) -> None:
        """Keeps rows that were found good, and their ids."""
        self._blobs.put(f"{self._folder}/people-{number:06d}", lines, content_type=LINES)
        key = f"{self._folder}/ids-{number:06d}"
        self._blobs.put(key, ids, content_type="application/octet-stream")

    def ids(self, number: int) -> Iterator[bytes]:
        """The ids of the people of that number."""
        ids = self._blobs.get(f"{self._folder}/ids-{number:06d}")
        return (ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES))

    def people(self, number: int, offset: int, limit: int) -> tuple[list[bytes], int]:
        """Up to `limit` lines from a byte on, and the byte to go on from; none at the end."""
        key = f"{self._folder}/people-{number:06d}"
        part = self._blobs.get(key, start=offset, length=READ_BYTES)
        lines = part.splitlines(keepends=True)[:limit]
        whole = [line for line in lines if line.endswith(b"\n")]
        return whole, offset + sum(map(len, whole))

    def keep_rejections(self, number: int, rejections: Sequence[RowRejection]) -> None:
        """Keeps some rows that were not taken."""
        lines = b"".join(orjson.dumps(rejection) + b"\n" for rejection in rejections)
        self._blobs.put(self.rejected(number), lines, content_type=LINES)

    def rejected(self, number: int) -> str:
        """The key of the file with some rows that were not taken."""
        return f"{self._folder}/rejected-{number:06d}"

    def rejections(self, number: int) -> list[RowRejection]:
        """What `keep_rejections` kept under that number."""
        return read_rejections(self._blobs.get(self.rejected(number)))


def read_rejections(lines: bytes) -> list[RowRejection]:
    """What a file of rejections holds."""
    return [RowRejection(**orjson.loads(line)) for line in lines.splitlines()]
