"""What was learned of each provider at each mailbox group: forward-decayed counts. Pure.

A message counts as good once it was delivered, and as bad if it was blocked,
deferred or bounced, or if nothing was heard of it. Evidence is worth half
after an hour. The counts are kept relative to a landmark: adding is a plain
addition, so deltas may come in any order, and only the reader decays (Cormode
et al., "Forward decay", ICDE 2009). The landmark moves before the numbers grow
large.

Scores are draws of discounted Thompson sampling (Raj and Kalyani, 2017): each
cell's beta posterior has the provider's mean as its prior. A rule's weights
tilt the draw: with nothing known, providers are chosen in proportion to their
weights, and with much evidence by what they deliver.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

Cell = tuple[str, str]
"""Provider and mailbox group."""

HALF_LIFE_S = 3600.0
STRENGTH = 10.0
"""Messages' worth of the provider's mean in the prior of each of its cells (measured)."""

PRIOR_MEAN = 0.9
"""Share delivered of a provider of which nothing is known."""

BOLDNESS = 0.35
"""How much of the posterior's deviation a draw uses. Less than Thompson's 1 explores less, which
delivers more where a cell sees few messages before its world has changed (tuned)."""

EXPLORED_SHARE = 0.01
"""Of the recipients: they go by weight, whatever was learned."""

_LANDMARK_MOVES_S = 24 * HALF_LIFE_S
_NEGLIGIBLE = 1e-3
_LEAST_PRIOR = 0.02
_inverse: Callable[[float], float] = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class Evidence:
    """Good and bad counts of each cell, as they weigh at `landmark` (unix seconds)."""

    landmark: float = 0.0
    counts: Mapping[Cell, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def at(cls, moment: float, counts: Mapping[Cell, tuple[float, float]]) -> Evidence:
        """What was heard of messages posted at `moment`, each counting one there and then."""
        return cls(moment, counts)

    def plus(self, other: Evidence) -> Evidence:
        """Both together; the order in which evidence is added does not matter.

        The sum keeps this landmark, unless the other's lies so far ahead that
        its counts would grow large.
        """
        if not self.counts:
            return other
        ahead = other.landmark - self.landmark
        landmark = other.landmark if ahead > _LANDMARK_MOVES_S else self.landmark
        total = dict(self._seen_from(landmark))
        for cell, (good, bad) in other._seen_from(landmark).items():
            old_good, old_bad = total.get(cell, (0.0, 0.0))
            total[cell] = old_good + good, old_bad + bad
        return Evidence(landmark, total)

    def now(self, cell: Cell, moment: float) -> tuple[float, float]:
        """Good and bad of a cell as they weigh at `moment`; never below zero."""
        good, bad = self.counts.get(cell, (0.0, 0.0))
        factor = _decay(self.landmark, moment)
        return max(0.0, good * factor), max(0.0, bad * factor)

    def _seen_from(self, landmark: float) -> Mapping[Cell, tuple[float, float]]:
        if landmark == self.landmark:
            return self.counts
        factor = _decay(self.landmark, landmark)
        moved = {cell: (g * factor, b * factor) for cell, (g, b) in self.counts.items()}
        return {
            cell: pair
            for cell, pair in moved.items()
            if factor >= 1 or abs(pair[0]) + abs(pair[1]) > _NEGLIGIBLE
        }


@dataclass(frozen=True, slots=True)
class Belief:
    """The posterior of one cell: mean and deviation of the share delivered.

    `seen` is the evidence of the cell itself, in messages.
    """

    mean: float
    deviation: float
    seen: float


@dataclass(slots=True)
class _Tally:
    good: float = 0.0
    bad: float = 0.0

    def add(self, pair: tuple[float, float]) -> None:
        self.good += pair[0]
        self.bad += pair[1]

    def mean(self, prior: float) -> float:
        return (self.good + STRENGTH * prior) / (self.good + self.bad + STRENGTH)


class Beliefs:
    """Every cell's belief at one instant. Worked out once for a chunk."""

    def __init__(self, evidence: Evidence, moment: float) -> None:
        factor = _decay(evidence.landmark, moment)
        self._cells = {
            cell: (max(0.0, good * factor), max(0.0, bad * factor))
            for cell, (good, bad) in evidence.counts.items()
        }
        every = _Tally()
        providers: defaultdict[str, _Tally] = defaultdict(_Tally)
        groups: defaultdict[str, _Tally] = defaultdict(_Tally)
        for (provider, group), pair in self._cells.items():
            for tally in (every, providers[provider], groups[group]):
                tally.add(pair)
        self._seen = {provider: tally.good + tally.bad for provider, tally in providers.items()}
        self._means = {p: tally.mean(PRIOR_MEAN) for p, tally in providers.items()}
        overall = every.mean(PRIOR_MEAN)
        self._shifts = {g: tally.mean(overall) - overall for g, tally in groups.items()}

    def of(self, provider: str, group: str) -> Belief:
        """Of one cell, shrunk to the provider's mean, moved by how the group differs from all."""
        good, bad = self._cells.get((provider, group), (0.0, 0.0))
        prior = self.mean_of(provider) + self._shifts.get(group, 0.0)
        prior = min(max(prior, _LEAST_PRIOR), 1 - _LEAST_PRIOR)
        a, b = good + STRENGTH * prior, bad + STRENGTH * (1 - prior)
        total = a + b
        deviation = math.sqrt(a * b / (total * total * (total + 1)))
        return Belief(a / total, deviation, good + bad)

    def mean_of(self, provider: str) -> float:
        """Of a provider over all its groups."""
        return self._means.get(provider, PRIOR_MEAN)

    def seen_of(self, provider: str) -> float:
        """The evidence of a provider over all its groups, in messages."""
        return self._seen.get(provider, 0.0)


def draw(
    beliefs: Mapping[str, Belief], weights: Mapping[str, float], rng: random.Random
) -> dict[str, float]:
    """A score for each provider: one Thompson draw, tilted by the weights (above zero).

    A uniform number to the power of 1/weight is the largest of all with a
    chance proportional to its weight (Efraimidis and Spirakis, 2006); it picks
    the quantile of the posterior, taken as normal. With equal beliefs the
    chances are thus those of the weights; with equal weights it is a plain draw.
    """
    scale = len(weights) / sum(weights.values())
    return {
        name: belief.mean
        + BOLDNESS
        * belief.deviation
        * _inverse(_inside(rng.random() ** (1 / (weights[name] * scale))))
        for name, belief in beliefs.items()
    }


def anything_learned(beliefs: Iterable[Belief]) -> bool:
    """Whether anything was learned at all that a choice among these could rest on."""
    return any(belief.seen >= 1 for belief in beliefs)


def _inside(quantile: float) -> float:
    return min(max(quantile, 1e-9), 1 - 1e-9)


def _decay(landmark: float, moment: float) -> float:
    exponent = (landmark - moment) / HALF_LIFE_S
    return math.exp2(max(-1000.0, min(exponent, 1000.0)))
