"""Reading an import's file: CSV or JSON bytes to rows, each with its number.

A file that cannot be read for certain (its encoding, its header, a broken
quote) is refused as a whole, with the place. What is wrong with one row is
that row's own problem.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from shared.audience.fields import is_attribute_name
from shared.audience.model import RowRejection
from shared.errors import FieldProblem, InvalidInput

MAX_ROWS = 1_000_000
MAX_FIELD = 10_240
"""Characters of one CSV field. A longer one nearly always means a quote left open."""


class FileFormat(StrEnum):
    """What an import's file may be."""

    CSV = "text/csv"
    JSON = "application/json"
    NDJSON = "application/x-ndjson"

    @classmethod
    def of(cls, content_type: str) -> FileFormat:
        """By the `Content-Type` header.

        Raises:
            InvalidInput: it is none of them, or names another encoding than UTF-8.
        """
        media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
        encoding = dict(p.partition("=")[::2] for p in parameters).get("charset", "utf-8")
        if encoding.strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise InvalidInput(FieldProblem("content-type", "names an encoding other than UTF-8"))
        try:
            return cls(media_type)
        except ValueError as error:
            known = ", ".join(cls)
            raise InvalidInput(FieldProblem("content-type", f"must be one of {known}")) from error


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read, its values not yet looked at. `number` counts as in `RowRejection`.

    None means that the row says nothing about a field.
    """

    number: int
    email: object
    attributes: object = None
    tags: object = None
    locale: object = None
    time_zone: object = None


def read_rows(body: bytes, file_format: FileFormat) -> Iterator[Row | RowRejection]:
    """The rows in order. A CSV's header is row 1; JSON objects count from 1.

    Raises:
        InvalidInput: the file as a whole cannot be read; names byte or row.
            Comes while reading, so nothing may be done with the rows before
            all of them are read.
    """
    text = _decode(body)
    if not text.strip():
        raise _unreadable("is empty")
    read = {FileFormat.CSV: _csv, FileFormat.JSON: _json, FileFormat.NDJSON: _ndjson}[file_format]
    count = 0
    for count, row in enumerate(read(text), start=1):
        if count > MAX_ROWS:
            raise _unreadable(f"has more than {MAX_ROWS} rows; split it")
        yield row
    if not count:
        raise _unreadable("holds no subscribers")


def _decode(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable("is UTF-16; save it as UTF-8")
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8: byte {error.start} does not fit; save it as UTF-8"
        raise _unreadable(reason) from error


def _csv(text: str) -> Iterator[Row | RowRejection]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] | None = None
    number = 0
    while True:
        number += 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"row {number} is not valid CSV ({error}); is a quote left open?"
            raise _unreadable(reason) from error
        if any(len(cell) > MAX_FIELD for cell in cells):
            reason = (
                f"row {number} has a field of over {MAX_FIELD} characters; is a quote left open?"
            )
            raise _unreadable(reason)
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = _header(cells)
        else:
            yield _csv_row(number, header, cells)


def _header(cells: list[str]) -> list[str]:
    """Column names: in lower case, `First Name` and `first-name` as `first_name`."""
    names = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells]
    if "email" not in names:
        hint = ""
        if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
            hint = "; separate the columns by commas"
        elif any("@" in name for name in names):
            hint = "; the first row must be a header that names the columns"
        raise _unreadable(f"has no column named email{hint}")
    problems = []
    for column, name in enumerate(names, start=1):
        if not is_attribute_name(name):
            reason = f"column {column} must be named with 1 to 64 of a-z, 0-9 and _"
            problems.append(FieldProblem("body", reason))
        elif name in names[: column - 1]:
            problems.append(FieldProblem("body", f"column {column} is named as one before it"))
    if problems:
        raise InvalidInput(problems)
    return names


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row | RowRejection:
    if len(cells) > len(header):
        return RowRejection(number, "row", "has more fields than the header has columns")
    # A row that ends early says nothing about its last columns, like blank cells.
    said = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    said = {name: cell for name, cell in said.items() if cell}
    email = said.pop("email", "")
    tags, locale, time_zone = (said.pop(name, None) for name in ("tags", "locale", "time_zone"))
    split = None if tags is None else [tag for tag in map(str.strip, tags.split(";")) if tag]
    return Row(number, email, said, split, locale, time_zone)


def _json(text: str) -> Iterator[Row | RowRejection]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = f"is not valid JSON (line {error.lineno}, column {error.colno})"
        raise _unreadable(reason) from error
    if isinstance(document, dict):
        document = document.get("subscribers")
    if not isinstance(document, list):
        raise _unreadable('must be an array of objects, or {"subscribers": [...]}')
    for number, item in enumerate(document, start=1):
        yield _json_row(number, item)


def _ndjson(text: str) -> Iterator[Row | RowRejection]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield RowRejection(number, "row", "is not valid JSON")
        else:
            yield _json_row(number, item)


def _json_row(number: int, item: Any) -> Row | RowRejection:
    if not isinstance(item, Mapping):
        return RowRejection(number, "row", "is not an object")
    if not item.keys() <= _JSON_FIELDS:
        reason = "has an unknown field; what is one's own belongs in attributes"
        return RowRejection(number, "row", reason)
    return Row(number, **{"email": None, **item})


def _unreadable(reason: str) -> InvalidInput:
    return InvalidInput(FieldProblem("body", reason))


_JSON_FIELDS = {"email", "attributes", "tags", "locale", "time_zone"}
