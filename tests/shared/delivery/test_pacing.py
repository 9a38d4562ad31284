"""No order of takes gives an hour more than a campaign's pace."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.pacing import LIMITED_BY, refund_paced, slice_size, take_paced
from shared.delivery.rates import BucketState

NOON = datetime(2026, 11, 24, 12, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("per_hour", "granted", "retry_at"),
    [(600, 50, "12:10"), (1200, 100, "12:10"), (200, 50, "12:15"), (60, 60, "13:00")],
)
def test_an_hour_is_cut_into_slices(per_hour: int, granted: int, retry_at: str) -> None:
    _, grant = take_paced(BucketState(), per_hour, 500, NOON)
    assert (grant.granted, grant.limited_by) == (granted, LIMITED_BY)
    assert grant.retry_at is not None
    assert f"{grant.retry_at:%H:%M}" == retry_at
    assert slice_size(per_hour) == granted


def test_what_is_given_back_can_be_taken_again_in_its_slice_only() -> None:
    state, grant = take_paced(BucketState(), 600, 500, NOON)
    state = refund_paced(state, 20, grant.start)
    assert take_paced(state, 600, 500, NOON)[1].granted == 20
    later, _ = take_paced(state, 600, 500, NOON + timedelta(minutes=5))
    assert refund_paced(later, 20, grant.start) == later


def test_a_clock_behind_finds_no_old_slice_empty_again() -> None:
    state, _ = take_paced(BucketState(), 600, 500, NOON + timedelta(minutes=5))
    assert take_paced(state, 600, 500, NOON)[1].granted == 0


STEPS = st.lists(
    st.tuples(
        st.timedeltas(min_value=timedelta(seconds=-3), max_value=timedelta(minutes=40)),
        st.integers(0, 700),
    ),
    max_size=60,
)


@given(st.integers(10, 20_000), STEPS)
def test_no_hour_gets_more_than_the_pace(per_hour: int, steps: list[tuple[timedelta, int]]) -> None:
    state, now = BucketState(), NOON
    hours: Counter[str] = Counter()
    for wait, want in steps:
        now += wait
        state, grant = take_paced(state, per_hour, want, now)
        assert 0 <= grant.granted <= want
        assert (grant.granted < want) == (grant.retry_at is not None)
        assert len(state.used or {}) <= 1
        hours[f"{grant.start:%d-%H}"] += grant.granted
    assert all(count <= per_hour for count in hours.values())


@given(st.integers(10, 20_000))
def test_a_whole_hour_gives_all_of_it(per_hour: int) -> None:
    state, total = BucketState(), 0
    start = NOON.replace(minute=0)
    for minute in range(60):
        state, grant = take_paced(state, per_hour, per_hour, start + timedelta(minutes=minute))
        total += grant.granted
    assert total == per_hour
