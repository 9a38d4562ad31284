"""Recipients meet routes and tokens: everybody ends in exactly one place."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.assigning import OUT_OF_SERVICE_LOOK, Assigner, Assignment
from shared.delivery.breaker import PROBE_SIZE, Breaker, BreakerState
from shared.delivery.choices import Addressee
from shared.delivery.health import Health
from shared.delivery.monitoring import HealthMonitor, Posted
from shared.delivery.rates import GroupLimits, Limits
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules, Traits
from shared.delivery.tokens import Tokens
from shared.errors import StaleWrite
from shared.mail import MessageKind, SendOutcome, Verdict
from tests import fakes

NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Provider:
    """`takes` are the last digits of the addresses that it can mail."""

    weight: int
    per_hour: int | None
    takes: frozenset[int]


providers = st.fixed_dictionaries(
    dict.fromkeys(
        NAMES,
        st.builds(
            Provider,
            weight=st.integers(0, 3),
            per_hour=st.none() | st.integers(1, 20),
            takes=st.frozensets(st.integers(0, 3)),
        ),
    )
)


def candidate(name: str, provider: Provider) -> Candidate:
    def cannot_take(address: str) -> str:
        return "" if int(address[1]) in provider.takes else "odd"

    return Candidate(name, provider.weight, cannot_take)


TRAITS = Traits(MessageKind.CAMPAIGN)
EVERYONE = frozenset(range(4))


def people(count: int, group: str = "other") -> list[Addressee]:
    return [
        Addressee(n, hashlib.sha256(bytes([n])).digest()[:24], f"p{n % 4}@example.com", group)
        for n in range(count)
    ]


class Desk:
    """An assigner over fakes; `health` may be set before a run."""

    def __init__(self, by_name: dict[str, Provider], groups: dict[str, GroupLimits]) -> None:
        self.rates, self.health = fakes.FakeRates(), fakes.FakeHealth()
        self.clock = fakes.FakeClock()
        jitter = random.Random(1)  # noqa: S311  # jitter
        limits = {n: Limits(per_hour=p.per_hour, groups=groups) for n, p in by_name.items()}
        tokens = Tokens(self.rates, limits, self.clock, lambda _: None, jitter)
        self.monitor = HealthMonitor(self.health, self.clock, jitter)
        self.assigner = Assigner(tokens, self.monitor, DeliveryRules(), self.clock)
        self.candidates = [candidate(name, provider) for name, provider in by_name.items()]

    def run(self, who: list[Addressee], excluded: dict[str, str] | None = None) -> Assignment:
        ground = self.assigner.look(self.candidates, TRAITS, excluded or {})
        return self.assigner.assign(who, ground, seed=1)


def run(
    count: int, by_name: dict[str, Provider], excluded: dict[str, str]
) -> tuple[Assignment, fakes.FakeRates]:
    desk = Desk(by_name, {})
    return desk.run(people(count), excluded), desk.rates


@given(st.integers(0, 40), providers, st.sets(st.sampled_from(NAMES)))
def test_everybody_is_in_exactly_one_place(
    count: int, by_name: dict[str, Provider], excluded: set[str]
) -> None:
    result, _ = run(count, by_name, dict.fromkeys(excluded, "x"))
    placed = [i for _, _, taken in result.shares for i in taken]
    assert sorted([*placed, *result.waiting, *result.unroutable]) == list(range(count))


@given(st.integers(0, 40), providers, st.sets(st.sampled_from(NAMES)))
def test_shares_hold_only_whom_the_provider_may_and_can_mail(
    count: int, by_name: dict[str, Provider], excluded: set[str]
) -> None:
    result, rates = run(count, by_name, dict.fromkeys(excluded, "x"))
    for name, grant, taken in result.shares:
        assert name not in excluded
        assert by_name[name].weight
        assert {i % 4 for i in taken} <= by_name[name].takes
        assert grant.granted == len(taken)
    for name, provider in by_name.items():
        booked = sum(len(taken) for one, _, taken in result.shares if one == name)
        assert max((rates.load(name).used or {"": 0}).values()) == booked
        assert provider.per_hour is None or booked <= provider.per_hour


@given(st.integers(0, 40), providers, st.sets(st.sampled_from(NAMES)))
def test_who_waits_waits_for_a_provider_that_will_take_them(
    count: int, by_name: dict[str, Provider], excluded: set[str]
) -> None:
    result, _ = run(count, by_name, dict.fromkeys(excluded, "x"))
    weighty = {name: provider for name, provider in by_name.items() if provider.weight}
    for i in result.unroutable:
        assert not any(i % 4 in provider.takes for provider in weighty.values())
    if set(weighty) - excluded:
        for i in result.waiting:
            assert any(i % 4 in provider.takes for provider in weighty.values())


def test_an_address_that_only_a_weightless_provider_can_take_does_not_wait_for_ever() -> None:
    by_name = {
        "a": Provider(1, None, frozenset({0, 1, 2})),
        "b": Provider(0, None, frozenset({3})),
    }
    result, _ = run(4, by_name, {})
    assert (result.waiting, result.unroutable) == ([], [3])


def test_without_tokens_they_wait_for_the_first_window_that_opens() -> None:
    everyone = frozenset(range(4))
    by_name = {"a": Provider(1, 3, everyone), "b": Provider(1, 2, everyone)}
    result, _ = run(20, by_name, {})
    assert sum(len(taken) for _, _, taken in result.shares) == 5
    assert len(result.waiting) == 15
    assert result.retry_at is not None
    assert (result.retry_at.hour, result.retry_at.minute) == (9, 0)


@given(st.integers(0, 40), providers, st.sets(st.sampled_from(NAMES)))
def test_a_look_that_finds_nothing_is_right(
    count: int, by_name: dict[str, Provider], excluded: set[str]
) -> None:
    desk = Desk(by_name, {})
    desk.run(people(count))
    ground = desk.assigner.look(desk.candidates, TRAITS, dict.fromkeys(excluded, "x"))
    if ground.retry_at is not None:
        assert desk.assigner.assign(people(40), ground, seed=2).shares == []


def test_a_group_without_room_waits_for_its_own_window() -> None:
    desk = Desk({"a": Provider(1, None, EVERYONE)}, {"gmail": GroupLimits(per_day=5)})
    others = [Addressee(100 + n, bytes([n]), "p0@example.com", "yahoo") for n in range(5)]
    result = desk.run([*people(10, "gmail"), *others])

    ((_, _, taken),) = result.shares
    assert (len(taken), len(result.waiting)) == (10, 5)
    assert result.retry_at is not None
    assert result.retry_at.hour == 0


def test_a_lookout_for_a_breaker_is_neither_hectic_nor_late() -> None:
    desk = Desk({"a": Provider(1, None, EVERYONE), "b": Provider(1, None, EVERYONE)}, {})
    now = desk.clock.now()
    closes = now + timedelta(seconds=12)
    desk.health.health = Health(
        breakers={
            "a": Breaker(BreakerState.OUT_OF_SERVICE, because="paused"),
            "b": Breaker(BreakerState.OPEN, 3, closes, because="503"),
        }
    )
    assert desk.assigner.look(desk.candidates, TRAITS, {}).retry_at == closes
    only = desk.assigner.look(desk.candidates[:1], TRAITS, {})
    assert only.retry_at == now + OUT_OF_SERVICE_LOOK


def test_an_open_breaker_gets_one_probe_and_the_rest_waits_for_its_answer() -> None:
    desk = Desk({"a": Provider(1, None, EVERYONE)}, {})
    before = desk.clock.now() - timedelta(seconds=1)
    desk.health.health = Health(breakers={"a": Breaker(BreakerState.OPEN, 1, before)})
    result = desk.run(people(40))

    ((name, _, taken),) = result.shares
    assert (name, len(taken), result.probing) == ("a", PROBE_SIZE, frozenset("a"))
    assert len(result.waiting) == 40 - PROBE_SIZE
    fine = [Posted("a", "other", SendOutcome(i, Verdict.ACCEPTED)) for i in taken]
    desk.assigner.posted(fine, {"a": desk.clock.now()}, result.probing)
    ((_, _, taken),) = desk.run(people(40)).shares
    assert len(taken) == 40


class _Claimed(fakes.FakeHealth):
    """Another worker claims every probe first."""

    def save(self, health: Health) -> Health:
        raise StaleWrite(f"another worker was first: {health.version}")


def test_who_never_gets_the_probe_leaves_it_to_the_others() -> None:
    desk = Desk({"a": Provider(1, None, EVERYONE), "b": Provider(1, None, EVERYONE)}, {})
    before = desk.clock.now() - timedelta(seconds=1)
    desk.health.__class__ = _Claimed
    desk.health.health = Health(breakers={"a": Breaker(BreakerState.OPEN, 1, before)})
    result = desk.run(people(40))

    assert [name for name, _, _ in result.shares] == ["b"]
    assert result.probing == frozenset()
    assert {"provider": "a", "because": "probed_by_another_worker"} in result.evidence["excluded"]  # type: ignore[operator]  # a list


def test_the_evidence_names_rule_and_reason() -> None:
    result, _ = run(9, {"a": Provider(1, None, EVERYONE)}, {"b": "limited"})
    assert result.evidence == {
        "choices": [{"provider": "a", "rule": "default", "reason": "only_provider", "count": 9}],
        "excluded": [{"provider": "b", "because": "limited"}],
    }
