"""The brake trips on what chance cannot explain, and on nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.brake import chance, standing, tripped
from shared.delivery.workspace import WorkspaceSettings

DEFAULTS = WorkspaceSettings()


def counts(accepted: int, hard_bounced: int = 0, complained: int = 0) -> dict[str, int]:
    return {"accepted": accepted, "hard_bounced": hard_bounced, "complained": complained}


@pytest.mark.parametrize(
    ("now", "stops"),
    [
        (counts(50, complained=1), False),
        (counts(499, hard_bounced=499), False),  # too few to judge
        (counts(500, complained=1), False),
        (counts(500, hard_bounced=20), False),  # exactly the threshold
        (counts(500, hard_bounced=40), True),
        (counts(10_000, hard_bounced=3000), True),
        (counts(10_000, complained=8), False),
        (counts(10_000, complained=20), True),
        (counts(1_000_000, hard_bounced=39_000, complained=700), False),
    ],
)
def test_when_it_trips(now: dict[str, int], stops: bool) -> None:  # a table
    assert bool(tripped(now, {}, DEFAULTS)) == stops


def test_the_reason_has_the_figures() -> None:
    why = tripped(counts(1000, hard_bounced=80), {}, DEFAULTS)
    assert why == (
        "the brake stopped it: 80 hard bounces of 1000 accepted messages (8.00%) are above 4.00%"
    )


def test_after_it_tripped_only_what_came_since_is_judged() -> None:
    base = counts(1000, hard_bounced=80)
    assert not tripped(counts(1600, hard_bounced=90), base, DEFAULTS)
    assert tripped(counts(1600, hard_bounced=160), base, DEFAULTS)


def test_a_workspace_may_set_other_thresholds() -> None:
    strict = replace(DEFAULTS, max_hard_bounce_rate=0.01, brake_after=100)
    assert tripped(counts(100, hard_bounced=8), {}, strict)


def test_the_standing_sums_over_providers_and_groups() -> None:
    events = {
        "ses|gmail|hard_bounced": 2,
        "postmark|other|hard_bounced": 3,
        "ses|gmail|soft_bounced": 9,
        "ses|other|complained": 1,
    }
    totals = {"states": {"accepted": 77}}
    assert standing(totals, events) == counts(77, 5, 1)


@given(st.integers(1, 60), st.floats(0.001, 0.9), st.data())
def test_the_chance_is_the_binomial_tail(of: int, rate: float, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, of))
    exact = sum(math.comb(of, i) * rate**i * (1 - rate) ** (of - i) for i in range(bad, of + 1))
    expected = 1.0 if bad <= of * rate else exact
    assert chance(bad, of, rate) == pytest.approx(expected, abs=1e-9)
