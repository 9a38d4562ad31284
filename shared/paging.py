"""Every list call pages: the page, and cursors that cannot be read or bent by a caller."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.errors import FieldProblem, InvalidInput

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page of a listing. `cursor` is opaque; None means the end."""

    items: tuple[T_co, ...]
    cursor: str | None = None


def encode_cursor(position: dict[str, Any]) -> str:
    """A position (plain JSON) as opaque text for a URL."""
    text = json.dumps(position, sort_keys=True)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, keys: frozenset[str]) -> dict[str, Any]:
    """The position, which must have exactly `keys`.

    A store puts only values of its own key schema into a position and builds
    the partition from the caller's workspace, never from the cursor.

    Raises:
        InvalidInput: the cursor was not made by this listing.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        position = json.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(_BAD) from error
    if not isinstance(position, dict) or position.keys() != keys:
        raise InvalidInput(_BAD)
    return position


_BAD = FieldProblem("cursor", "is not one that this listing gave out; start again without it")
