"""The rule of the frequency cap, held against counting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.frequency import GIVEN, REACHED, Place, Taken, take
from shared.delivery.workspace import FrequencyCap
from shared.mail import MessageKind

START = datetime(2026, 11, 24, 8, tzinfo=UTC)


def place(message: int, until: datetime) -> Place:
    return Place(until, "00000a", f"{message:012x}")


@given(
    waits=st.lists(st.integers(0, 30 * 3600), min_size=1, max_size=40),
    messages=st.integers(1, 4),
    days=st.integers(1, 2),
)
def test_a_message_gets_in_exactly_if_fewer_count(
    waits: list[int], messages: int, days: int
) -> None:
    cap = FrequencyCap(MessageKind.CAMPAIGN, messages, days)
    now, held = START, tuple[Place, ...]()
    let_in: list[datetime] = []
    for number, seconds in enumerate(waits):
        now += timedelta(seconds=seconds)
        counting = sum(now - timedelta(days=days) < until for until in let_in)
        taken, held = take(held, place(number, now), cap, now)
        assert taken == (GIVEN if counting < messages else REACHED)
        if taken.given:
            let_in.append(now)
        assert len(held) <= messages


def test_a_place_that_somebody_may_still_post_under_is_not_moved() -> None:
    cap = FrequencyCap(MessageKind.CAMPAIGN, 1, 1)
    until = START + timedelta(minutes=2)
    first = place(1, until)
    assert take((first,), first, cap, START) == (GIVEN, (first,))
    second = place(1, until + timedelta(seconds=1))
    assert take((first,), second, cap, START) == (Taken(given=False, wait_until=until), (first,))
    assert take((first,), second, cap, until) == (GIVEN, (second,))


def test_what_is_moved_must_fit_too() -> None:
    once = FrequencyCap(MessageKind.CAMPAIGN, 1, 1)
    hour = timedelta(hours=1)
    held = (place(2, START + hour), place(1, START))
    late = START + 2 * hour
    assert take(held, place(1, late + hour), once, late) == (REACHED, held)
