"""How a workspace's people, and each list's members, are spread over partitions."""

from __future__ import annotations

from collections.abc import Iterable

from shared.audience.ports import SHARDS
from shared.errors import ForgedToken, InvalidInput
from shared.ids import SUBSCRIBER, is_id, to_bytes
from shared.paging import BAD_CURSOR, resume


def shard_of(subscriber_id: str) -> int:
    """The first of the id's twelve bytes modulo `SHARDS`.

    Raises:
        ForgedToken: the text is not an id.
    """
    return to_bytes(subscriber_id)[0] % SHARDS


def partition(scope: str, shard: int) -> str:
    """A partition's key. `scope` is `<workspace>` or `<workspace>#<list id>`."""
    return f"ws#{scope}#{shard:02d}"


def key_of(scope: str, subscriber_id: str) -> tuple[str, str] | None:
    """A person's `(pk, sk)`; None for a text that is no id, which nothing can be kept under."""
    try:
        return partition(scope, shard_of(subscriber_id)), subscriber_id
    except ForgedToken:
        return None


def keys_of(scope: str, subscriber_ids: Iterable[str]) -> list[tuple[str, str]]:
    """The keys of those texts that are ids."""
    return [key for one in subscriber_ids if (key := key_of(scope, one))]


def shards_from(cursor: str | None) -> list[tuple[int, str | None]]:
    """What is left of a listing by shard and id: each shard with the id to begin after.

    Raises:
        InvalidInput: the cursor was not made by such a listing.
    """
    after = resume(cursor)
    if after is None:
        return [(shard, None) for shard in range(SHARDS)]
    if not is_id(SUBSCRIBER, after):
        raise InvalidInput(BAD_CURSOR)
    first = shard_of(after)
    return [(first, after), *((shard, None) for shard in range(first + 1, SHARDS))]
