"""The simulator, small and seeded: seconds are simulated, the rest are counts and ratios."""

from __future__ import annotations

import pytest

from benchmarks.routing import figures
from benchmarks.routing.policies import arrivals
from benchmarks.routing.simulate import Run, simulate
from benchmarks.routing.world import GROUPS, PROVIDERS, World

PER_MINUTE, HOURS = 120, 3.0
SEEDS = (2, 3)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [simulate(seed, PER_MINUTE, HOURS) for seed in SEEDS]


def test_routing_comes_near_the_oracle(runs: list[Run]) -> None:
    static, ours = sum(one.static for one in runs), sum(one.production for one in runs)
    oracle = sum(one.oracle for one in runs)

    assert static < ours < oracle
    assert (ours - static) / (oracle - static) > 0.5


def test_hard_outages_are_left_within_a_tick(runs: list[Run]) -> None:
    seconds = [s for one in runs for s in one.hard_failover_s]

    assert seconds
    assert max(seconds) <= 10


def test_silent_outages_are_left_within_minutes(runs: list[Run]) -> None:
    seconds = [s for one in runs for s in one.silent_failover_s]

    assert seconds
    assert max(seconds) <= 300


def test_no_cap_is_passed_and_writes_are_few(runs: list[Run]) -> None:
    for one in runs:
        assert one.cap_violations == 0
        assert one.health_writes <= 10 * one.ticks


def test_a_seed_is_a_world() -> None:
    one, same, other = (World(seed, PER_MINUTE, HOURS) for seed in (5, 5, 6))
    cells = [(p, g) for p in PROVIDERS for g in GROUPS]

    def chances(world: World) -> list[float]:
        return [world.chance(*cell, 1000.0) for cell in cells]

    assert chances(one) == chances(same) != chances(other)
    assert one.outages == same.outages
    assert list(arrivals(one, 5)) == list(arrivals(same, 5))
    assert all(sum(arrived.values()) == 20 for _, arrived in arrivals(one, 5))


def test_the_figures_say_on_which_seeds_they_stand(runs: list[Run]) -> None:
    found = {one.name: one for one in figures(runs, runs)}

    assert set(found) == {
        "routing.oracle_gain_600",
        "routing.oracle_gain_60",
        "routing.hard_failover_s",
        "routing.silent_failover_median_s",
        "routing.silent_failover_p95_s",
        "routing.cap_violations",
    }
    for one in found.values():
        assert one.context["seeds"] == list(SEEDS)
        assert one.context["tuned_on"]
    assert found["routing.oracle_gain_600"].at_least
    assert found["routing.cap_violations"].met
