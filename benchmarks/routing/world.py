"""The made-up world that routing is judged in: what the providers are truly like, and fail.

Three providers and eight mailbox groups. How much of a cell's mail is delivered
drifts for hours, falls now and then, and depends on provider and group. A hard
outage refuses all posts (or lets them time out); a silent one accepts them, and
then they are blocked, or nothing is ever heard of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from shared.delivery.rates import Limits

PROVIDERS = ("sendgrid", "ses", "postmark")
WEIGHTS = {"sendgrid": 40, "ses": 40, "postmark": 20}
GROUPS = {
    "gmail": 0.38,
    "microsoft": 0.2,
    "yahoo": 0.12,
    "apple": 0.1,
    "gmx": 0.06,
    "proton": 0.02,
    "corporate": 0.08,
    "other": 0.04,
}
"""Share of the recipients."""

SLOW_GROUP = "corporate"
"""Its servers take their time: greylisting."""

CAPS = {"sendgrid": 0.6, "ses": 0.6, "postmark": 0.35}
"""Messages a second that a provider takes, as a share of the load; postmark has an hour too."""

_HOURLY_CAP = 0.3
_DRIFT_STEP_S = 300
_DRIFT_HOURS = 3.0
_DRIFT_DEVIATION = 0.5
_FALLS_PER_CELL_A_DAY = 0.8
_HARD_PER_PROVIDER_A_DAY = 3.0
_SILENT_A_DAY = 10.0
_UNHEARD = 0.02
"""Delivered messages whose event gets lost."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage in seconds from the start. `kind`: refused, timeout, blocked or silence."""

    kind: str
    provider: str
    groups: frozenset[str]
    start: float
    end: float

    @property
    def hard(self) -> bool:
        """Whether it shows at once."""
        return self.kind in {"refused", "timeout"}


class World:
    """One world by a seed, for `hours`, under a load of `per_minute` messages."""

    def __init__(self, seed: int, per_minute: int, hours: float) -> None:
        self.per_minute = per_minute
        self.seconds = hours * 3600
        rng = random.Random(f"world {seed}")  # noqa: S311  # a simulation
        self.outages = sorted(_outages(rng, self.seconds), key=lambda one: one.start)
        self._paths = _paths(rng, self.seconds)
        second = per_minute / 60
        self.limits = {name: Limits(per_second=CAPS[name] * second) for name in PROVIDERS}
        self.limits["postmark"] = Limits(
            CAPS["postmark"] * second, int(_HOURLY_CAP * per_minute * 60)
        )

    def refusing(self, provider: str, at: float) -> str:
        """The kind of a hard outage of the provider at that second, or nothing."""
        return next((o.kind for o in self._now(provider, at) if o.hard), "")

    def failing(self, provider: str, group: str, at: float) -> str:
        """The kind of a silent outage of the cell at that second, or nothing."""
        return next(
            (o.kind for o in self._now(provider, at) if not o.hard and group in o.groups), ""
        )

    def chance(self, provider: str, group: str, at: float) -> float:
        """That a message posted now is delivered; 0 in an outage."""
        if any(group in o.groups for o in self._now(provider, at)):
            return 0.0
        path = self._paths[provider, group]
        return path[min(int(at / _DRIFT_STEP_S), len(path) - 1)]

    def heard(
        self, provider: str, group: str, at: float, rng: random.Random
    ) -> tuple[bool, float] | None:
        """What is heard of an accepted message: good or not, and when; None for silence."""
        failing = self.failing(provider, group, at)
        if failing == "silence":
            return None
        good = not failing and rng.random() < self.chance(provider, group, at)
        if rng.random() < (_UNHEARD if good else 0 if failing else 0.3):
            return None
        median, spread = (15.0, 1.0) if group == SLOW_GROUP else (5.0, 0.9)
        return good, at + 2 + rng.lognormvariate(math.log(median), spread)

    def _now(self, provider: str, at: float) -> Iterator[Outage]:
        return (o for o in self.outages if o.provider == provider and o.start <= at < o.end)


def _outages(rng: random.Random, seconds: float) -> Iterator[Outage]:
    everywhere = frozenset(GROUPS)
    for provider in PROVIDERS:
        for start in _moments(rng, _HARD_PER_PROVIDER_A_DAY, seconds):
            kind = rng.choices(("refused", "timeout"), (3, 1))[0]
            yield Outage(kind, provider, everywhere, start, start + rng.uniform(300, 1800))
    for start in _moments(rng, _SILENT_A_DAY, seconds):
        groups = everywhere
        if rng.random() < 2 / 3:
            groups = frozenset(rng.choices(list(GROUPS), list(GROUPS.values())))
        kind = rng.choice(("blocked", "silence"))
        provider = rng.choice(PROVIDERS)
        yield Outage(kind, provider, groups, start, start + rng.uniform(1200, 5400))


def _moments(rng: random.Random, per_day: float, seconds: float) -> Iterator[float]:
    at = 1800 + rng.expovariate(per_day / 86400)
    while at < seconds - 600:
        yield at
        at += rng.expovariate(per_day / 86400)


def _paths(rng: random.Random, seconds: float) -> dict[tuple[str, str], list[float]]:
    """Each cell's share delivered, in steps: an Ornstein-Uhlenbeck path in the log odds."""
    steps = int(seconds / _DRIFT_STEP_S) + 1
    keep = math.exp(-_DRIFT_STEP_S / (_DRIFT_HOURS * 3600))
    noise = _DRIFT_DEVIATION * math.sqrt(1 - keep * keep)
    of_group = {group: rng.gauss(0, 0.4) for group in GROUPS}
    paths = {}
    for provider in PROVIDERS:
        of_provider = rng.gauss(2.6, 0.4)
        for group in GROUPS:
            level = of_provider + of_group[group] + rng.gauss(0, 0.6)
            falls = [
                (start, start + rng.uniform(3600, 14400), rng.uniform(1.0, 3.0))
                for start in _moments(rng, _FALLS_PER_CELL_A_DAY, seconds)
            ]
            drift, path = rng.gauss(0, _DRIFT_DEVIATION), []
            for step in range(steps):
                at = step * _DRIFT_STEP_S
                fall = sum(depth for start, end, depth in falls if start <= at < end)
                path.append(1 / (1 + math.exp(fall - level - drift)))
                drift = keep * drift + rng.gauss(0, noise)
            paths[provider, group] = path
    return paths
