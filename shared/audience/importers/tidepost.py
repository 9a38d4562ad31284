"""Our own exports: JSON lines, and CSV in raw mode, where cells that are no text are JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.audience.model import RowRejection, SuppressionReason
from shared.audience.rows import FileFormat, Row, unreadable

RAW_COLUMNS = ("email", "lists", "attributes", "tags", "locale", "time_zone", "suppressed")
"""What is imported; of an export's other columns (`id` and times) nothing is."""

_JSON_CELLS = ("lists", "attributes", "tags")


class Tidepost:
    """Brings back what an export wrote, the states on lists and suppressions too."""

    def __init__(self, file_format: FileFormat) -> None:
        self._cells = file_format is FileFormat.CSV

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Raises InvalidInput for a CSV that was not exported in raw mode."""
        missing = [name for name in ("email", "attributes") if name not in header]
        if missing:
            reason = f"has no column {missing[0]}: export it in raw mode, or import it as plain"
            raise unreadable(reason)
        return [name if name in RAW_COLUMNS else "" for name in header]

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """One person. Lists are joined by this row alone, beside those the import names."""
        content = dict(record)
        if self._cells:
            for name in _JSON_CELLS:
                try:
                    content[name] = orjson.loads(content.get(name, "null"))
                except orjson.JSONDecodeError:
                    return RowRejection(number, name, "is not the JSON of a raw export")
        lists = content.get("lists") or {}
        if not isinstance(lists, dict):
            return RowRejection(number, "lists", "must be an object of list id to state")
        reason = content.get("suppressed") or None
        if reason is not None and reason not in set(SuppressionReason):
            return RowRejection(number, "suppressed", "is none of the reasons there are")
        return Row(
            number,
            content.get("email"),
            content.get("attributes"),
            content.get("tags"),
            content.get("locale"),
            content.get("time_zone"),
            lists=lists,
            suppressed=SuppressionReason(reason) if reason else None,
        )
