"""The suppression list in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pynamodb.attributes import UnicodeAttribute

from shared.audience.model import GRAVEST_FIRST, Suppression, SuppressionReason
from shared.clock import from_iso, to_iso
from shared.paging import Page, cut_matching
from shared.storage.shards import key_of, keys_of, partition, shard_of, shards_from
from shared.storage.tables import TidepostModel

MOST_LOOKED_AT = 5000
"""Entries that one page looks at for a filter: some 200 read units."""

_PAGE_SIZE = 1000


class SuppressionItem(TidepostModel):
    """One entry."""

    TABLE = "suppressions"

    reason = UnicodeAttribute()
    at = UnicodeAttribute()
    source = UnicodeAttribute()
    address = UnicodeAttribute(null=True)


class DynamoSuppressions:
    """`SuppressionStore`."""

    def get(self, workspace: str, subscriber_id: str) -> Suppression | None:
        """As the port says."""
        key = key_of(workspace, subscriber_id)
        item = SuppressionItem.find(*key) if key else None
        return _read(workspace, item) if item else None

    def get_many(
        self, workspace: str, ids: Sequence[str], *, consistent: bool = True
    ) -> dict[str, Suppression]:
        """As the port says."""
        found = SuppressionItem.find_many_raw(keys_of(workspace, ids), consistent=consistent)
        items = [SuppressionItem.from_raw_data(dict(raw)) for raw in found]
        return {item.sk: _read(workspace, item) for item in items}

    def put(self, suppression: Suppression) -> None:
        """As the port says; an entry of the same reason is renewed."""
        gravity = GRAVEST_FIRST.index(suppression.reason)
        not_graver = [reason.value for reason in GRAVEST_FIRST[gravity:]]
        SuppressionItem(
            partition(suppression.workspace, shard_of(suppression.subscriber)),
            suppression.subscriber,
            reason=suppression.reason.value,
            at=to_iso(suppression.at),
            source=suppression.source,
            address=suppression.address or None,
        ).put(SuppressionItem.pk.does_not_exist() | SuppressionItem.reason.is_in(*not_graver))

    def remove(
        self, workspace: str, subscriber_id: str, *, only: SuppressionReason | None = None
    ) -> bool:
        """As the port says."""
        key = key_of(workspace, subscriber_id)
        if key is None:
            return True
        same = SuppressionItem.reason == only.value if only else None
        gone = SuppressionItem.pk.does_not_exist()
        return SuppressionItem(*key).discard(None if same is None else gone | same)

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        cursor: str | None = None,
        reason: SuppressionReason | None = None,
        source: str = "",
    ) -> Page[Suppression]:
        """As the port says; consistent."""
        filtered = reason is not None or bool(source)
        return cut_matching(
            _entries(workspace, cursor, _PAGE_SIZE if filtered else limit + 1),
            limit,
            lambda entry: entry.subscriber,
            matches=lambda entry: entry.is_of(reason, source),
            most=MOST_LOOKED_AT,
        )


def _entries(workspace: str, cursor: str | None, page_size: int) -> Iterator[Suppression]:
    for shard, after in shards_from(cursor):
        where = SuppressionItem.sk > after if after else None
        for item in SuppressionItem.select(partition(workspace, shard), where, page_size=page_size):
            yield _read(workspace, item)


def _read(workspace: str, item: SuppressionItem) -> Suppression:
    return Suppression(
        workspace=workspace,
        subscriber=item.sk,
        reason=SuppressionReason(item.reason),
        at=from_iso(item.at),
        source=item.source,
        address=item.address or "",
    )
