"""Weights: their shares, their steadiness, and what they never do."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.routing import Candidate, Router

ADDRESS = "ann@example.com"
NAMES = ("a", "b", "c", "d")
weights = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1000), min_size=1)
keys = st.binary(min_size=24, max_size=24)


def key_of(number: int) -> bytes:
    """A campaign's and a subscriber's id; the latter is a MAC."""
    return bytes(12) + hashlib.sha256(str(number).encode()).digest()[:12]


def anything(_: str) -> str:
    return ""


def nothing(_: str) -> str:
    return "odd"


def candidates(by_name: dict[str, int], refusing: frozenset[str] = frozenset()) -> list[Candidate]:
    return [
        Candidate(name, weight, nothing if name in refusing else anything)
        for name, weight in by_name.items()
    ]


@given(weights, keys)
def test_the_same_recipient_gets_the_same_provider(by_name: dict[str, int], key: bytes) -> None:
    first, second = (Router(candidates(by_name), {}).choose(key, ADDRESS) for _ in range(2))
    assert first == second


@given(weights, keys, st.sets(st.sampled_from(NAMES)), st.frozensets(st.sampled_from(NAMES)))
def test_nobody_gets_an_excluded_a_weightless_or_a_refusing_provider(
    by_name: dict[str, int], key: bytes, excluded: set[str], refusing: frozenset[str]
) -> None:
    router = Router(candidates(by_name, refusing), dict.fromkeys(excluded, "x"))
    chosen = router.choose(key, ADDRESS)
    usable = {name for name, weight in by_name.items() if weight and name not in excluded}
    assert router.has_providers == bool(usable)
    if usable - refusing:
        assert chosen in usable - refusing
    else:
        assert chosen is None


@pytest.mark.parametrize(
    "by_name", [{"a": 40, "b": 40, "c": 20}, {"a": 1, "b": 999}, {"a": 0, "b": 7, "c": 13}]
)
def test_shares_converge_to_the_weights(by_name: dict[str, int]) -> None:
    router = Router(candidates(by_name), {})
    count = 20_000
    chosen = [router.choose(key_of(number), ADDRESS) for number in range(count)]
    for name, weight in by_name.items():
        share = weight / sum(by_name.values())
        assert chosen.count(name) / count == pytest.approx(share, abs=0.015)


def test_what_an_excluded_provider_leaves_goes_by_the_others_weights() -> None:
    router = Router(candidates({"a": 50, "b": 30, "c": 20}), {"a": "out"})
    chosen = [router.choose(key_of(number), ADDRESS) for number in range(20_000)]
    assert chosen.count("b") / 20_000 == pytest.approx(0.6, abs=0.015)


def test_the_evidence_says_what_was_weighed_and_what_was_not() -> None:
    router = Router(candidates({"a": 1, "b": 2, "c": 0}), {"b": "limited", "a2": "gone"})
    assert router.evidence() == {
        "rule": "weights",
        "weights": {"a": 1},
        "excluded": [
            {"provider": "a2", "because": "gone"},
            {"provider": "b", "because": "limited"},
        ],
    }
