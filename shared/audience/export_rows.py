"""How an export writes people: JSON lines, and CSV for spreadsheets or raw, to be imported again.

JSON lines and raw CSV hold the same, and `importers.tidepost` brings it back
unchanged. The other CSV is for people: a column per attribute, and no cell that
a spreadsheet program would take for a formula.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

from shared.audience.cells import csv_lines, neutral
from shared.audience.importers.tidepost import RAW_COLUMNS
from shared.audience.model import Attribute, Subscriber
from shared.clock import to_iso

_BEFORE = ("id", "email", "status", "lists", "tags", "locale", "time_zone")
_AFTER = ("created_at", "updated_at")


class ExportFormat(StrEnum):
    """What an export may be."""

    CSV = "csv"
    JSONL = "jsonl"


def line_of(person: Subscriber) -> bytes:
    """A person as a JSON line."""
    return orjson.dumps(_document(person)) + b"\n"


def _document(person: Subscriber) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.address,
        "lists": dict(person.lists),
        "attributes": dict(person.attributes),
        "tags": list(person.tags),
        "locale": person.locale or None,
        "time_zone": person.time_zone or None,
        "suppressed": person.suppressed,
        "created_at": to_iso(person.created_at),
        "updated_at": to_iso(person.updated_at),
    }


class Rendering:
    """From JSON lines to the bytes of the file; each part of it can be made by itself.

    `columns` are the attributes of all people of the export. A packed part is
    a gzip member of its own, and members one after another are a gzip file
    (RFC 1952, 2.2). The same lines always give the same bytes.
    """

    def __init__(
        self, file_format: ExportFormat, *, raw: bool, packed: bool, columns: Sequence[str]
    ) -> None:
        self._format = file_format
        self._raw = raw
        self._packed = packed
        self._columns = columns

    def part(self, number: int, lines: bytes) -> bytes:
        """The part made of some lines; the first (0) begins with a CSV's header."""
        content = lines if self._format is ExportFormat.JSONL else self._csv(number, lines)
        return gzip.compress(content, mtime=0) if self._packed else content

    def _csv(self, number: int, lines: bytes) -> bytes:
        people = map(orjson.loads, lines.splitlines())
        header = RAW_COLUMNS if self._raw else (*_BEFORE, *self._columns, *_AFTER)
        rows: list[Sequence[object]] = [header] if number == 0 else []
        rows.extend(map(self._raw_cells if self._raw else self._cells, people))
        return csv_lines(rows)

    @staticmethod
    def _raw_cells(person: Mapping[str, Any]) -> list[str]:
        values = (person[name] for name in RAW_COLUMNS)
        return [
            value
            if isinstance(value, str)
            else ""
            if value is None
            else orjson.dumps(value).decode()
            for value in values
        ]

    def _cells(self, person: Mapping[str, Any]) -> list[object]:
        attributes: Mapping[str, Attribute] = person["attributes"]
        status = "suppressed" if person["suppressed"] else "active"
        lists = "; ".join(f"{list_id}={state}" for list_id, state in person["lists"].items())
        said = (
            person["id"], person["email"], status, lists, "; ".join(person["tags"]),
            person["locale"] or "", person["time_zone"] or "",
            *(_cell(attributes.get(name, "")) for name in self._columns),
            person["created_at"], person["updated_at"],
        )  # fmt: skip
        return [neutral(one) if isinstance(one, str) else one for one in said]


def _cell(value: Attribute) -> object:
    """Numbers stay numbers: `-5` is no formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(value) if isinstance(value, list) else value
