"""Giving the recipients of a round to providers: what may go where now, the choice, the tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.breaker import Breaker, BreakerState
from shared.delivery.choices import Addressee, Choices, Situation
from shared.delivery.choosing import choose
from shared.delivery.health import Health
from shared.delivery.monitoring import HealthMonitor, Posted
from shared.delivery.rates import Grant, Room
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules, Traits
from shared.delivery.tokens import Tokens

LOOK_AGAIN = (timedelta(seconds=5), timedelta(seconds=30))
"""No sooner and no later does a chunk look again whether an open breaker has closed."""

OUT_OF_SERVICE_LOOK = timedelta(minutes=5)
"""How long it waits for an operator if nobody else can take its mail."""

CLAIMS = 3
"""Choices in which this worker tries for a probe; after that it leaves it to the others."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a round finds: who may be used and how much goes. Nothing is booked yet.

    `retry_at` is set if no provider can take anything now, and says when one may.
    """

    situation: Situation
    rooms: Mapping[str, Room]
    express: bool
    retry_at: datetime | None = None


@dataclass(slots=True)
class Assignment:
    """Who goes where, each share under the tokens it got.

    `waiting` have a provider, but none that may be used now; `unroutable` have
    none that can ever take them. `retry_at` is when a look is worth while
    again for those who wait. `probing` names the providers whose share is a
    claimed probe.
    """

    shares: list[tuple[str, Grant, list[int]]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    unroutable: list[int] = field(default_factory=list)
    retry_at: datetime | None = None
    probing: frozenset[str] = frozenset()
    evidence: dict[str, object] = field(default_factory=dict)


class Assigner:
    """Routes by rules, health and room, and takes the tokens for what it has chosen."""

    def __init__(
        self, tokens: Tokens, monitor: HealthMonitor, rules: DeliveryRules, clock: Clock
    ) -> None:
        self._tokens = tokens
        self._monitor = monitor
        self._rules = rules
        self._clock = clock

    def health(self) -> Health:
        """How the providers are now. Raises DependencyUnavailable."""
        return self._monitor.current()

    def look(
        self,
        candidates: Sequence[Candidate],
        traits: Traits,
        excluded: Mapping[str, str],
        *,
        express: bool = False,
    ) -> Ground:
        """What there is to be had now, before anybody is read from the store.

        `excluded` maps providers that are out for this run to reason codes;
        `express` is for transactional mail.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        health, now = self._monitor.current(), self._clock.now()
        used = self._rules.in_use({c.name: float(c.weight) for c in candidates})
        open_to = [c.name for c in candidates if c.name in used and c.name not in excluded]
        rooms = {name: self._tokens.room(name, express=express) for name in open_to}
        situation = Situation(
            candidates=candidates,
            rules=self._rules,
            traits=traits,
            health=health,
            now=now,
            room={name: found.total for name, found in rooms.items()},
            group_room={
                (name, group): left
                for name, found in rooms.items()
                for group in found.groups
                if (left := found.of_group(group)) is not None
            },
            excluded=excluded,
        )
        ground = Ground(situation, rooms, express)
        if any(_comes_back(health, name, rooms, now) is None for name in open_to):
            return ground
        return replace(ground, retry_at=self._retry_at(ground, used, ()))

    def assign(self, addressees: Iterable[Addressee], ground: Ground, seed: int) -> Assignment:
        """Chooses, claims the probes among the choices, and takes the tokens.

        Whom a take left without a token, since another worker was faster, is
        in no list: the next round finds less room.

        Raises:
            DependencyUnavailable: the store did not answer, or others were always first.
        """
        people = list(addressees)
        choices, situation = self._choose(people, ground, seed)
        groups = {person.index: person.group for person in people}
        result = Assignment(
            waiting=choices.waiting,
            unroutable=choices.unroutable,
            probing=choices.probing,
            evidence=choices.evidence(),
        )
        rooms = dict(ground.rooms)
        for provider, indexes in choices.by_provider().items():
            by_group = Counter([groups[i] for i in indexes])
            grant = self._tokens.take(
                provider, len(indexes), by_group=by_group, express=ground.express
            )
            taken = _served(indexes, groups, grant)
            rooms[provider] = rooms[provider].without(len(taken), grant.by_group)
            if taken:
                result.shares.append((provider, grant, taken))
        if choices.waiting:
            used = self._rules.in_use({c.name: float(c.weight) for c in situation.candidates})
            where = {groups[i] for i in choices.waiting}
            left = Ground(situation, rooms, ground.express)
            result.retry_at = self._retry_at(left, used, where)
        return result

    def posted(
        self, answers: Iterable[Posted], at: Mapping[str, datetime], probing: frozenset[str]
    ) -> None:
        """Reports a round; also one in which nothing was posted, to free the probes it claimed.

        Raises:
            DependencyUnavailable: the store did not answer, or others were always first.
        """
        self._monitor.posted(answers, at, probing)

    def _choose(
        self, people: list[Addressee], ground: Ground, seed: int
    ) -> tuple[Choices, Situation]:
        situation = ground.situation
        for _ in range(CLAIMS):
            choices = choose(people, situation, seed)
            if not choices.probing or self._monitor.claim(choices.probing):
                return choices, situation
            situation = replace(situation, health=self._monitor.current())
        others = dict.fromkeys(choices.probing, "probed_by_another_worker")
        situation = replace(situation, excluded={**situation.excluded, **others})
        return choose(people, situation, seed), situation

    def _retry_at(
        self, ground: Ground, used: frozenset[str], groups: Iterable[str]
    ) -> datetime | None:
        """The soonest at which one of the providers may take them; None if nothing says."""
        at = ground.situation
        found = [
            moment
            for name in used
            for moment in [
                _comes_back(at.health, name, ground.rooms, at.now),
                *(_opens(ground.rooms[name], group) for group in groups if name in ground.rooms),
            ]
            if moment is not None
        ]
        return min(found, default=None)


def _comes_back(
    health: Health, name: str, rooms: Mapping[str, Room], now: datetime
) -> datetime | None:
    """When a provider that can take nothing now may again; None if it can, or nobody knows."""
    breaker = health.breaker(name)
    if breaker.admits(now) == 0:
        return _look_again(breaker, now)
    return rooms[name].retry_at if name in rooms else None


def _look_again(breaker: Breaker, now: datetime) -> datetime:
    if breaker.state is BreakerState.OUT_OF_SERVICE:
        return now + OUT_OF_SERVICE_LOOK
    soonest, latest = LOOK_AGAIN
    return min(max(breaker.retry_at or now, now + soonest), now + latest)


def _opens(room: Room, group: str) -> datetime | None:
    """When a mailbox group's own full windows open anew."""
    full = [room.opens[name] for name, left in room.groups.get(group, {}).items() if left == 0]
    return max(full, default=None)


def _served(indexes: Sequence[int], groups: Mapping[int, str], grant: Grant) -> list[int]:
    """Who of them gets the tokens."""
    if grant.granted == len(indexes):
        return list(indexes)
    room = dict(grant.by_group)
    taken = []
    for index in indexes:
        if room[groups[index]]:
            room[groups[index]] -= 1
            taken.append(index)
    return taken
