"""Counters in DynamoDB: each stream shard writes items of its own, readers sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path

from shared.analytics.model import CounterDelta, Engagement
from shared.clock import from_iso, to_iso
from shared.storage.engagements import place
from shared.storage.tables import TidepostModel

_SEQUENCE_DIGITS = 40
"""DynamoDB stream sequence numbers are decimal and have up to 40 digits."""

_COUNT_MARK = "|"
"""In every count's name and in no other attribute's."""


class CountItem(TidepostModel):
    """The counts of one campaign and stream shard.

    Each count is an attribute of its own, named `provider|group|type`, so that
    one update adds all of a batch and moves `seq` with them. `seq` is
    zero-padded: compared as text it is compared as a number.
    """

    TABLE = "counters"

    v = NumberAttribute(default=1)
    seq = UnicodeAttribute(null=True)
    counts: Mapping[str, int] = {}

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Takes the counts along, whose names no model can know."""
        item = super().from_raw_data(data)
        item.counts = {name: int(value["N"]) for name, value in data.items() if _COUNT_MARK in name}
        return item


class FirstItem(TidepostModel):
    """Which event was a person's first of its type."""

    TABLE = "counters"

    v = NumberAttribute(default=1)
    first = UnicodeAttribute()


class HeartbeatItem(TidepostModel):
    """When a provider's newest event was seen."""

    TABLE = "counters"

    v = NumberAttribute(default=1)
    seen = UnicodeAttribute()


class DynamoCounters:
    """`CounterStore`."""

    def applied_up_to(self, workspace: str, campaign: str, stream_shard: str) -> str:
        """As the port says; consistent."""
        item = CountItem.find(*_key(workspace, campaign, stream_shard))
        return str(int(item.seq)) if item and item.seq else ""

    def apply(self, delta: CounterDelta) -> bool:
        """As the port says, in one conditional update."""
        item = CountItem(*_key(delta.workspace, delta.campaign, delta.stream_shard))
        sequence = delta.sequence.zfill(_SEQUENCE_DIGITS)
        adds = [Path([name]).add(count) for name, count in delta.counts.items()]
        return item.change(
            [*adds, CountItem.seq.set(sequence), CountItem.v.set(1)],
            CountItem.seq.does_not_exist() | (CountItem.seq < sequence),
        )

    def totals(self, workspace: str, campaign: str) -> Mapping[str, int]:
        """As the port says; consistent."""
        total: Counter[str] = Counter()
        pk, sk = _key(workspace, campaign, "")
        for item in CountItem.select(pk, CountItem.sk.startswith(sk)):
            total.update(item.counts)
        return dict(total)

    def claim_firsts(self, engagements: Sequence[Engagement]) -> list[bool]:
        """As the port says: one batch of reads, and one of writes for what is new."""
        keys = [_claim(engagement) for engagement in engagements]
        holders = {
            (item.pk, item.sk): item.first for item in FirstItem.find_many(dict.fromkeys(keys))
        }
        new = {}
        for key, engagement in zip(keys, engagements, strict=True):
            if key not in holders:
                holders[key] = place(engagement)
                new[key] = FirstItem(*key, first=holders[key])
        FirstItem.put_many(new.values())
        return [
            holders[key] == place(engagement)
            for key, engagement in zip(keys, engagements, strict=True)
        ]

    def saw_events(self, provider: str, at: datetime) -> None:
        """As the port says; an older instant changes nothing."""
        item = HeartbeatItem(*_heartbeat(provider), seen=to_iso(at))
        item.put(HeartbeatItem.pk.does_not_exist() | (HeartbeatItem.seen < item.seen))

    def last_events(self, providers: Sequence[str]) -> Mapping[str, datetime]:
        """As the port says; consistent."""
        items = HeartbeatItem.find_many(_heartbeat(provider) for provider in providers)
        return {item.pk.partition("#")[2]: from_iso(item.seen) for item in items}


def _key(workspace: str, campaign: str, stream_shard: str) -> tuple[str, str]:
    return f"ws#{workspace}#{campaign}", f"events#{stream_shard}"


def _claim(engagement: Engagement) -> tuple[str, str]:
    ref = engagement.ref
    return (
        f"ws#{ref.workspace}#{ref.campaign}#first#{ref.chunk:010d}",
        f"{ref.index:05d}#{engagement.event.type.value}",
    )


def _heartbeat(provider: str) -> tuple[str, str]:
    return f"provider#{provider}", "events"
