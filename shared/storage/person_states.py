"""What people did with their mail, in DynamoDB: an item each, beside the people's own.

They stand in partitions of the subscribers table with the same shards and in
the same order as the people, so that both are read side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute

from shared.clock import Clock, SystemClock
from shared.engagement import EngagementState, KeptState
from shared.errors import StaleWrite
from shared.retention import KeptFor, by_default
from shared.storage.shards import key_of, keys_of, partition
from shared.storage.tables import VersionedModel

_AT_ONCE = 8
"""Writes under way at the same time; a client has ten connections."""


class StateItem(VersionedModel):
    """One person's state, as `EngagementState.to_bytes` writes it, or the id it has moved to."""

    TABLE = "subscribers"

    facts = BinaryAttribute(legacy_encoding=False)
    moved_to = UnicodeAttribute(null=True)


class DynamoPersonStates:
    """`PersonStateStore`, and `EngagementReader` for segments."""

    def __init__(self, clock: Clock | None = None, kept: KeptFor = by_default) -> None:
        self._clock = clock or SystemClock()
        self._kept = kept

    def load(self, workspace: str, subscribers: Sequence[str]) -> dict[str, KeptState]:
        """As the port says."""
        items = StateItem.find_many(keys_of(_scope(workspace), subscribers))
        return {
            item.sk: KeptState(
                EngagementState.from_bytes(item.facts), int(item.version), item.moved_to or ""
            )
            for item in items
        }

    def save(self, workspace: str, states: Mapping[str, KeptState]) -> set[str]:
        """As the port says. BatchWriteItem knows no condition, so each is a call of its own."""
        expires = self._clock.now() + timedelta(days=self._kept(workspace).engagement_days)

        def write(pair: tuple[str, KeptState]) -> bool:
            subscriber, kept = pair
            key = key_of(_scope(workspace), subscriber)
            if key is None:
                return True
            item = StateItem(
                *key,
                facts=kept.state.to_bytes(),
                moved_to=kept.moved_to or None,
                version=kept.version + 1,
                ttl=expires,
            )
            if not kept.version:
                return item.put(StateItem.pk.does_not_exist())
            try:
                item.put_over(kept.version)
            except StaleWrite:
                return False
            return True

        with ThreadPoolExecutor(min(_AT_ONCE, len(states))) as pool:
            written = list(pool.map(write, states.items()))
        return {one for one, held in zip(states, written, strict=True) if not held}

    def forget(self, workspace: str, subscriber: str) -> None:
        """As the port says."""
        if key := key_of(_scope(workspace), subscriber):
            StateItem(*key).discard()

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """As the port says."""
        for item in StateItem.select_raw(partition(_scope(workspace), shard), after):
            yield item["sk"]["S"], item["facts"]["B"]

    def of(self, workspace: str, subscribers: Sequence[str]) -> dict[str, bytes]:
        """As the port says."""
        keys = keys_of(_scope(workspace), subscribers)
        found = StateItem.find_many_raw(keys, consistent=False)
        return {item["sk"]["S"]: item["facts"]["B"] for item in found}


def _scope(workspace: str) -> str:
    return f"{workspace}#engagement"
