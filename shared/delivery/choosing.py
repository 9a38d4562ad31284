"""Which provider each recipient of a chunk goes through, and why. Pure.

Recipients are not judged one by one. Those of the same mailbox group and
engagement band fall under the same rule and form a cell; a cell is cut into a
few lots, each lot gets scores of its own, and the lots with the most to lose
choose first while the providers have room (assignment by opportunity gap). The
same seed gives the same choice, in whatever order the recipients come.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from shared.delivery.breaker import BreakerState
from shared.delivery.choices import Addressee, Choices, Reason, Routed, Situation
from shared.delivery.learning import EXPLORED_SHARE, Beliefs, anything_learned, draw
from shared.delivery.quarantine import PROBES_AT_MOST
from shared.delivery.rules import Choice

LOTS = 8
"""Of a cell: as many separate draws, so that shares follow the chances within one chunk too."""

EXPLAINING_DRAWS = 200


@dataclass(slots=True)
class _Lot:
    """Recipients with the same scores. A higher score is better."""

    members: list[Addressee]
    rule: str
    reason: Reason
    scores: dict[str, float]
    overflowed: bool = False


def choose(addressees: Iterable[Addressee], situation: Situation, seed: int) -> Choices:
    """A provider for everybody for whom there is one now.

    `seed` should differ between chunks and attempts. No provider gets more
    than its room, or more than its breaker admits.
    """
    return _Chooser(situation, seed).choose(addressees)


def explain(
    address: str, group: str, band: str, situation: Situation, seed: int = 0
) -> dict[str, object]:
    """What would be chosen for an address now: `{provider, rule, scores, excluded}`.

    `scores` has, for each provider that may be used, the expected share
    `delivered`, how many messages that was learned from (`seen`), and the
    `chance` that it is chosen. `provider` is the likeliest, or None.
    """
    return _Chooser(situation, seed).explain(Addressee(0, b"", address, group, band))


class _Chooser:
    def __init__(self, situation: Situation, seed: int) -> None:
        self._at = situation
        self._moment = situation.now.timestamp()
        self._salt = seed & 0xFFFFFFFF
        self._rng = random.Random(seed)  # noqa: S311  # shares of mail, not secrets
        self._beliefs = Beliefs(situation.health.evidence, self._moment)
        self._weights = {c.name: float(c.weight) for c in situation.candidates}
        self._cannot_take = {c.name: c.cannot_take for c in situation.candidates}
        self._room: dict[str, int] = {
            name: room for name, room in situation.room.items() if room is not None
        }
        self._group_room = dict(situation.group_room)
        self._probes: dict[str, int] = {}
        self._probed: Counter[str] = Counter()
        self._out: dict[str, str] = dict(situation.excluded)
        for name in self._weights:
            admitted = situation.health.breaker(name).admits(situation.now)
            if name in self._out or admitted is None:
                continue
            if admitted and self._room.get(name, 1):
                self._probes[name] = admitted
            else:
                self._out[name] = situation.health.breaker(name).reason
        self._found: defaultdict[tuple[str, str, Reason], list[int]] = defaultdict(list)
        self._choices = Choices(excluded=dict(self._out))

    def choose(self, addressees: Iterable[Addressee]) -> Choices:
        salt, crc = self._salt, zlib.crc32
        cells: defaultdict[tuple[str, str], list[tuple[int, int, Addressee]]] = defaultdict(list)
        for one in addressees:
            cells[one.group, one.band].append((crc(one.key, salt), one.index, one))
        lots: list[_Lot] = []
        # Not always the same cells first: they would get all the probes.
        for _, group, band in sorted((crc(f"{g} {b}".encode(), salt), g, b) for g, b in cells):
            members = sorted(cells[group, band])
            lots += self._lots(group, band, [member for _, _, member in members])
        self._assign(lots)
        probing = {p for p, _, reason in self._found if reason is Reason.BREAKER_PROBE}
        self._choices.probing = frozenset(probing)
        self._choices.shares = [
            Routed(*name, tuple(sorted(indexes))) for name, indexes in sorted(self._found.items())
        ]
        self._choices.waiting.sort()
        self._choices.unroutable.sort()
        return self._choices

    def _lots(self, group: str, band: str, members: list[Addressee]) -> list[_Lot]:
        """A cell's lots. Probes are taken out first, then those that explore."""
        name, rule = self._at.rules.first(group, band, self._at.traits)
        allowed = rule.providers(self._weights)
        free, shut = self._usable(allowed, group)
        for provider in allowed:
            if self._probes.get(provider):
                members = self._probe(provider, name, members)
        if shut and not free and not self._any_comes_back(allowed, shut):
            return self._last_resort(name, shut, members)
        for provider in shut:
            share = self._at.health.probe_share(provider, group, self._moment)
            admitted = PROBES_AT_MOST - self._probed[provider]
            count = min(admitted, self._round(len(members) * share))
            self._probed[provider] += count
            probes, members = members[:count], members[count:]
            left = self._take(provider, name, Reason.QUARANTINE_PROBE, probes)
            members = left + members
        if not free:
            self._nobody(members)
            return []
        if rule.order is not None:
            places = {p: float(-place) for place, p in enumerate(free)}
            return [_Lot(members, name, Reason.ORDER, places)]
        if len(free) == 1:
            scores = dict.fromkeys(free, 1.0)
            return [_Lot(members, name, Reason.ONLY, scores)]
        beliefs = {p: self._beliefs.of(p, group) for p in free}
        if not rule.learn or not anything_learned(beliefs.values()):
            return self._weighed(name, free, members, Reason.WEIGHTS)
        count = self._round(len(members) * EXPLORED_SHARE)
        explored = self._weighed(name, free, members[:count], Reason.EXPLORED)
        cut = _cut(members[count:], LOTS)
        return explored + [
            _Lot(lot, name, Reason.LEARNED, draw(beliefs, free, self._rng)) for lot in cut
        ]

    def _last_resort(
        self, rule: str, shut: Mapping[str, float], members: list[Addressee]
    ) -> list[_Lot]:
        """All are quarantined: the least alarming, and among equals by what was learned."""
        group = members[0].group if members else ""
        alarms = {p: self._at.health.alarm(p, group) for p in shut}
        bearable = min(alarms.values()) + _LAST_RESORT_MARGIN
        scores = {p: self._beliefs.of(p, group).mean for p in shut if alarms[p] <= bearable}
        return [_Lot(members, rule, Reason.LAST_RESORT, scores)]

    def _any_comes_back(self, allowed: Iterable[str], shut: Container[str]) -> bool:
        """Whether it is worth waiting for one that is neither quarantined nor out of service."""
        breaker = self._at.health.breaker
        return any(
            breaker(provider).state is not BreakerState.OUT_OF_SERVICE
            for provider in allowed
            if provider not in shut
        )

    def _usable(
        self, allowed: Mapping[str, float], group: str
    ) -> tuple[dict[str, float], dict[str, float]]:
        """What of a rule's providers may be used freely, and what is quarantined there."""
        free: dict[str, float] = {}
        shut: dict[str, float] = {}
        for provider, weight in allowed.items():
            if provider in self._out or provider in self._probes:
                continue
            quarantined = self._at.health.probe_share(provider, group, self._moment) < 1
            (shut if quarantined else free)[provider] = weight
        return free, shut

    def _weighed(
        self, rule: str, weights: Mapping[str, float], members: list[Addressee], reason: Reason
    ) -> list[_Lot]:
        """Lots in proportion to the weights; each may overflow to the others by their weights."""
        edges = list(accumulate(weights.values()))
        total, start = edges[-1], self._rng.random()
        lots, first = [], 0
        for provider, edge in zip(weights, edges, strict=True):
            beyond = min(len(members), int(edge / total * len(members) + start))
            if provider is list(weights)[-1]:
                beyond = len(members)
            if beyond > first:
                scores = {p: weight / total - 1 for p, weight in weights.items()}
                scores[provider] = 1.0
                lots.append(_Lot(members[first:beyond], rule, reason, scores))
                first = beyond
        return lots

    def _probe(self, provider: str, rule: str, members: list[Addressee]) -> list[Addressee]:
        """Takes what a breaker's probe still admits; gives back who is left."""
        count = min(self._probes[provider], len(members))
        left = self._take(provider, rule, Reason.BREAKER_PROBE, members[:count])
        self._probes[provider] -= count - len(left)
        return left + members[count:]

    def _take(
        self, provider: str, rule: str, reason: Reason, members: list[Addressee]
    ) -> list[Addressee]:
        """Gives a provider whom it can take and has room for; gives back the others."""
        if not members:
            return members
        group = members[0].group
        room = min(
            self._room.get(provider, len(members)),
            self._group_room.get((provider, group), len(members)),
        )
        cannot_take = self._cannot_take[provider]
        taken: list[int] = []
        left = []
        for member in members:
            if room and not cannot_take(member.address):
                taken.append(member.index)
                room -= 1
            else:
                left.append(member)
        self._used(provider, group, len(members) - len(left))
        if taken:
            self._found[provider, rule, reason] += taken
        return left

    def _used(self, provider: str, group: str, count: int) -> None:
        if provider in self._room:
            self._room[provider] -= count
        if (provider, group) in self._group_room:
            self._group_room[provider, group] -= count

    def _has_room(self, provider: str, group: str) -> bool:
        return bool(self._room.get(provider, 1) and self._group_room.get((provider, group), 1))

    def _assign(self, lots: list[_Lot]) -> None:
        """The lot with the widest gap between its best and its next best provider first."""
        while lots:
            ranked: list[tuple[float, int, str, _Lot]] = []
            for place, lot in enumerate(lots):
                group = lot.members[0].group if lot.members else ""
                open_to = [p for p in lot.scores if self._has_room(p, group)]
                if lot.members and open_to:
                    ranked.append((*_gap(lot, open_to, place), lot))
                else:
                    self._nobody(lot.members)
            ranked.sort(key=lambda entry: entry[:2])
            lots = []
            for _, _, provider, lot in ranked:
                lots += self._place(provider, lot)

    def _place(self, provider: str, lot: _Lot) -> list[_Lot]:
        """Puts a lot where it wants to go; gives back lots for those who could not go there."""
        group = lot.members[0].group
        if not self._has_room(provider, group):
            lot.overflowed = True
            return [lot]
        reason = lot.reason
        if lot.overflowed and reason is not Reason.LAST_RESORT:
            reason = Reason.OVERFLOW
        left = self._take(provider, lot.rule, reason, lot.members)
        if not left:
            return []
        if self._has_room(provider, group):  # then it cannot take these addresses
            others = {p: score for p, score in lot.scores.items() if p != provider}
            return [_Lot(left, lot.rule, Reason.CANNOT_TAKE, others)]
        return [_Lot(left, lot.rule, lot.reason, lot.scores, overflowed=True)]

    def _nobody(self, members: Iterable[Addressee]) -> None:
        """They wait if the rule leaves somebody who could take them later, else have no route."""
        rule_of = self._at.rules.first
        for member in members:
            _, rule = rule_of(member.group, member.band, self._at.traits)
            could = any(
                not self._cannot_take[p](member.address) for p in rule.providers(self._weights)
            )
            (self._choices.waiting if could else self._choices.unroutable).append(member.index)

    def _round(self, expected: float) -> int:
        """A whole number whose mean over many chunks is `expected`."""
        return int(expected + self._rng.random())

    def explain(self, one: Addressee) -> dict[str, object]:
        name, rule = self._at.rules.first(one.group, one.band, self._at.traits)
        allowed = rule.providers(self._weights)
        excluded = dict(self._out)
        for provider in self._weights:
            if provider not in allowed:
                excluded.setdefault(provider, f"rule:{name}")
            elif self._cannot_take[provider](one.address):
                excluded.setdefault(provider, self._cannot_take[provider](one.address))
            elif not self._has_room(provider, one.group):
                excluded.setdefault(provider, "no_tokens")
            elif provider in self._probes:
                excluded.setdefault(provider, "breaker_half_open")
        free, shut = self._usable(
            {p: w for p, w in allowed.items() if p not in excluded}, one.group
        )
        if free or self._any_comes_back(allowed, shut):
            excluded |= dict.fromkeys(shut, "quarantined")
        else:
            free = shut
        chances = self._chances(rule, one.group, free)
        beliefs = {p: self._beliefs.of(p, one.group) for p in free}
        return {
            "provider": max(chances, key=chances.__getitem__, default=None),
            "rule": name,
            "scores": {
                p: {
                    "delivered": round(beliefs[p].mean, 4),
                    "seen": round(beliefs[p].seen, 1),
                    "chance": round(chances[p], 3),
                }
                for p in free
            },
            "excluded": [{"provider": p, "because": why} for p, why in sorted(excluded.items())],
        }

    def _chances(self, rule: Choice, group: str, free: Mapping[str, float]) -> dict[str, float]:
        if not free:
            return {}
        if rule.order is not None:
            first = next(iter(free))
            return {p: float(p == first) for p in free}
        beliefs = {p: self._beliefs.of(p, group) for p in free}
        total = sum(free.values())
        if not rule.learn or not anything_learned(beliefs.values()):
            return {p: weight / total for p, weight in free.items()}
        wins = dict.fromkeys(free, 0)
        for _ in range(EXPLAINING_DRAWS):
            scores = draw(beliefs, free, self._rng)
            wins[max(scores, key=scores.__getitem__)] += 1
        return {
            p: (1 - EXPLORED_SHARE) * wins[p] / EXPLAINING_DRAWS + EXPLORED_SHARE * free[p] / total
            for p in free
        }


def _gap(lot: _Lot, open_to: Sequence[str], place: int) -> tuple[float, int, str]:
    """Sorts first what has most to lose: the negated gap, the lot's place, the best provider."""
    scores = lot.scores
    if len(open_to) == 1:
        return -_NO_ALTERNATIVE, place, open_to[0]
    best, second = sorted(open_to, key=scores.__getitem__, reverse=True)[:2]
    return scores[second] - scores[best], place, best


def _cut(members: list[Addressee], pieces: int) -> list[list[Addressee]]:
    """Up to that many nearly equal pieces, none empty."""
    count = min(pieces, len(members))
    return [
        members[i * len(members) // count : (i + 1) * len(members) // count] for i in range(count)
    ]


_NO_ALTERNATIVE = 10.0
_LAST_RESORT_MARGIN = 0.1
