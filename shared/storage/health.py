"""What routing has learned, in DynamoDB: one versioned item, and one item for every ten seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path

from shared.clock import from_iso, from_millis, to_iso
from shared.delivery.breaker import Breaker, BreakerState
from shared.delivery.health import SLOT_S, Count, Counts, Health, Heard
from shared.delivery.learning import Evidence
from shared.delivery.quarantine import Watch
from shared.errors import StaleWrite
from shared.storage.tables import TidepostModel, VersionedModel

KEPT_FOR = timedelta(hours=2)
"""Slots are read for minutes; beyond that they are only of use to somebody who investigates."""

_PARTITION = "deployment"
_COUNT_MARK = "|"
"""In every count's name and in no other attribute's."""


class HealthItem(VersionedModel):
    """The folded value. About 1.3 KB with three providers and seven mailbox groups."""

    TABLE = "rates"

    v = NumberAttribute(default=1)
    folded = NumberAttribute(default=0)
    breakers = UnicodeAttribute()
    watches = UnicodeAttribute()
    evidence = UnicodeAttribute()


class SlotItem(TidepostModel):
    """The counts of one slot; each is an attribute named `provider|group|letter`. Below 1 KB."""

    TABLE = "rates"

    v = NumberAttribute(default=1)
    counts: Mapping[Count, int] = {}

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Takes the counts along, whose names no model can know."""
        item = super().from_raw_data(data)
        item.counts = {
            _count(name): int(value["N"]) for name, value in data.items() if _COUNT_MARK in name
        }
        return item


class DynamoHealth:
    """`HealthStore`."""

    def load(self) -> Health:
        """As the port says."""
        item = HealthItem.find(_PARTITION, "health")
        if item is None:
            return Health()
        landmark, counts = orjson.loads(item.evidence)
        return Health(
            version=int(item.version),
            folded=int(item.folded),
            breakers={p: _breaker(row) for p, row in orjson.loads(item.breakers).items()},
            watches={_cell(k): Watch(*row) for k, row in orjson.loads(item.watches).items()},
            evidence=Evidence(landmark, {_cell(k): tuple(row) for k, row in counts.items()}),
        )

    def save(self, health: Health) -> Health:
        """As the port says."""
        evidence = {
            _COUNT_MARK.join(cell): [_short(good), _short(bad)]
            for cell, (good, bad) in health.evidence.counts.items()
        }
        watches = {
            _COUNT_MARK.join(cell): [round(watch.score, 3), watch.until]
            for cell, watch in health.watches.items()
            if watch != Watch()
        }
        item = HealthItem(
            _PARTITION,
            "health",
            version=health.version + 1,
            folded=health.folded,
            breakers=_text({p: _row(b) for p, b in health.breakers.items() if b != Breaker()}),
            watches=_text(watches),
            evidence=_text([health.evidence.landmark, evidence]),
        )
        if health.version:
            item.put_over(health.version)
        elif not item.put(HealthItem.pk.does_not_exist()):
            raise StaleWrite("another worker saved the providers' health first: read it again")
        return self.load()

    def slots(self, first: int, last: int) -> Mapping[int, Counts]:
        """As the port says, in one query."""
        where = SlotItem.sk.between(_slot(first), _slot(last))
        return {
            int(item.sk.partition("#")[2]): item.counts
            for item in SlotItem.select(_PARTITION, where)
        }

    def add(self, slots: Mapping[int, Counts]) -> None:
        """As the port says, in one update a slot."""
        for slot, counts in slots.items():
            adds = [Path([_COUNT_MARK.join(name)]).add(n) for name, n in counts.items() if n]
            if adds:
                expires = from_millis(slot * SLOT_S * 1000) + KEPT_FOR
                fixed = [SlotItem.v.set(1), SlotItem.ttl.set(expires)]
                SlotItem(_PARTITION, _slot(slot)).change([*adds, *fixed])


def _slot(slot: int) -> str:
    return f"slot#{slot:012d}"


def _count(name: str) -> Count:
    provider, group, letter = name.split(_COUNT_MARK)
    return provider, group, Heard(letter)


def _cell(name: str) -> tuple[str, str]:
    provider, _, group = name.partition(_COUNT_MARK)
    return provider, group


def _short(number: float) -> float:
    """Six digits are more than a score can use, and keep the item small."""
    return float(f"{number:.6g}")


def _row(breaker: Breaker) -> list[object]:
    retry_at = to_iso(breaker.retry_at) if breaker.retry_at else None
    return [breaker.state, breaker.failures, retry_at, breaker.in_doubt, breaker.because]


def _breaker(row: list[Any]) -> Breaker:
    state, failures, retry_at, in_doubt, because = row
    at: datetime | None = from_iso(retry_at) if retry_at else None
    return Breaker(BreakerState(state), failures, at, in_doubt, because)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
