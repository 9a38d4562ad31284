"""The change detector: quick on a change, quiet without one, and able to end by itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.quarantine import (
    LATER_PROBE_SHARE,
    PROBE_SHARE,
    QUARANTINE_S,
    RELEASED_SCORE,
    THRESHOLD,
    Watch,
    observe,
)

counts = st.integers(0, 50)


@given(
    st.builds(Watch, st.floats(0, THRESHOLD), st.floats(0, 2000)),
    counts,
    counts,
    st.floats(0, 1),
    st.booleans(),
)
def test_the_score_stays_between_zero_and_the_threshold(
    watch: Watch, good: int, bad: int, normal: float, whole: bool
) -> None:
    after = observe(watch, good, bad, normal, 1000.0, whole=whole)

    assert 0 <= after.score <= THRESHOLD


@given(counts, counts, counts, st.floats(0, 1))
def test_more_bad_news_never_calms(good: int, bad: int, more: int, normal: float) -> None:
    less = observe(Watch(), good, bad, normal, 0.0)

    assert observe(Watch(), good, bad + more, normal, 0.0).score >= less.score


@pytest.mark.parametrize("normal", [0.05, 0.1, 0.2])
def test_a_cell_that_fails_wholly_is_caught_within_a_few_messages(normal: float) -> None:
    watch, messages = Watch(), 0
    while not watch.until:
        messages += 1
        watch = observe(watch, 0, 1, normal, 50.0)

    assert messages <= 9
    assert watch.shut
    assert watch.probe_share(50.0 + QUARANTINE_S - 1) == PROBE_SHARE
    assert watch.probe_share(50.0 + QUARANTINE_S) == LATER_PROBE_SHARE


@pytest.mark.parametrize("normal", [0.05, 0.3, 0.6])
def test_what_is_usual_raises_no_alarm(normal: float) -> None:
    rng, watch, alarms = random.Random(3), Watch(), 0  # noqa: S311  # a simulation
    for _ in range(3000):
        bad = rng.random() < normal
        watch = observe(watch, not bad, bad, normal, 0.0)
        if watch.until:
            alarms, watch = alarms + 1, Watch()
    assert alarms <= 6


def test_one_group_of_many_is_no_outage_of_the_whole_provider() -> None:
    watch = Watch()
    for _ in range(100):
        watch = observe(watch, 7, 3, 0.05, 0.0, whole=True)

    assert watch.until == 0


def test_good_probes_end_a_quarantine_early() -> None:
    watch = Watch(THRESHOLD, 300.0)
    for _ in range(20):
        watch = observe(watch, 1, 0, 0.1, 100.0)

    assert watch == Watch()


def test_bad_probes_prolong_it() -> None:
    assert observe(Watch(THRESHOLD, 300.0), 0, 2, 0.1, 301.0) == Watch(THRESHOLD, 601.0)


def test_after_its_minutes_a_few_good_probes_end_it() -> None:
    watch = observe(Watch(THRESHOLD, 300.0), 1, 0, 0.1, 301.0)
    assert watch.shut
    watch = observe(watch, 7, 0, 0.1, 400.0)

    assert not watch.shut
    assert 0 < watch.score < RELEASED_SCORE


def test_without_news_nothing_changes() -> None:
    watch = Watch(THRESHOLD, 300.0)

    assert observe(watch, 0, 0, 0.1, 400.0) is watch
    assert Watch().probe_share(0.0) == 1
