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
    express_until = NumberAttribute(null=True)
    taken_at = NumberAttribute(null=True)
    groups = UnicodeAttribute(null=True)


class DynamoRates:
    """`RateStore` and `QuotaStore`. Setting the quota makes a take that races with it stale."""

    def load(self, bucket: str) -> BucketState:
        """As the port says."""
        item = TokenItem.find(_partition(bucket), "tokens")
        if item is None:
            return BucketState()
        return BucketState(
            version=int(item.version),
            used=orjson.loads(item.used) if item.used else None,
            paced_until=_instant(item.paced_until),
            quota=item.attribute_values.get("quota"),
            express_until=_instant(item.express_until),
            taken_at=_instant(item.taken_at),
            groups=orjson.loads(item.groups) if item.groups else {},
        )

    def save(self, bucket: str, state: BucketState) -> None:
        """As the port says."""
        item = TokenItem(
            _partition(bucket),
            "tokens",
            version=state.version + 1,
            used=None if state.used is None else orjson.dumps(dict(state.used)).decode(),
            paced_until=_micros(state.paced_until),
            quota=state.quota,
            express_until=_micros(state.express_until),
            taken_at=_micros(state.taken_at),
            groups=orjson.dumps(dict(state.groups)).decode() if state.groups else None,
            ttl=_expiry(bucket, state),
        )
        if state.version:
            item.put_over(state.version)
        elif not item.put(TokenItem.pk.does_not_exist()):
            raise StaleWrite(f"another worker took tokens of {bucket} first: read them again")

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


_KEPT_FOR = timedelta(days=7)
"""A campaign's bucket, after its newest slice: the slice before says nothing of the next."""


def _partition(bucket: str) -> str:
    return bucket if "#" in bucket else f"provider#{bucket}"


def _expiry(bucket: str, state: BucketState) -> datetime | None:
    if "#" not in bucket or not state.used:
        return None
    return datetime.fromisoformat(f"{max(state.used)[1:]}+00:00") + _KEPT_FOR


def _instant(micros: float | None) -> datetime | None:
    return _EPOCH + micros * _MICRO if micros else None


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICRO
