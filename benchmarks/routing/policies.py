"""Whom each policy sends through which provider: two yardsticks, and the production code.

All three get the same recipients in the same chunks, under the same token
buckets, which are the production ones.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from benchmarks.routing.world import GROUPS, PROVIDERS, WEIGHTS, World
from shared.analytics.model import Engagement
from shared.delivery.choices import Addressee, Choices, Reason, Situation
from shared.delivery.choosing import choose
from shared.delivery.model import CHUNK_SIZE
from shared.delivery.monitoring import HealthMonitor, Posted
from shared.delivery.rates import take
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules, Traits
from shared.delivery.tokens import Tokens
from shared.events import Event, EventType
from shared.ids import MessageRef
from shared.mail import MailboxGroup, MessageKind, SendOutcome, Verdict
from tests.fakes import FakeClock, FakeHealth, FakeRates

START = datetime(2026, 11, 24, tzinfo=UTC)
WORKERS = 2
"""They take turns, each with its own view of the stored health."""

_ORDINARY = frozenset(Reason) - {
    Reason.BREAKER_PROBE,
    Reason.QUARANTINE_PROBE,
    Reason.EXPLORED,
}
_VERDICTS = {"": Verdict.ACCEPTED, "refused": Verdict.NOT_ACCEPTED, "timeout": Verdict.IN_DOUBT}


@dataclass(slots=True)
class Sent:
    """What a policy posted in one tick. `ordinary` leaves out probes and exploration."""

    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    ordinary: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Posted into a hard outage and not sent again: for static weights, and what is in doubt."""


class Policy(Protocol):
    """One tick after the other; `waiting` is what found no room and is tried again."""

    waiting: Counter[str]

    def tick(self, at: float, arrived: Mapping[str, int]) -> Sent:
        """Sends what has arrived and what waits."""
        ...


class Buckets:
    """The production token buckets, and a referee beside them who counts on his own."""

    def __init__(self, world: World) -> None:
        self._limits = world.limits
        self._rates = FakeRates()
        self._clock = FakeClock(START)
        rng = random.Random(1)  # noqa: S311  # jitter
        self._tokens = Tokens(self._rates, world.limits, self._clock, _no_sleep, rng)
        self._free_at: dict[str, datetime] = {}
        self._hours: Counter[tuple[str, datetime]] = Counter()
        self.violations = 0

    def room(self, now: datetime, want: int) -> dict[str, int | None]:
        """How many each provider may take now, without taking."""
        return {
            name: take(self._rates.load(name), limits, want, now)[1].granted
            for name, limits in self._limits.items()
        }

    def take(self, provider: str, count: int, now: datetime) -> tuple[int, datetime]:
        """How many were granted, and the start; the referee checks hour and pace."""
        if not count:
            return 0, now
        self._clock.advance(seconds=(now - self._clock.now()).total_seconds())
        grant = self._tokens.take(provider, count)
        limits = self._limits[provider]
        hour = grant.start.replace(minute=0, second=0, microsecond=0)
        self._hours[provider, hour] += grant.granted
        if limits.per_hour is not None and self._hours[provider, hour] > limits.per_hour:
            self.violations += 1
        if grant.granted and limits.per_second:
            if grant.start < self._free_at.get(provider, START):
                self.violations += 1
            lasts = timedelta(seconds=grant.granted / limits.per_second)
            self._free_at[provider] = grant.start + lasts - timedelta(microseconds=1)
        return grant.granted, grant.start


