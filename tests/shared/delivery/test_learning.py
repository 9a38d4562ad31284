"""Evidence is an algebra; beliefs shrink; weights hold until something is known."""

from __future__ import annotations

import random
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.learning import (
    HALF_LIFE_S,
    PRIOR_MEAN,
    Belief,
    Beliefs,
    Evidence,
    anything_learned,
    draw,
)

CELLS = [(p, g) for p in ("ses", "sendgrid") for g in ("gmail", "yahoo")]
NOW = 1_800_000_000.0
DAY = 86_400.0

deltas = st.builds(
    lambda age, counts: Evidence.at(NOW - age, counts),
    st.floats(0, 3 * DAY),
    st.dictionaries(
        st.sampled_from(CELLS), st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=4
    ),
)


def _total(parts: tuple[Evidence, ...]) -> Evidence:
    total = Evidence()
    for part in parts:
        total = total.plus(part)
    return total


@given(st.lists(deltas, min_size=1, max_size=4))
def test_deltas_may_come_in_any_order(parts: list[Evidence]) -> None:
    expected = _total(tuple(parts))
    for order in permutations(parts):
        total = _total(order)
        for cell in CELLS:
            assert total.now(cell, NOW) == pytest.approx(expected.now(cell, NOW), abs=0.01)


@given(deltas, deltas, deltas)
def test_adding_is_associative(one: Evidence, two: Evidence, three: Evidence) -> None:
    left, right = one.plus(two).plus(three), one.plus(two.plus(three))
    for cell in CELLS:
        assert left.now(cell, NOW) == pytest.approx(right.now(cell, NOW), abs=0.01)


def test_evidence_is_worth_half_after_an_hour() -> None:
    evidence = Evidence.at(NOW, {("ses", "gmail"): (80.0, 20.0)})

    assert evidence.now(("ses", "gmail"), NOW + HALF_LIFE_S) == pytest.approx((40.0, 10.0))
    assert evidence.now(("ses", "yahoo"), NOW) == (0.0, 0.0)


def test_a_year_of_adding_keeps_the_numbers_small() -> None:
    evidence = Evidence()
    for hour in range(24 * 365):
        evidence = evidence.plus(Evidence.at(NOW + hour * 3600, {("ses", "gmail"): (1000.0, 1.0)}))

    assert max(evidence.counts["ses", "gmail"]) < 1e13
    good, _ = evidence.now(("ses", "gmail"), NOW + 24 * 365 * 3600)
    assert good == pytest.approx(1000.0, rel=0.001)


def test_what_was_taken_back_is_never_negative() -> None:
    evidence = Evidence.at(NOW, {("ses", "gmail"): (5.0, -3.0)})

    assert evidence.now(("ses", "gmail"), NOW) == (5.0, 0.0)
    assert Beliefs(evidence, NOW).of("ses", "gmail").mean <= 1


def test_an_unknown_cell_is_like_its_provider_and_its_group() -> None:
    counts = {
        ("ses", "gmail"): (990.0, 10.0),
        ("sendgrid", "gmail"): (900.0, 100.0),
        ("sendgrid", "yahoo"): (500.0, 500.0),
    }
    beliefs = Beliefs(Evidence.at(NOW, counts), NOW)

    unknown = beliefs.of("ses", "yahoo")
    assert unknown.seen == 0
    assert unknown.mean < beliefs.mean_of("ses")  # yahoo is hard for everybody
    assert beliefs.of("ses", "apple").mean == pytest.approx(beliefs.mean_of("ses"), abs=0.01)
    assert beliefs.of("postmark", "apple").mean == pytest.approx(PRIOR_MEAN)
    assert beliefs.seen_of("sendgrid") == 2000


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 1000), min_size=1),
    st.floats(0.5, 0.99),
)
def test_with_equal_beliefs_chances_are_those_of_the_weights(
    weights: dict[str, int], mean: float
) -> None:
    rng = random.Random(5)  # noqa: S311  # a simulation
    equal = dict.fromkeys(weights, Belief(mean, 0.05, 0.0))
    wins: Counter[str] = Counter()
    for _ in range(600):
        scores = draw(equal, {name: float(w) for name, w in weights.items()}, rng)
        wins[max(scores, key=scores.__getitem__)] += 1
    for name, weight in weights.items():
        assert wins[name] / 600 == pytest.approx(weight / sum(weights.values()), abs=0.1)


def test_with_much_evidence_the_better_one_wins_whatever_the_weights() -> None:
    rng = random.Random(5)  # noqa: S311  # a simulation
    known = {"good": Belief(0.95, 0.005, 2000.0), "bad": Belief(0.85, 0.005, 2000.0)}
    wins = sum(
        max((s := draw(known, {"good": 1.0, "bad": 99.0}, rng)), key=s.__getitem__) == "good"
        for _ in range(200)
    )
    assert wins == 200
    assert anything_learned(known.values())
    assert not anything_learned([Belief(0.9, 0.1, 0.0)])
