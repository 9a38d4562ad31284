"""The suppression list in DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from shared.audience.model import Suppression, SuppressionReason
from shared.clock import from_iso, to_iso
from shared.storage.shards import key_of, keys_of, partition, shard_of
from shared.storage.tables import TidepostModel

GRAVEST_FIRST = (
    SuppressionReason.ERASURE,
    SuppressionReason.COMPLAINT,
    SuppressionReason.HARD_BOUNCE,
    SuppressionReason.MANUAL,
    SuppressionReason.UNSUBSCRIBED,
)


class SuppressionItem(TidepostModel):
    """One entry."""

    TABLE = "suppressions"

    reason = UnicodeAttribute()
    at = UnicodeAttribute()
    source = UnicodeAttribute()


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
        ).put(SuppressionItem.pk.does_not_exist() | SuppressionItem.reason.is_in(*not_graver))

    def remove(self, workspace: str, subscriber_id: str) -> None:
        """As the port says."""
        if key := key_of(workspace, subscriber_id):
            SuppressionItem(*key).discard()


def _read(workspace: str, item: SuppressionItem) -> Suppression:
    return Suppression(
        workspace=workspace,
        subscriber=item.sk,
        reason=SuppressionReason(item.reason),
        at=from_iso(item.at),
        source=item.source,
    )
