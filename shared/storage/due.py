"""Due items in DynamoDB: an index by time over chunks that must wait."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from pynamodb.attributes import NumberAttribute

from shared.clock import from_iso, to_iso
from shared.delivery.model import ChunkKey, DueItem
from shared.storage.tables import TidepostModel

SHARDS = 4
"""Partitions over which due items are spread, so that none is hot."""

KEPT_FOR = timedelta(days=30)
"""After its time; an item that nobody took for so long is of no use."""


class DueEntry(TidepostModel):
    """One due item. All it says is in its key."""

    TABLE = "due"

    v = NumberAttribute(default=1)


class DynamoDue:
    """`DueStore`. Instants are kept to the millisecond."""

    def add(self, items: Iterable[DueItem]) -> None:
        """As the port says."""
        DueEntry.put_many(_entry(item) for item in items)

    def due(self, now: datetime, *, limit: int) -> list[DueItem]:
        """As the port says: one read per shard, together oldest first. Consistent."""
        # "$" comes right after "#": all sort keys of that very instant are included.
        until = DueEntry.sk < f"{to_iso(now)}$"
        shards = [
            DueEntry.select(f"due#{shard}", until, limit=limit, page_size=limit)
            for shard in range(SHARDS)
        ]
        oldest = heapq.merge(*shards, key=lambda entry: entry.sk)
        return [_read(entry.sk) for entry in islice(oldest, limit)]

    def remove(self, item: DueItem) -> None:
        """As the port says."""
        _entry(item).discard()


def _entry(item: DueItem) -> DueEntry:
    key = f"{item.key.workspace}#{item.key.campaign}#{item.key.chunk:010d}"
    shard = zlib.crc32(key.encode()) % SHARDS
    return DueEntry(f"due#{shard}", f"{to_iso(item.at)}#{key}", ttl=item.at + KEPT_FOR)


def _read(sk: str) -> DueItem:
    at, workspace, campaign, chunk = sk.split("#")
    return DueItem(from_iso(at), ChunkKey(workspace, campaign, int(chunk)))
