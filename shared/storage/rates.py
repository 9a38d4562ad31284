"""One token item per provider in DynamoDB, shared by dispatcher and warm-up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.delivery.rates import BucketState
from shared.errors import StaleWrite
from shared.storage.tables import VersionedModel


class TokenItem(VersionedModel):
    """All windows of a provider, its pace and its quota. Below 1 KB, which is one write unit."""

    TABLE = "rates"

    v = NumberAttribute(default=1)
    used = UnicodeAttribute(null=True)
    paced_until = NumberAttribute(null=True)
    """Microseconds since 1970: rounding it down would book the same time twice."""
    quota = NumberAttribute(null=True)


class DynamoRates:
    """`RateStore` and `QuotaStore`. Setting the quota makes a take that races with it stale."""

    def load(self, provider: str) -> BucketState:
        """As the port says."""
        item = TokenItem.find(_partition(provider), "tokens")
        if item is None:
            return BucketState()
        return BucketState(
            version=int(item.version),
            used=orjson.loads(item.used) if item.used else None,
            paced_until=_EPOCH + item.paced_until * _MICRO if item.paced_until else None,
            quota=item.attribute_values.get("quota"),
        )

    def save(self, provider: str, state: BucketState) -> None:
        """As the port says."""
        item = TokenItem(
            _partition(provider),
            "tokens",
            version=state.version + 1,
            used=None if state.used is None else orjson.dumps(dict(state.used)).decode(),
            paced_until=None
            if state.paced_until is None
            else (state.paced_until - _EPOCH) // _MICRO,
            quota=state.quota,
        )
        if state.version:
            item.put_over(state.version)
        elif not item.put(TokenItem.pk.does_not_exist()):
            raise StaleWrite(f"another worker took tokens of {provider} first: read them again")

    def sent_by_day(self, provider: str) -> Mapping[date, int]:
        """As the port says; consistent."""
        used = self.load(provider).used or {}
        return {date.fromisoformat(w[1:]): n for w, n in used.items() if w.startswith("d")}

    def set_quota(self, provider: str, quota: int | None) -> None:
        """As the port says. It raises the version, unless the quota is that already."""
        item = TokenItem(_partition(provider), "tokens")
        count = TokenItem.version.add(1)
        if quota is None:
            item.change([TokenItem.quota.remove(), count], TokenItem.quota.exists())
        else:
            other = TokenItem.quota.does_not_exist() | (TokenItem.quota != quota)
            item.change([TokenItem.quota.set(quota), TokenItem.v.set(1), count], other)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def _partition(provider: str) -> str:
    return f"provider#{provider}"
