"""Recipients meet routes and tokens: everybody ends in exactly one place."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.assigning import Assignment, Routable, assign
from shared.delivery.rates import Limits
from shared.delivery.routing import Candidate
from shared.delivery.tokens import Tokens
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


def people(count: int) -> list[Routable]:
    return [
        Routable(n, hashlib.sha256(bytes([n])).digest()[:24], f"p{n % 4}@example.com")
        for n in range(count)
    ]


def run(
    count: int, by_name: dict[str, Provider], excluded: dict[str, str]
) -> tuple[Assignment, fakes.FakeRates]:
    rates = fakes.FakeRates()
    limits = {name: Limits(per_hour=p.per_hour) for name, p in by_name.items()}
    tokens = Tokens(rates, limits, fakes.FakeClock(), lambda _: None, random.Random(1))  # noqa: S311  # jitter
    candidates = [candidate(name, provider) for name, provider in by_name.items()]
    return assign(people(count), candidates, excluded, tokens), rates


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


def test_the_evidence_is_that_of_the_first_choice() -> None:
    everyone = frozenset(range(4))
    result, _ = run(9, {"a": Provider(2, 3, everyone), "b": Provider(1, None, everyone)}, {})
    assert result.evidence == {"rule": "weights", "weights": {"a": 2, "b": 1}, "excluded": []}
