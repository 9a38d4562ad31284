"""A warm-up advances with days on which mail was sent, however its check is triggered."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import WarmingSchedules
from shared.delivery.rates import Limits, take
from shared.errors import ConfigurationError
from shared.warming.model import Schedule, Warmup
from shared.warming.policy import check
from shared.warming.service import WarmingService
from tests.fakes import FakeClock, FakeRates, FakeWarmups

SHIPPED = WarmingSchedules.parse(Path("config/warming_schedule.json").read_text())
SCHEDULE = Schedule("default", SHIPPED.per_day, SHIPPED.idle_days_until_restart)
START = date(2026, 11, 1)


def test_the_shipped_schedule_goes_from_50_to_3000_in_30_days() -> None:
    assert len(SHIPPED.per_day) == 30
    assert (SHIPPED.per_day[0], SHIPPED.per_day[-1]) == (50, 3000)


@pytest.mark.parametrize("per_day", [[], [0, 1], [5, 4], ["x"]])
def test_a_schedule_that_makes_no_sense_is_refused(per_day: list[object]) -> None:
    with pytest.raises(ConfigurationError, match=r"warming_schedule\.json"):
        WarmingSchedules.parse(json.dumps({"per_day": per_day}))


def run(days: list[bool], checks: list[int]) -> Warmup:
    """Days on which mail is or is not sent, and on each how often the cron fires."""
    warmup: Warmup | None = None
    sent: dict[date, int] = {}
    for number, (busy, times) in enumerate(zip(days, checks, strict=True)):
        today = START + timedelta(days=number)
        for _ in range(times):
            warmup = check(warmup, SCHEDULE, sent, today, "ses").warmup
        if busy:
            sent[today] = 10
    last = check(warmup, SCHEDULE, sent, START + timedelta(days=len(days)), "ses")
    return last.warmup


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=90))
def test_missed_doubled_and_late_triggers_end_in_the_same_state(
    days: list[tuple[bool, int]],
) -> None:
    busy = [True] + [b for b, _ in days[1:]]
    clean = run(busy, [1] * len(days))
    messy = run(busy, [1] + [times for _, times in days[1:]])
    assert (messy.day, messy.done) == (clean.day, clean.done)


def test_a_day_without_mail_does_not_count() -> None:
    assert run([True, False, False, True], [1, 1, 1, 1]).day == 3


def test_a_month_without_mail_starts_again() -> None:
    warmup = run([True] * 10 + [False] * 31, [1] * 41)
    assert (warmup.day, warmup.started_on) == (1, START + timedelta(days=39))


def test_past_the_last_day_there_is_no_quota() -> None:
    warmup = Warmup("ses", START, day=30, checked_on=START)
    step = check(warmup, SCHEDULE, {START: 3000}, START + timedelta(days=1), "ses")
    assert (step.quota, step.decision, step.warmup.done) == (None, "done", True)


def test_the_service_writes_the_quota_that_the_dispatchers_take_from() -> None:
    clock, rates, warmups = FakeClock(), FakeRates(), FakeWarmups()
    service = WarmingService(warmups, rates, SCHEDULE, clock)
    service.advance(["ses"], ["sendgrid"])
    state = rates.load("ses")
    assert state.quota == 50
    after, grant = take(state, Limits(), 80, clock.now())
    assert (grant.granted, grant.limited_by) == (50, "warmup_quota")
    rates.save("ses", after)
    clock.advance(days=1)
    service.advance(["ses"], ["sendgrid"])
    service.advance(["ses"], ["sendgrid"])
    assert rates.load("ses").quota == SCHEDULE.per_day[1]
    assert rates.load("sendgrid").quota is None


def test_a_provider_that_stops_warming_has_its_quota_lifted() -> None:
    rates = FakeRates()
    service = WarmingService(FakeWarmups(), rates, SCHEDULE, FakeClock())
    service.advance(["ses"], [])
    service.advance([], ["ses"])
    assert rates.load("ses").quota is None
