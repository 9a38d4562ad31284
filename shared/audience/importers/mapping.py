"""Files whose columns are not named as ours: the caller says which is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.audience.fields import is_attribute_name
from shared.audience.importers.plain import ATTRIBUTE, OWN_FIELDS, row_of_cells
from shared.audience.model import RowRejection
from shared.audience.rows import Row, unreadable
from shared.audience.types import AttributeType
from shared.errors import FieldProblem

MAX_COLUMNS = 200
_MAX_NAME = 300


class Mapped:
    """`mapping` is column to target: `email`, `tags`, `locale`, `time_zone`, `attributes.<name>`.

    What it does not name is left out. In JSON a column is a path with dots,
    e.g. `profile.first name`.
    """

    def __init__(self, mapping: Mapping[str, str], types: Mapping[str, AttributeType]) -> None:
        self._mapping = mapping
        self._targets = frozenset(mapping.values())
        self._types = types

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """The targets of a header. Raises InvalidInput if a column that is mapped is missing."""
        missing = [name for name in self._mapping if name not in header]
        if missing:
            named = ", ".join(repr(name) for name in missing[:3])
            raise unreadable(f"has no column {named}, which the mapping names")
        twice = [name for name in self._mapping if list(header).count(name) > 1]
        if twice:
            raise unreadable(f"has more than one column {twice[0]!r}, which the mapping names")
        return [self._mapping.get(name, "") for name in header]

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """A CSV's cells by target, or a JSON object by the paths of the mapping."""
        if record.keys() <= self._targets:
            return row_of_cells(number, record, self._types)
        found = {target: _dig(record, path) for path, target in self._mapping.items()}
        said = {target: value for target, value in found.items() if value is not None}
        return row_of_cells(number, said, self._types)


def mapping_problems(mapping: Mapping[str, str]) -> list[FieldProblem]:
    """What is wrong with a mapping, before a file is seen; none for an empty one."""
    if not mapping:
        return []
    problems = []
    if len(mapping) > MAX_COLUMNS:
        problems.append(FieldProblem("mapping", f"names more than {MAX_COLUMNS} columns"))
    targets = list(mapping.values())
    if targets.count("email") != 1:
        problems.append(FieldProblem("mapping", "must map exactly one column to email"))
    for column, target in mapping.items():
        place = f"mapping.{column[:_MAX_NAME]}"
        name = target.removeprefix(ATTRIBUTE)
        if target not in OWN_FIELDS and (name == target or not is_attribute_name(name)):
            own = ", ".join(OWN_FIELDS)
            reason = f"must be one of {own}, or attributes. and 1 to 64 of a-z, 0-9 and _"
            problems.append(FieldProblem(place, reason))
        elif target != "email" and targets.count(target) > 1:
            problems.append(FieldProblem(place, f"is not the only column mapped to {target}"))
    return problems


def _dig(record: Mapping[str, Any], path: str) -> Any:
    """The value at a path with dots; a key that has dots in itself is found as it is."""
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    inner = record.get(head)
    return _dig(inner, rest) if rest and isinstance(inner, Mapping) else None
