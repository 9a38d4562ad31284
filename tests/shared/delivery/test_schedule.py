"""When somebody may be mailed, in every time zone, over midnight and over clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.schedule import (
    ANY_TIME,
    QuietHours,
    Schedule,
    check_schedule,
)

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NIGHT = QuietHours(time(21), time(8))
local = datetime.fromisoformat
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati")


def test_without_times_everybody_may_be_mailed_now() -> None:
    assert ANY_TIME.opens("Europe/Berlin", NOW) == NOW
    assert not ANY_TIME.by_recipient
    assert not ANY_TIME.ended(NOW)


@pytest.mark.parametrize(
    ("zone", "opens"),
    [
        ("Europe/Berlin", NOW),  # 9 in the morning
        ("America/New_York", NOW + timedelta(hours=5)),  # 3 at night
        ("Asia/Tokyo", NOW),  # 5 in the afternoon
        ("Pacific/Auckland", NOW + timedelta(hours=11)),  # exactly 9 in the evening
        ("", NOW + timedelta(hours=5)),  # the campaign's own
        ("Nowhere/Atall", NOW + timedelta(hours=5)),
    ],
)
def test_quiet_hours_are_those_of_the_recipients_clock(zone: str, opens: datetime) -> None:
    schedule = Schedule(quiet_hours=NIGHT, time_zone="America/New_York")
    assert schedule.opens(zone, NOW) == opens


def test_a_local_time_comes_east_first() -> None:
    schedule = Schedule(local_time=local("2026-11-25T09:00"))
    opens = [schedule.opens(zone, NOW) for zone in ("Pacific/Kiritimati", "Asia/Tokyo", "UTC")]
    assert opens == [
        datetime(2026, 11, 24, 19, tzinfo=UTC),
        datetime(2026, 11, 25, 0, tzinfo=UTC),
        datetime(2026, 11, 25, 9, tzinfo=UTC),
    ]


def test_who_has_the_local_time_behind_is_mailed_at_once() -> None:
    schedule = Schedule(local_time=local("2026-11-24T09:00"))
    assert schedule.opens("Asia/Tokyo", NOW) == NOW


quiet_hours = st.builds(
    QuietHours,
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
).filter(lambda quiet: quiet.start != quiet.end)
moments = st.datetimes(local("2026-01-01"), local("2026-12-31"), timezones=st.just(UTC))


@given(quiet_hours, st.sampled_from(ZONES), moments)
def test_nobody_is_mailed_in_quiet_hours_and_no_later_than_they_end(
    quiet: QuietHours, zone: str, now: datetime
) -> None:
    schedule = Schedule(quiet_hours=quiet)
    at = schedule.opens(zone, now)
    assert at >= now
    if at == now:
        return
    assert at - now <= timedelta(hours=25)  # 24, and one when clocks are set back
    for step in range(10):
        before = now + (at - now) * step / 10
        local = before.astimezone(ZoneInfo(zone))
        if local.utcoffset() == at.astimezone(ZoneInfo(zone)).utcoffset():
            assert quiet.cover(local.time())


@given(quiet_hours, st.sampled_from(ZONES), moments)
def test_a_second_look_at_that_time_goes(quiet: QuietHours, zone: str, now: datetime) -> None:
    schedule = Schedule(quiet_hours=quiet)
    looks = 0
    while (at := schedule.opens(zone, now)) > now:
        now, looks = at, looks + 1
    assert looks <= 2


def test_a_schedule_comes_back_from_storage() -> None:
    schedule = Schedule(NOW, NOW + timedelta(days=1), local("2026-12-01T09:00"), NIGHT, "UTC")
    assert Schedule.from_item(schedule.to_item()) == schedule
    assert Schedule.from_item({}) == ANY_TIME


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"start_at": NOW}, "start_at", "in the past"),
        ({"start_at": NOW + timedelta(days=61)}, "start_at", "60 days"),
        ({"end_at": NOW}, "end_at", "later than the present"),
        (
            {"start_at": NOW + timedelta(hours=2), "end_at": NOW + timedelta(hours=1)},
            "end_at",
            "later than start_at",
        ),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "no time zone"),
        ({"local_time": local("2026-11-23T09:00")}, "local_time", "over in every time zone"),
        ({"local_time": local("2027-11-23T09:00")}, "local_time", "60 days"),
        (
            {"local_time": local("2026-12-03T09:00"), "end_at": NOW + timedelta(days=1)},
            "local_time",
            "after end_at",
        ),
        ({"quiet_hours": QuietHours(time(8), time(8))}, "quiet_hours", "leave no time"),
        (
            {"quiet_hours": NIGHT, "local_time": local("2026-12-01T07:00")},
            "local_time",
            "within the quiet hours",
        ),
        (
            {
                "quiet_hours": NIGHT,
                "start_at": NOW + timedelta(hours=14),
                "end_at": NOW + timedelta(hours=20),
            },
            "quiet_hours",
            "before end_at",
        ),
    ],
)
def test_a_schedule_that_cannot_be_kept_names_the_field(
    fields: dict[str, Any], field: str, reason: str
) -> None:
    (problem,) = check_schedule(Schedule(**fields), NOW)
    assert problem.field == field
    assert reason in problem.reason


def test_a_good_schedule_has_no_problem() -> None:
    schedule = Schedule(
        NOW + timedelta(days=1), NOW + timedelta(days=3), None, NIGHT, "Europe/Berlin"
    )
    assert check_schedule(schedule, NOW) == []
