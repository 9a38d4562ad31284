"""No order of takes and refunds, by any number of racing workers, passes a limit."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.rates import (
    MAX_LEAD_S,
    BucketState,
    Grant,
    GroupLimits,
    Limits,
    refund,
    take,
    windows,
)
from shared.errors import StaleWrite

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

LIMITS = st.builds(
    Limits,
    per_second=st.none() | st.floats(min_value=0.001, max_value=5000),
    per_hour=st.none() | st.integers(1, 2000),
    per_day=st.none() | st.integers(1, 5000),
)
QUOTAS = st.none() | st.integers(0, 3000)
STEPS = st.lists(
    st.tuples(
        st.timedeltas(min_value=timedelta(seconds=-3), max_value=timedelta(hours=9)),
        st.integers(0, 700),
        st.sampled_from((0.0, 0.0, 0.5, 1.0)),
    ),
    max_size=40,
)


def test_a_take_within_all_limits_is_granted_whole_and_at_once() -> None:
    state, grant = take(BucketState(), Limits(100, 1000, 5000), 500, NOON)

    assert grant == Grant(500, NOON, per_second=100)
    assert state.used == {"h2026-11-24T12": 500, "d2026-11-24": 500}
    assert state.paced_until == NOON + timedelta(seconds=5)


def test_the_next_take_starts_where_the_last_one_ends() -> None:
    state, _ = take(BucketState(), Limits(per_second=100), 500, NOON)
    _, grant = take(state, Limits(per_second=100), 500, NOON + timedelta(seconds=1))

    assert grant.start == NOON + timedelta(seconds=5)


def test_a_take_never_books_far_ahead() -> None:
    state, first = take(BucketState(), Limits(per_second=14), 500, NOON)
    _, second = take(state, Limits(per_second=14), 500, NOON)

    assert (first.granted, first.limited_by) == (280, "per_second")
    assert (second.granted, second.retry_at) == (0, NOON + timedelta(seconds=MAX_LEAD_S))


def test_a_rate_below_one_a_lead_still_sends() -> None:
    limits = Limits(per_second=0.01)
    state, first = take(BucketState(), limits, 5, NOON)
    assert first.retry_at is not None
    _, second = take(state, limits, 5, first.retry_at)

    assert (first.granted, second.granted) == (1, 1)
    assert first.retry_at == NOON + timedelta(seconds=100)


@pytest.mark.parametrize(
    ("limits", "quota", "limited_by", "retry_at"),
    [
        (Limits(per_hour=10), None, "per_hour", NOON + timedelta(hours=1)),
        (Limits(per_day=10), None, "per_day", NOON + timedelta(hours=12)),
        (Limits(), 10, "warmup_quota", NOON + timedelta(hours=12)),
        (Limits(per_hour=10, per_day=10), None, "per_day", NOON + timedelta(hours=12)),
    ],
)
def test_a_grant_says_which_window_was_in_the_way(
    limits: Limits, quota: int | None, limited_by: str, retry_at: datetime
) -> None:
    _, grant = take(BucketState(quota=quota), limits, 25, NOON)

    assert (grant.granted, grant.limited_by, grant.retry_at) == (10, limited_by, retry_at)


def test_a_refund_can_be_taken_again() -> None:
    limits = Limits(per_day=10)
    state, _ = take(BucketState(), limits, 10, NOON)
    _, grant = take(refund(state, 4, NOON), limits, 10, NOON)

    assert grant.granted == 4


def test_a_take_counts_in_the_hour_in_which_it_is_posted_and_so_does_its_refund() -> None:
    limits = Limits(per_second=10, per_hour=100)
    late = NOON - timedelta(seconds=5)
    state, first = take(BucketState(), limits, 100, late)
    state, second = take(state, limits, 100, late)
    back = refund(state, 30, second.start)

    assert (first.granted, second.granted) == (100, 100)
    assert (state.count("h2026-11-24T12"), back.count("h2026-11-24T12")) == (100, 70)


def test_a_refund_of_a_forgotten_window_changes_nothing() -> None:
    state, _ = take(BucketState(), Limits(), 10, NOON)

    assert refund(state, 4, NOON - timedelta(days=9)).used == state.used


def test_a_worker_whose_clock_is_behind_does_not_reopen_a_window_that_is_over() -> None:
    limits = Limits(per_hour=10)
    state, _ = take(BucketState(), limits, 10, NOON)
    state, late = take(state, limits, 10, NOON - timedelta(milliseconds=1))
    _, again = take(state, limits, 10, NOON)

    assert (late.granted, again.granted) == (0, 0)


@given(LIMITS, QUOTAS, STEPS)
def test_no_sequence_passes_a_limit(
    limits: Limits, quota: int | None, steps: list[tuple[timedelta, int, float]]
) -> None:
    state, now = BucketState(quota=quota), NOON
    used: Counter[str] = Counter()
    grants: list[Grant] = []
    for wait, want, returned in steps:
        now += wait
        before = state
        state, grant = take(state, limits, want, now)
        assert 0 <= grant.granted <= want
        assert (grant.granted < want) == bool(grant.limited_by) == (grant.retry_at is not None)
        if not grant.granted:
            assert state == before
            continue
        grants.append(grant)
        back = int(grant.granted * returned)
        assert state.used is not None
        hour, day = (max(w for w in state.used if w[0] == kind) for kind in "hd")
        state = refund(state, back, grant.start)
        # A refund by a clock behind may find its window gone: it then gives nothing back.
        used.update({hour: grant.granted, day: grant.granted})
        if (hour, day) == windows(grant.start):
            used.subtract({hour: back, day: back})
        for window, count in used.items():
            limit = limits.per_hour if window[0] == "h" else limits.per_day
            assert limit is None or count <= limit
            assert window[0] == "h" or quota is None or count <= quota
        assert len(state.used or {}) <= 4
    _paced(grants, limits)


@given(LIMITS, QUOTAS, st.integers(1, 700), st.integers(1, 700))
def test_more_can_be_had_at_the_time_that_a_grant_names(
    limits: Limits, quota: int | None, first: int, second: int
) -> None:
    state, _ = take(BucketState(quota=quota), limits, first, NOON)
    state, grant = take(state, limits, second, NOON)
    if grant.retry_at is None:
        assert grant.granted == second
    else:
        _, later = take(state, limits, 1, grant.retry_at)
        assert later.granted == (0 if quota == 0 else 1)


@dataclass
class Shelf:
    """A versioned store, as `RateStore` is."""

    state: BucketState = field(default_factory=BucketState)

    def save(self, state: BucketState) -> None:
        if state.version != self.state.version:
            raise StaleWrite("another worker was first")
        self.state = replace(state, version=state.version + 1)


@given(LIMITS, QUOTAS, st.randoms(use_true_random=False))
def test_fifty_racing_workers_never_pass_a_limit(
    limits: Limits, quota: int | None, chance: random.Random
) -> None:
    shelf = Shelf(BucketState(quota=quota))
    read = [shelf.state] * 50
    now = NOON
    grants: list[Grant] = []
    stale = 0
    for _ in range(300):
        worker = chance.randrange(50)
        now += timedelta(milliseconds=chance.choice((0, 1, 40, 900)))
        if chance.random() < 0.4:
            read[worker] = shelf.state
            continue
        state, grant = take(read[worker], limits, chance.randint(1, 60), now)
        if not grant.granted:
            continue
        try:
            shelf.save(state)
        except StaleWrite:
            stale += 1
            read[worker] = shelf.state
        else:
            grants.append(grant)
    total = sum(grant.granted for grant in grants)
    ceilings = [n for n in (limits.per_hour, limits.per_day, quota) if n is not None]
    assert stale > 0 or len(grants) < 2
    assert total <= min(ceilings, default=total)
    assert shelf.state.count(windows(NOON)[1]) == total
    _paced(grants, limits)


def _paced(grants: list[Grant], limits: Limits) -> None:
    """Each grant's time is long enough for its messages, and no two overlap.

    Posting one message every 1 / per_second from `start` on then keeps any
    interval of any length at or below `per_second`.
    """
    if limits.per_second is None:
        return
    slot = 1_000_000 / Fraction(limits.per_second)
    end = Fraction(0)
    for grant in grants:
        start = Fraction((grant.start - NOON) // timedelta(microseconds=1))
        assert not end or start >= end
        end = start + grant.granted * slot


GMAIL_100 = Limits(per_hour=1000, groups={"gmail": GroupLimits(per_hour=100)})


def test_a_group_has_windows_of_its_own_within_the_providers() -> None:
    wants = {"gmail": 150, "other": 50}
    state, grant = take(BucketState(), GMAIL_100, 200, NOON, by_group=wants)
    assert (grant.granted, grant.by_group) == (150, {"gmail": 100, "other": 50})
    assert (grant.short, grant.limited_by) == ({"gmail": "per_hour"}, "gmail per_hour")
    assert grant.retry_at == NOON + timedelta(hours=1)
    assert state.groups == {"gmail": {"h2026-11-24T12": 100, "d2026-11-24": 100}}
    assert state.count("h2026-11-24T12") == 150


def test_what_the_providers_windows_hold_back_is_not_the_groups_fault() -> None:
    limits = Limits(per_hour=60, groups={"gmail": GroupLimits(per_hour=100)})
    _, grant = take(BucketState(), limits, 200, NOON, by_group={"gmail": 150, "other": 50})
    assert (grant.granted, grant.limited_by, grant.short) == (60, "per_hour", {})


def test_a_refund_names_its_groups() -> None:
    state, grant = take(BucketState(), GMAIL_100, 100, NOON, by_group={"gmail": 100})
    state = refund(state, 30, grant.start, {"gmail": 30})
    _, again = take(state, GMAIL_100, 100, NOON, by_group={"gmail": 100})
    assert again.by_group == {"gmail": 30}


def test_bulk_mail_leaves_a_share_of_every_window_to_transactional_mail() -> None:
    limits = Limits(per_hour=600, reserve=0.05)
    state, bulk = take(BucketState(), limits, 1000, NOON)
    assert (bulk.granted, bulk.limited_by) == (570, "per_hour")
    state, express = take(state, limits, 100, NOON, express=True)
    assert express.granted == 30
    assert take(state, limits, 1, NOON, express=True)[1].granted == 0


def test_a_warm_up_quota_has_a_reserve_too() -> None:
    limits = Limits(reserve=0.05)
    state, bulk = take(BucketState(quota=100), limits, 500, NOON)
    _, express = take(state, limits, 500, NOON, express=True)
    assert (bulk.granted, express.granted) == (95, 5)


def test_transactional_mail_never_waits_behind_booked_time() -> None:
    limits = Limits(per_second=10, reserve=0.05)
    state, bulk = take(BucketState(), limits, 500, NOON)
    assert bulk.per_second == pytest.approx(9.5)
    state, express = take(state, limits, 1, NOON, express=True)
    assert express.start == NOON
    assert express.per_second == pytest.approx(0.5)
    assert take(state, limits, 1, NOON)[1].granted == 0


def test_transactional_mail_alone_has_the_whole_rate() -> None:
    limits = Limits(per_second=100, reserve=0.05)
    state, first = take(BucketState(), limits, 10, NOON, express=True)
    _, second = take(state, limits, 1, NOON, express=True)
    assert first.per_second == pytest.approx(95)
    assert second.start == NOON
    assert second.per_second == pytest.approx(5)


GROUPS = ("gmail", "yahoo", "other")
GROUP_LIMITS = st.dictionaries(
    st.sampled_from(GROUPS[:2]),
    st.builds(
        GroupLimits,
        per_hour=st.none() | st.integers(1, 300),
        per_day=st.none() | st.integers(1, 900),
    ),
)
GROUP_STEPS = st.lists(
    st.tuples(
        st.timedeltas(min_value=timedelta(seconds=-3), max_value=timedelta(hours=9)),
        st.fixed_dictionaries(dict.fromkeys(GROUPS, st.integers(0, 200))),
        st.booleans(),
    ),
    max_size=25,
)


@given(LIMITS, GROUP_LIMITS, st.sampled_from((0.0, 0.05, 0.5)), QUOTAS, GROUP_STEPS)
def test_no_sequence_passes_a_groups_limit_or_uses_up_a_reserve(
    limits: Limits,
    groups: dict[str, GroupLimits],
    reserve: float,
    quota: int | None,
    steps: list[tuple[timedelta, dict[str, int], bool]],
) -> None:
    limits = replace(limits, groups=groups, reserve=reserve)
    state, now = BucketState(quota=quota), NOON
    for wait, wants, express in steps:
        now += wait
        want = sum(wants.values())
        before = state
        state, grant = take(state, limits, want, now, by_group=wants, express=express)
        assert grant.granted == sum(grant.by_group.values()) <= want
        assert all(grant.by_group[group] <= wants[group] for group in wants)
        assert (grant.granted < want) == bool(grant.limited_by) == (grant.retry_at is not None)
        for group, own in groups.items():
            for window, count in state.groups.get(group, {}).items():
                limit = own.per_hour if window[0] == "h" else own.per_day
                assert limit is None or count <= limit
        for window, count in (state.used or {}).items():
            for limit in (limits.per_hour,) if window[0] == "h" else (limits.per_day, quota):
                assert limit is None or count <= limit
                if limit is not None and not express and grant.granted:
                    taken = count - before.count(window)
                    assert taken == 0 or count <= limit - int(limit * reserve)


@given(st.floats(0.01, 5000), st.sampled_from((0.05, 0.2)), STEPS, st.randoms())
def test_both_lanes_together_never_pass_the_rate(
    rate: float,
    reserve: float,
    steps: list[tuple[timedelta, int, float]],
    chance: random.Random,
) -> None:
    limits = Limits(per_second=rate, reserve=reserve)
    state, now = BucketState(), NOON
    lanes: dict[float | None, list[Grant]] = {}
    for wait, want, _ in steps:
        now += max(wait, timedelta())
        state, grant = take(state, limits, want, now, express=chance.random() < 0.5)
        if grant.granted:
            lanes.setdefault(grant.per_second, []).append(grant)
    assert sum(lane for lane in lanes if lane) <= rate * (1 + 1e-9)
    for lane, grants in lanes.items():
        _paced(grants, Limits(per_second=lane))
