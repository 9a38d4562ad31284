"""An import's file, read as a stream: bytes to records, each with the byte after it.

Nothing of the file is held but a block and a record, so that memory does not
grow with the file, and reading can go on later from any record's end. A file
that cannot be read for certain (its encoding, a broken quote) is refused as a
whole, with the place. What is wrong with one row is that row's own problem.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.audience.model import RowRejection
from shared.audience.rows import FileFormat, unreadable

Read = Callable[[int, int], bytes]
"""Bytes from an offset on, at most so many; empty at the end."""

BLOCK = 1_048_576
MAX_RECORD = 2_097_152
"""Bytes of one line, and of one CSV record. The longest person has 100 KB, escaped 600 KB."""
MAX_FIELD = 10_240
"""Characters of one CSV field that is not JSON. A longer one nearly always means a quote left
open."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: the byte, the number of the row before it, and a CSV's columns."""

    offset: int = 0
    row: int = 0
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One record: what it says by column, or why it cannot be taken. `after` is where to go on."""

    number: int
    content: Mapping[str, Any] | RowRejection
    after: Position


def read_records(
    read: Read,
    file_format: FileFormat,
    position: Position,
    columns: Callable[[Sequence[str]], Sequence[str]],
) -> Iterator[Record]:
    """The records from a position on, in order; rows that are blank are left out.

    `columns` makes names of a CSV's header: the keys of `content`, where an
    empty one leaves the column out. Rows are numbered as in `RowRejection`.

    Raises:
        InvalidInput: the file as a whole cannot be read; names byte or row.
            Comes while reading, so nothing may be done with the rows before
            all of them are read.
    """
    if file_format is FileFormat.CSV:
        return _csv(read, position, columns)
    return _ndjson(read, position)


def _csv(
    read: Read, position: Position, columns: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[Record]:
    csv.field_size_limit(MAX_RECORD)
    feed = _Feed(read, position.offset, universal=True)
    reader = csv.reader(feed, strict=True, skipinitialspace=True)
    names = position.columns
    number = position.row
    while True:
        number += 1
        feed.record_from = feed.offset
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"row {number} is not valid CSV ({error}); is a quote left open?"
            raise unreadable(reason) from error
        if any(len(cell) > MAX_FIELD and cell[:1] not in {"{", "["} for cell in cells):
            raise unreadable(
                f"row {number} has a field of over {MAX_FIELD} characters; is a quote left open?"
            )
        if not any(map(str.strip, cells)):
            continue
        if not names:
            names = columns([cell.strip() for cell in cells])
            continue
        after = Position(feed.offset, number, names)
        yield Record(number, _by_column(number, names, cells), after)


def _by_column(
    number: int, names: Sequence[str], cells: Sequence[str]
) -> dict[str, str] | RowRejection:
    if len(cells) > len(names):
        return RowRejection(number, "row", "has more fields than the header has columns")
    # A row that ends early says nothing about its last columns, like blank cells.
    said = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
    return {name: cell for name, cell in said.items() if cell}


def _ndjson(read: Read, position: Position) -> Iterator[Record]:
    feed = _Feed(read, position.offset, universal=False)
    for number, line in enumerate(feed, start=position.row + 1):
        feed.record_from = feed.offset
        if not line.strip():
            continue
        content: Mapping[str, Any] | RowRejection
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError:
            content = RowRejection(number, "row", "is not valid JSON")
        else:
            if not isinstance(content, dict):
                content = RowRejection(number, "row", "is not an object")
        yield Record(number, content, Position(feed.offset, number))


class _Feed:
    """Lines as text; `offset` is the byte after the last one that was taken.

    `record_from` is where the record that is being read began. A line ends
    with LF or, if `universal`, with CR, LF or both.
    """

    def __init__(self, read: Read, offset: int, *, universal: bool) -> None:
        self.offset = offset
        self.record_from = offset
        self._lines = _lines(read, offset, universal=universal)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        start, self.offset = self.offset, self.offset + len(line)
        if self.offset - self.record_from > MAX_RECORD:
            raise _too_long(self.record_from)
        if start == 0:
            line = _without_mark(line)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            place = start + error.start
            reason = f"is not UTF-8: byte {place} does not fit; save it as UTF-8"
            raise unreadable(reason) from error


def _lines(read: Read, offset: int, *, universal: bool) -> Iterator[bytes]:
    """Lines with their ends. Knows nothing of who takes them: a cycle would hold a block alive."""
    rest = b""
    while block := read(offset, BLOCK):
        offset += len(block)
        lines = _cut(rest + block, universal=universal)
        # What ends with CR may go on with LF in the next block.
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if len(rest) > MAX_RECORD:
            raise _too_long(offset - len(rest))
        yield from lines
    if rest:
        yield rest


def _cut(text: bytes, *, universal: bool) -> list[bytes]:
    if universal:
        return text.splitlines(keepends=True)
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _without_mark(line: bytes) -> bytes:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise unreadable("is UTF-16; save it as UTF-8")
    return line.removeprefix(b"\xef\xbb\xbf")


def _too_long(offset: int) -> Exception:
    return unreadable(
        f"has a row of over {MAX_RECORD} bytes from byte {offset} on; is a quote left open?"
    )
