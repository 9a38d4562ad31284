"""Every list call pages: the page, and cursors that cannot be read or bent by a caller."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from shared.errors import FieldProblem, InvalidInput

T = TypeVar("T")
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
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInput(BAD_CURSOR) from error
    if not isinstance(position, dict) or position.keys() != keys:
        raise InvalidInput(BAD_CURSOR)
    return position


def cut(items: Iterable[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """The first `limit` of `items`, which must be in the order of `key` and not begin before.

    The cursor, there if any item is left, holds the last item's key; `resume`
    reads it.
    """
    taken = tuple(islice(items, limit + 1))
    if len(taken) <= limit:
        return Page(taken)
    return Page(taken[:limit], encode_cursor({"after": key(taken[limit - 1])}))


def cut_matching(
    items: Iterable[T],
    limit: int,
    key: Callable[[T], str],
    *,
    matches: Callable[[T], bool],
    most: int,
) -> Page[T]:
    """As `cut`, of those items that match, looking at no more than `most` items.

    So a page may be short, or empty, and not be the last.
    """
    taken: list[T] = []
    last = ""
    for number, item in enumerate(items):
        if len(taken) == limit or number == most:
            return Page(tuple(taken), encode_cursor({"after": last}))
        if matches(item):
            taken.append(item)
        last = key(item)
    return Page(tuple(taken))


def resume(cursor: str | None) -> str | None:
    """The key after which the listing goes on; None at its beginning.

    Raises:
        InvalidInput: the cursor was not made by `cut`.
    """
    if cursor is None:
        return None
    after = decode_cursor(cursor, frozenset({"after"}))["after"]
    if not isinstance(after, str) or not after.isascii() or not 0 < len(after) <= _MAX_KEY:
        raise InvalidInput(BAD_CURSOR)
    return after


_MAX_KEY = 1024
"""DynamoDB's limit for a sort key, in bytes."""

BAD_CURSOR = FieldProblem("cursor", "is not one that this listing gave out; start again without it")
