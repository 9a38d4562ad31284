"""Instants as numbers and as text, exact and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock, from_iso, from_millis, to_iso, to_millis

zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    timezones=zones,
)


def to_the_millisecond(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=moment.microsecond % 1000)


@given(moments)
def test_text_comes_back_to_the_millisecond(moment: datetime) -> None:
    text = to_iso(moment)
    assert from_iso(text) == to_the_millisecond(moment)
    assert from_iso(text).tzinfo is UTC
    assert len(text) == len("2026-11-24T08:15:30.123Z")


@given(moments)
def test_numbers_come_back_to_the_millisecond(moment: datetime) -> None:
    assert from_millis(to_millis(moment)) == to_the_millisecond(moment)


@given(moments, moments)
def test_text_and_numbers_sort_as_the_instants(one: datetime, other: datetime) -> None:
    one, other = to_the_millisecond(one), to_the_millisecond(other)
    assert (to_iso(one) < to_iso(other)) == (one < other)
    assert (to_millis(one) < to_millis(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-24T08:15:30.123Z", 1795508130123),
        ("2026-11-24T09:15:30.123+01:00", 1795508130123),
    ],
)
def test_known_instants(text: str, millis: int) -> None:
    assert to_millis(from_iso(text)) == millis


@pytest.mark.parametrize("text", ["", "now", "2026-11-24", "2026-11-24T08:15:30", "2026-13-01T00Z"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_iso(text)


def test_the_systems_clock_knows_its_zone() -> None:
    assert SystemClock().now().tzinfo is UTC
