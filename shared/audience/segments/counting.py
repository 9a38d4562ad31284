"""How many people an audience has: exact if it is small, and else an honest estimate.

Ids are keyed hashes, spread evenly over the shards and within each. So the
first people in the order of ids are a random sample, and how far they reach
says what part of all it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.audience.ports import SHARDS
from shared.audience.segments.walking import Look
from shared.ids import ID_BYTES, to_bytes

SAMPLE = 4000
"""People that are looked at, at the most, before an estimate is made."""

SHOWN = 10

_Z = 1.96
"""Of a normal distribution, 95 % lie within this many standard deviations."""

_IDS_PER_BYTE: int = 256 ** (ID_BYTES - 1)
_BYTES_PER_SHARD = 256 // SHARDS


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; if not `exact`, 95 in 100 such estimates hold the truth in low..high.

    `looked_at` people were judged for it, and `examples` are ids of some who belong.
    """

    people: int
    exact: bool
    low: int
    high: int
    looked_at: int
    examples: tuple[str, ...] = ()


def count(
    looks: Iterable[Look], *, most: int = SAMPLE, in_time: Callable[[], bool] = lambda: True
) -> Count:
    """Counts those who belong among the first `most` looks, or until `in_time` says no.

    With m found in a part f of all ids, m / f are expected in all. The interval
    is the score interval of a Poisson mean: (m + z²/2 ± z·√(m + z²/4)) / f.
    """
    looked_at, found, examples = 0, 0, []
    for shard, subscriber, belongs in looks:
        looked_at += 1
        if belongs:
            found += 1
            if found <= SHOWN:
                examples.append(subscriber)
        if looked_at >= most or (looked_at % 100 == 0 and not in_time()):
            part = (shard + _place(subscriber)) / SHARDS
            middle, width = found + _Z**2 / 2, _Z * math.sqrt(found + _Z**2 / 4)
            return Count(
                people=round(found / part),
                exact=False,
                low=max(found, round((middle - width) / part)),
                high=math.ceil((middle + width) / part),
                looked_at=looked_at,
                examples=tuple(examples),
            )
    return Count(found, True, found, found, looked_at, tuple(examples))


def _place(subscriber: str) -> float:
    """How far into its shard an id is, above 0 and up to 1."""
    raw = to_bytes(subscriber)
    behind = raw[0] // SHARDS * _IDS_PER_BYTE + int.from_bytes(raw[1:], "big") + 1
    return behind / (_IDS_PER_BYTE * _BYTES_PER_SHARD)