class Static:
    """40/40/20, whatever happens; what finds no room overflows to the others."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"static {seed}")  # noqa: S311  # a simulation
        self.buckets = Buckets(world)
        self.waiting: Counter[str] = Counter()

    def tick(self, at: float, arrived: Mapping[str, int]) -> Sent:
        """As the policy says."""
        now, sent = START + timedelta(seconds=at), Sent()
        wanted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for group, count in (self.waiting + Counter(arrived)).items():
            for provider in self._rng.choices(PROVIDERS, list(WEIGHTS.values()), k=count):
                wanted[provider][group] += 1
        left: Counter[str] = Counter()
        for provider in (*PROVIDERS, *PROVIDERS):
            mine = wanted.pop(provider, Counter()) + left
            left = _fill(self.buckets, provider, mine, now, sent)
        self.waiting = left
        _lose(self._world, at, sent)
        return sent


class Oracle:
    """Knows the truth of this very second; the group with most to lose chooses first.

    It lets mail wait rather than send it into an outage, but it is greedy: it
    does not know what the next seconds bring.
    """

    def __init__(self, world: World, _seed: int) -> None:
        self._world = world
        self.buckets = Buckets(world)
        self.waiting: Counter[str] = Counter()

    def tick(self, at: float, arrived: Mapping[str, int]) -> Sent:
        """As the policy says."""
        now, sent = START + timedelta(seconds=at), Sent()
        wanted = self.waiting + Counter(arrived)
        open_to = set(PROVIDERS)
        while ranked := sorted(self._ranked(wanted, open_to, at), reverse=True):
            for _, group, provider in ranked:
                if provider in open_to:
                    mine = Counter({group: wanted.pop(group)})
                    left = _fill(self.buckets, provider, mine, now, sent)
                    wanted += left
                    if left:
                        open_to.discard(provider)
        self.waiting = wanted
        return sent

    def _ranked(
        self, wanted: Counter[str], open_to: set[str], at: float
    ) -> Iterator[tuple[float, str, str]]:
        """Gap to the next best, group and best provider, of each group that has one."""
        for group in wanted:
            chances = sorted(((self._world.chance(p, group, at), p) for p in open_to), reverse=True)
            usable = [(chance, provider) for chance, provider in chances if chance]
            if usable:
                second = usable[1][0] if len(usable) > 1 else -1.0
                yield usable[0][0] - second, group, usable[0][1]


class Production:
    """`choose`, `HealthMonitor` and `Tokens`, as the dispatcher and the aggregator call them."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._rng = random.Random(f"production {seed}")  # noqa: S311  # a simulation
        self.buckets = Buckets(world)
        self.waiting: Counter[str] = Counter()
        self.store = FakeHealth()
        self.clock = FakeClock(START)
        self._monitors = [HealthMonitor(self.store, self.clock, self._rng) for _ in range(WORKERS)]
        self._candidates = tuple(Candidate(p, WEIGHTS[p], _takes_all) for p in PROVIDERS)
        self._rules, self._traits = DeliveryRules(), Traits(MessageKind.CAMPAIGN)
        self._events: defaultdict[int, list[Engagement]] = defaultdict(list)
        self._ticks = 0
        self.doubts: list[tuple[float, str]] = []

    def tick(self, at: float, arrived: Mapping[str, int]) -> Sent:
        """As the policy says."""
        now, sent = START + timedelta(seconds=at), Sent()
        self.clock.advance(seconds=(now - self.clock.now()).total_seconds())
        self._ticks += 1
        monitor = self._monitors[self._ticks % WORKERS]
        self._monitors[0].heard(self._events.pop(self._ticks, ()))
        everybody = self.waiting + Counter(arrived)
        groups = [g for g, n in everybody.items() for _ in range(n)]
        self._rng.shuffle(groups)
        groups, rest = groups[:CHUNK_SIZE], groups[CHUNK_SIZE:]
        pending = [
            Addressee(i, f"{self._seed} {self._ticks} {i}".encode(), "ann@example.com", group)
            for i, group in enumerate(groups)
        ]
        excluded: dict[str, str] = {}
        for number in range(1 + len(PROVIDERS)):
            situation = Situation(
                candidates=self._candidates,
                rules=self._rules,
                traits=self._traits,
                health=monitor.current(),
                now=now,
                room=self.buckets.room(now, len(pending)),
                excluded=excluded,
            )
            choices = choose(pending, situation, seed=self._ticks * 8 + number)
            if choices.probing and not monitor.claim(choices.probing):
                excluded |= dict.fromkeys(choices.probing, "breaker_open")
                continue
            answers = self._post(choices, now, sent, groups)
            monitor.posted(answers, dict.fromkeys(PROVIDERS, now), choices.probing)
            refused = {
                a.outcome.index for a in answers if a.outcome.verdict is Verdict.NOT_ACCEPTED
            }
            excluded |= {
                a.provider: a.outcome.code
                for a in answers
                if a.outcome.verdict is not Verdict.ACCEPTED
            }
            again = refused | set(choices.waiting)
            pending = [one for one in pending if one.index in again]
            if not refused:
                break
        self.waiting = Counter(rest)
        self.waiting.update(one.group for one in pending)
        return sent

    def _post(
        self, choices: Choices, now: datetime, sent: Sent, groups: Sequence[str]
    ) -> list[Posted]:
        at = (now - START).total_seconds()
        starts = {}
        for provider, indexes in choices.by_provider().items():
            granted, starts[provider] = self.buckets.take(provider, len(indexes), now)
            if granted != len(indexes):
                raise AssertionError("the choice passed the room that it was given")
        answers = []
        for share in choices.shares:
            verdict, code = _answer(self._world, share.provider, at)
            posted = (starts[share.provider] - START).total_seconds()
            for i in share.indexes:
                cell = share.provider, groups[i]
                if share.reason in _ORDINARY:
                    sent.ordinary[cell] += 1
                answers.append(Posted(*cell, SendOutcome(i, verdict, code)))
                if verdict is Verdict.ACCEPTED:
                    sent.accepted[cell] += 1
                    self._hear(cell, now, posted)
                elif verdict is Verdict.IN_DOUBT:
                    sent.lost[cell] += 1
                    self.doubts.append((at, share.provider))
        return answers

    def _hear(self, cell: tuple[str, str], now: datetime, posted: float) -> None:
        heard = self._world.heard(*cell, posted, self._rng)
        if heard is not None:
            good, at = heard
            tick = self._ticks + max(1, int((at - (now - START).total_seconds()) / TICK_S) + 1)
            event = _EVENTS[cell[0], good]
            group = cast("MailboxGroup", cell[1])  # the eighth is one of the simulation's own
            self._events[tick].append(Engagement(event, _REF, "sub", group, now))


