"""Facts about addresses, in the suppressions table under the deployment instead of a workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute

from shared.audience.model import SuppressionReason
from shared.audience.suppressions.ports import EVERYWHERE, KnownAddress
from shared.clock import from_iso, to_iso
from shared.paging import Page, cut, cut_matching
from shared.storage.shards import key_of, keys_of, partition, shard_of, shards_from
from shared.storage.suppressions import MOST_LOOKED_AT
from shared.storage.tables import TidepostModel

_PAGE_SIZE = 1000


class KnownAddressItem(TidepostModel):
    """One address."""

    TABLE = "suppressions"

    reason = UnicodeAttribute()
    at = UnicodeAttribute()
    source = UnicodeAttribute()
    address = UnicodeAttribute(null=True)
    found = UnicodeSetAttribute(null=True)
    placed = UnicodeSetAttribute(null=True)


class ReadUntilItem(TidepostModel):
    """How far one provider's list has been read."""

    TABLE = "suppressions"

    at = UnicodeAttribute()


class DynamoKnownAddresses:
    """`KnownAddressStore`."""

    def get_many(self, ids: Sequence[str]) -> dict[str, KnownAddress]:
        """As the port says; not consistent, which halves the price."""
        found = KnownAddressItem.find_many_raw(keys_of(EVERYWHERE, ids), consistent=False)
        items = (KnownAddressItem.from_raw_data(dict(item)) for item in found)
        return {item.sk: _read(item) for item in items}

    def put(self, known: KnownAddress) -> None:
        """As the port says."""
        item = KnownAddressItem(
            partition(EVERYWHERE, shard_of(known.id)),
            known.id,
            reason=known.reason.value,
            at=to_iso(known.at),
            source=known.source,
            address=known.address or None,
            found=set(known.found) or None,
            placed=set(known.placed) or None,
        )
        # Whoever writes may have read it before an erasure forgot the address.
        has_one = KnownAddressItem.pk.does_not_exist() | KnownAddressItem.address.exists()
        if not item.put(has_one if known.address else None):
            item.address = None
            item.put()

    def remove(self, known_id: str) -> None:
        """As the port says."""
        if key := key_of(EVERYWHERE, known_id):
            KnownAddressItem(*key).discard()

    def page(
        self, *, limit: int, cursor: str | None = None, lacking: str = ""
    ) -> Page[KnownAddress]:
        """As the port says; consistent."""
        if not lacking:
            return cut(_all(cursor, limit + 1), limit, lambda known: known.id)
        return cut_matching(
            _all(cursor, _PAGE_SIZE),
            limit,
            lambda known: known.id,
            matches=lambda known: known.is_lacking(lacking),
            most=MOST_LOOKED_AT,
        )

    def read_until(self, provider: str) -> datetime | None:
        """As the port says; consistent."""
        item = ReadUntilItem.find(EVERYWHERE, f"read#{provider}")
        return from_iso(item.at) if item else None

    def set_read_until(self, provider: str, at: datetime) -> None:
        """As the port says."""
        ReadUntilItem(EVERYWHERE, f"read#{provider}", at=to_iso(at)).put()


def _all(cursor: str | None, page_size: int) -> Iterator[KnownAddress]:
    for shard, after in shards_from(cursor):
        where = KnownAddressItem.sk > after if after else None
        scope = partition(EVERYWHERE, shard)
        for item in KnownAddressItem.select(scope, where, page_size=page_size):
            yield _read(item)


def _read(item: KnownAddressItem) -> KnownAddress:
    return KnownAddress(
        id=item.sk,
        address=item.address or "",
        reason=SuppressionReason(item.reason),
        at=from_iso(item.at),
        source=item.source,
        found=frozenset(item.found or ()),
        placed=frozenset(item.placed or ()),
    )
