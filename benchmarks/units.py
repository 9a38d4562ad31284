"""What DynamoDB bills, computed from item sizes: emulators guess, and guess flatly.

Source: "Read consistency, capacity units and item sizes" in the DynamoDB
developer guide. An item's size is that of its attribute names and values; a
write unit is 1 KB of the larger of the item before and after, a strongly
consistent read unit 4 KB.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
TRANSACTION_FACTOR = 2

Item = Mapping[str, Mapping[str, Any]]
"""As on the wire: attribute name to `{type: value}`; bytes may be plain or in base64."""


def item_size(item: Item) -> int:
    """Bytes: every name in UTF-8, and every value by the rule of its type."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Mapping[str, Any]) -> int:
    """Bytes of one value as on the wire.

    A number has one byte for two significant digits and one more, one more
    again if it is negative; lists and maps have 3 bytes and one an element.

    Raises:
        ValueError: DynamoDB has no such type.
    """
    ((kind, raw),) = value.items()
    if kind not in _SIZES:
        raise ValueError(f"DynamoDB has no type {kind!r}")
    return _SIZES[kind](raw)


def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


_SIZES: Mapping[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": _number_size,
    "B": lambda raw: len(raw if isinstance(raw, bytes) else base64.b64decode(raw)),
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "L": lambda values: 3 + sum(1 + value_size(one) for one in values),
    "M": lambda item: 3 + len(item) + item_size(item),
    "SS": lambda values: sum(len(one.encode()) for one in values),
    "NS": lambda values: sum(map(_number_size, values)),
    "BS": lambda values: sum(value_size({"B": one}) for one in values),
}


def write_units(before: Item | None, after: Item | None) -> int:
    """Of one write to a table: the larger of both sizes; at least one, even if it was refused."""
    largest = max((item_size(item) for item in (before, after) if item), default=0)
    return max(1, -(-largest // WRITE_UNIT_BYTES))


def index_units(before: Item | None, after: Item | None, keys: Sequence[str]) -> int:
    """Of the same write to an index; both items as projected, `keys` are the index's own.

    An item without one of the keys is not in the index. An entry that does not
    change costs nothing, one that moves costs a deletion and a put.
    """
    old = before if before and all(key in before for key in keys) else None
    new = after if after and all(key in after for key in keys) else None
    if old == new:
        return 0
    if old and new and any(old[key] != new[key] for key in keys):
        return write_units(old, None) + write_units(None, new)
    return write_units(old, new)


def read_units(size: int, *, consistent: bool) -> float:
    """Of reading `size` bytes: an item, or all that a query went through; at least one read."""
    units = max(1, -(-size // READ_UNIT_BYTES))
    return float(units) if consistent else units / 2