TICK_S = 10.0
"""A chunk every ten seconds."""


def arrivals(world: World, seed: int) -> Iterable[tuple[float, Counter[str]]]:
    """Every tick with what arrives in it, the same for all policies."""
    rng = random.Random(f"arrivals {seed}")  # noqa: S311  # a simulation
    names, shares = list(GROUPS), list(GROUPS.values())
    per_tick = int(world.per_minute * TICK_S / 60)
    for tick in range(int(world.seconds / TICK_S)):
        yield tick * TICK_S, Counter(rng.choices(names, shares, k=per_tick))


def _fill(
    buckets: Buckets, provider: str, wanted: Counter[str], now: datetime, sent: Sent
) -> Counter[str]:
    """Posts as many as there is room for, largest group first; gives back the rest."""
    left: Counter[str] = Counter()
    room, _ = buckets.take(provider, sum(wanted.values()), now)
    for group, count in wanted.most_common():
        taken = min(count, room)
        room -= taken
        sent.accepted[provider, group] += taken
        if count > taken:
            left[group] = count - taken
    return left


def _lose(world: World, at: float, sent: Sent) -> None:
    """Static weights know no failover: what a provider refuses is lost."""
    for cell in [cell for cell in sent.accepted if world.refusing(cell[0], at)]:
        sent.lost[cell] = sent.accepted.pop(cell)


def _answer(world: World, provider: str, at: float) -> tuple[Verdict, str]:
    kind = world.refusing(provider, at)
    return _VERDICTS[kind], kind


def _takes_all(_address: str) -> str:
    return ""


def _no_sleep(_seconds: float) -> None:
    raise AssertionError("one worker at a time never waits for another")


_REF = MessageRef("ws", "cmp", 0, 0)
_EVENTS = {
    (provider, good): Event(
        EventType.DELIVERED if good else EventType.BOUNCED, provider, "", START, ""
    )
    for provider in PROVIDERS
    for good in (True, False)
}
