"""Files that name their columns as we do: a person's own fields, and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.audience.fields import is_attribute_name
from shared.audience.model import RowRejection
from shared.audience.rows import FileFormat, Row, unreadable
from shared.audience.types import AttributeType, from_text
from shared.errors import FieldProblem, InvalidInput

ATTRIBUTE = "attributes."
OWN_FIELDS = ("email", "tags", "locale", "time_zone")
_JSON_FIELDS = {*OWN_FIELDS, "attributes"}


class Plain:
    """A column that is none of the person's own fields is an attribute."""

    def __init__(self, file_format: FileFormat, types: Mapping[str, AttributeType]) -> None:
        self._cells = file_format is FileFormat.CSV
        self._types = types

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Names in lower case, `First Name` and `first-name` as `first_name`."""
        names = [name.lower().replace(" ", "_").replace("-", "_") for name in header]
        if "email" not in names:
            raise unreadable(f"has no column named email{_hint(names)}")
        problems = []
        for column, name in enumerate(names, start=1):
            if not is_attribute_name(name):
                reason = f"column {column} must be named with 1 to 64 of a-z, 0-9 and _"
                problems.append(FieldProblem("body", reason))
            elif name in names[: column - 1]:
                problems.append(FieldProblem("body", f"column {column} is named as one before it"))
        if problems:
            raise InvalidInput(problems)
        return [name if name in OWN_FIELDS else ATTRIBUTE + name for name in names]

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """A CSV's cells by their keys, or a JSON object with `attributes` in it."""
        if self._cells:
            return row_of_cells(number, record, self._types)
        if not record.keys() <= _JSON_FIELDS:
            reason = "has an unknown field; what is one's own belongs in attributes"
            return RowRejection(number, "row", reason)
        return Row(number, **{"email": None, **record})


def row_of_cells(number: int, cells: Mapping[str, Any], types: Mapping[str, AttributeType]) -> Row:
    """Texts under own fields and `attributes.<name>`; those of declared attributes are read."""
    attributes = {}
    for key, cell in cells.items():
        if key.startswith(ATTRIBUTE):
            name = key[len(ATTRIBUTE) :]
            declared = types.get(name) if types else None
            attributes[name] = from_text(cell, declared) if isinstance(cell, str) else cell
    return Row(
        number,
        cells.get("email", ""),
        attributes,
        split_tags(cells.get("tags")),
        cells.get("locale"),
        cells.get("time_zone"),
    )


def split_tags(cell: object, separator: str = ";") -> object:
    """The tags of one cell; what is no text stays as it is."""
    if not isinstance(cell, str):
        return cell
    return [tag for tag in map(str.strip, cell.split(separator)) if tag]


def _hint(names: Sequence[str]) -> str:
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        return "; separate the columns by commas"
    if any("@" in name for name in names):
        return "; the first row must be a header that names the columns"
    return ""
