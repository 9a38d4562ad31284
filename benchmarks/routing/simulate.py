"""One world, three policies: how much each delivers, and how fast outages are left behind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.routing.policies import TICK_S, Oracle, Production, Sent, Static, arrivals
from benchmarks.routing.world import GROUPS, Outage, World

LEFT_SHARE = 0.1
"""Of the mail that a cell had before: less than that, for a minute, and it has been left."""

_BEFORE_S, _AFTER_S = 300.0, 60.0
_IN_USE = {"whole": 0.1, "cell": 0.2}
"""Share of the mail (of all, or of the group's) that an outage must hit to count as one."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one world showed. Delivered counts are expectations, so that luck does not count."""

    seed: int
    static: float
    oracle: float
    production: float
    hard_failover_s: tuple[float, ...]
    silent_failover_s: tuple[float, ...]
    most_in_doubt: int
    cap_violations: int
    health_writes: int
    ticks: int

    @property
    def gain(self) -> float:
        """Share of what an oracle delivers more than static weights."""
        return (self.production - self.static) / (self.oracle - self.static)


def simulate(seed: int, per_minute: int, hours: float) -> Run:
    """Runs all three policies through the world of that seed."""
    world = World(seed, per_minute, hours)
    static, oracle, production = Static(world, seed), Oracle(world, seed), Production(world, seed)
    delivered = {"static": 0.0, "oracle": 0.0, "production": 0.0}
    log: list[Sent] = []
    for at, arrived in arrivals(world, seed):
        for name, policy in (("static", static), ("oracle", oracle), ("production", production)):
            sent = policy.tick(at, arrived)
            delivered[name] += sum(
                count * world.chance(*cell, at) for cell, count in sent.accepted.items()
            )
            if name == "production":
                log.append(sent)
    return Run(
        seed=seed,
        **delivered,
        hard_failover_s=tuple(_hard(world, log)),
        silent_failover_s=tuple(_silent(world, log)),
        most_in_doubt=_most_in_doubt(world, production),
        cap_violations=static.buckets.violations + production.buckets.violations,
        health_writes=production.store.writes,
        ticks=len(log),
    )


def _hard(world: World, log: Sequence[Sent]) -> list[float]:
    """From the outage, or the first mail in it, to the end of the last tick that tried it."""
    found = []
    for outage in world.outages:
        if not outage.hard:
            continue
        first, beyond = math.ceil(outage.start / TICK_S), math.ceil(outage.end / TICK_S)
        tried = [
            t
            for t in range(first, min(beyond, len(log)))
            if any(p == outage.provider for p, _ in log[t].ordinary)
        ]
        if tried:
            began = outage.start if tried[0] == first else tried[0] * TICK_S
            found.append(tried[-1] * TICK_S - began)
    return found


def _silent(world: World, log: Sequence[Sent]) -> list[float]:
    found = []
    for outage in world.outages:
        if outage.hard or world.refusing(outage.provider, outage.start):
            continue
        if any(o is not outage and _overlap(o, outage) for o in world.outages):
            continue
        cells = {(outage.provider, group) for group in outage.groups}
        first = math.ceil(outage.start / TICK_S)
        before = log[first - int(_BEFORE_S / TICK_S) : first]
        usual = sum(_of(sent, cells) for sent in before)
        all_mail = sum(
            n for sent in before for (_, g), n in sent.accepted.items() if g in outage.groups
        )
        whole = len(outage.groups) == len(GROUPS)
        if usual < _IN_USE["whole" if whole else "cell"] * all_mail or not usual:
            continue
        limit = LEFT_SHARE * usual * _AFTER_S / _BEFORE_S
        window = int(_AFTER_S / TICK_S)
        beyond = min(math.ceil(outage.end / TICK_S), len(log))
        left_at = next(
            (
                t
                for t in range(first, beyond)
                if sum(_of(sent, cells) for sent in log[t : t + window]) <= limit
            ),
            beyond,
        )
        found.append(left_at * TICK_S - outage.start)
    return found


def _overlap(one: Outage, other: Outage) -> bool:
    """Whether the older of the two hides when the newer began."""
    return (
        one.provider == other.provider
        and one.start <= other.start < one.end + _BEFORE_S
        and not one.groups.isdisjoint(other.groups)
    )


def _of(sent: Sent, cells: set[tuple[str, str]]) -> int:
    return sum(n for cell, n in sent.ordinary.items() if cell in cells)


def _most_in_doubt(world: World, production: Production) -> int:
    counts: Counter[int] = Counter()
    for at, provider in production.doubts:
        for number, outage in enumerate(world.outages):
            if outage.provider == provider and outage.hard and outage.start <= at < outage.end:
                counts[number] += 1
    return max(counts.values(), default=0)
