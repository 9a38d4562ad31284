"""The monitor: several workers share one health, and write little."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from shared.analytics.model import Engagement
from shared.delivery.breaker import BreakerState
from shared.delivery.health import Health, Heard, slot_of
from shared.delivery.learning import Evidence
from shared.delivery.monitoring import FRESH_FOR, HealthMonitor, Posted
from shared.errors import DependencyUnavailable, NotFound, StaleWrite
from shared.events import Event, EventType
from shared.ids import MessageRef
from shared.mail import MailboxGroup, SendOutcome, Verdict
from tests.fakes import FakeClock, FakeHealth

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 24, 8, tzinfo=UTC))


@pytest.fixture
def store() -> FakeHealth:
    return FakeHealth()


def _monitor(store: FakeHealth, clock: FakeClock) -> HealthMonitor:
    return HealthMonitor(store, clock, random.Random(1))  # noqa: S311  # jitter


def _answers(verdict: Verdict, count: int = 3, code: str = "503") -> list[Posted]:
    return [Posted("ses", "gmail", SendOutcome(i, verdict, code)) for i in range(count)]


def _event(clock: FakeClock, kind: EventType = EventType.DELIVERED) -> Engagement:
    event = Event(kind, "ses", "e", clock.now(), "x")
    ref = MessageRef("ws_1", "cmp_1", 0, 0)
    return Engagement(event, ref, "sub_1", MailboxGroup.GMAIL, clock.now())


def _at(clock: FakeClock) -> dict[str, datetime]:
    return {"ses": clock.now()}


def test_a_good_round_is_one_write(store: FakeHealth, clock: FakeClock) -> None:
    _monitor(store, clock).posted(_answers(Verdict.ACCEPTED), _at(clock), NOBODY)

    assert store.writes == 1
    assert store.counts[slot_of(clock.now())] == {("ses", "gmail", Heard.ACCEPTED): 3}


def test_one_workers_failure_stops_the_others_within_seconds(
    store: FakeHealth, clock: FakeClock
) -> None:
    one, other = _monitor(store, clock), _monitor(store, clock)
    assert other.current().breaker("ses").admits(clock.now()) is None
    one.posted(_answers(Verdict.NOT_ACCEPTED), _at(clock), NOBODY)

    assert one.current().breaker("ses").admits(clock.now()) == 0
    clock.advance(seconds=FRESH_FOR.total_seconds() - 2)
    assert other.current().breaker("ses").state is BreakerState.CLOSED
    clock.advance(seconds=2)
    assert other.current().breaker("ses").state is BreakerState.OPEN


def test_only_one_worker_gets_the_probe_and_its_success_closes(
    store: FakeHealth, clock: FakeClock
) -> None:
    one, other = _monitor(store, clock), _monitor(store, clock)
    one.posted(_answers(Verdict.NOT_ACCEPTED), _at(clock), NOBODY)
    clock.advance(seconds=10)
    assert one.current().breaker("ses").admits(clock.now())
    assert other.current().breaker("ses").admits(clock.now())

    assert one.claim({"ses"})
    assert not other.claim({"ses"})
    assert other.current().breaker("ses").admits(clock.now()) == 0
    one.posted(_answers(Verdict.ACCEPTED), _at(clock), frozenset({"ses"}))
    assert store.health.breaker("ses").state is BreakerState.CLOSED


def test_a_probe_that_was_claimed_and_not_posted_is_free_again(
    store: FakeHealth, clock: FakeClock
) -> None:
    one, other = _monitor(store, clock), _monitor(store, clock)
    one.posted(_answers(Verdict.NOT_ACCEPTED), _at(clock), NOBODY)
    clock.advance(seconds=10)
    assert one.claim({"ses"})
    assert not other.current().breaker("ses").admits(clock.now())

    one.posted((), {}, frozenset({"ses"}))
    clock.advance(seconds=FRESH_FOR.total_seconds())
    assert other.current().breaker("ses").admits(clock.now())


def test_an_account_out_of_service_is_restored_by_an_operator(
    store: FakeHealth, clock: FakeClock
) -> None:
    monitor = _monitor(store, clock)
    with pytest.raises(NotFound):
        monitor.restore("ses")
    monitor.posted(_answers(Verdict.UNAVAILABLE, code="paused"), _at(clock), NOBODY)
    assert store.health.breaker("ses").state is BreakerState.OUT_OF_SERVICE

    assert monitor.restore("ses").admits(clock.now())


def test_events_are_counted_where_their_messages_were_posted(
    store: FakeHealth, clock: FakeClock
) -> None:
    early = _event(clock)
    clock.advance(minutes=5)
    monitor = _monitor(store, clock)
    monitor.heard([early, _event(clock), _event(clock), _event(clock, EventType.OPENED)])

    assert store.writes == 1
    assert store.counts[slot_of(clock.now())] == {
        ("ses", "gmail", Heard.LATE): 1,
        ("ses", "gmail", Heard.GOOD): 2,
    }
    monitor.heard([])
    assert store.writes == 1


def test_a_quiet_minute_is_saved_once_and_an_alarm_at_once(
    store: FakeHealth, clock: FakeClock
) -> None:
    known = {("ses", g): (950.0, 50.0) for g in ("gmail", "yahoo")}
    store.health = Health(
        1, slot_of(clock.now()), evidence=Evidence.at(clock.now().timestamp(), known)
    )
    monitor = _monitor(store, clock)
    for _ in range(12):
        monitor.posted(_answers(Verdict.ACCEPTED, 1), _at(clock), NOBODY)
        monitor.heard([_event(clock)])
        clock.advance(seconds=10)
        monitor.current()
    assert store.health.version == 2

    monitor.posted(_answers(Verdict.ACCEPTED, 20), _at(clock), NOBODY)
    clock.advance(seconds=55)
    assert monitor.current().probe_share("ses", "gmail", clock.now().timestamp()) < 1
    assert store.health.version == 3
    assert monitor.current() == store.health


class _Busy(FakeHealth):
    """Somebody else always writes first."""

    def save(self, health: Health) -> Health:
        raise StaleWrite(f"another worker was first: {health.version}")


def test_losing_for_ever_is_told(clock: FakeClock) -> None:
    with pytest.raises(DependencyUnavailable, match="'ses'"):
        _monitor(_Busy(), clock).posted(_answers(Verdict.NOT_ACCEPTED), _at(clock), NOBODY)


def test_who_loses_the_save_goes_on_with_what_is_stored(clock: FakeClock) -> None:
    store = _Busy()
    monitor = _monitor(store, clock)
    store.add({slot_of(clock.now()): {("ses", "gmail", Heard.GOOD): 5}})
    clock.advance(seconds=300)

    assert monitor.current().folded >= slot_of(clock.now() - timedelta(seconds=60))
