"""Folding outcomes: silence counts, late news corrects, and it does not matter who folds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.health import (
    HEARD_WITHIN_S,
    PATIENCE_S,
    SLOT_S,
    Count,
    Counts,
    Health,
    Heard,
    changed_quarantines,
    due_slot,
    first_unfolded,
    fold,
    heard_of,
    judged_slot,
    slot_of,
    slot_of_heard,
)
from shared.delivery.learning import Beliefs, Evidence
from shared.delivery.quarantine import WHOLE
from shared.events import BounceKind, Event, EventType, RejectReason

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
SLOT = slot_of(NOW)
LATER = NOW + timedelta(seconds=SLOT_S + HEARD_WITHIN_S)
WITNESS: dict[int, Counts] = {SLOT + 5: {("postmark", "gmx", Heard.GOOD): 1}}
"""So that LATER, it is not we who are behind."""
NORMAL = Health(
    folded=SLOT - 1,
    evidence=Evidence.at(
        NOW.timestamp(), {("ses", g): (950.0, 50.0) for g in ("gmail", "yahoo", "gmx", "apple")}
    ),
)


def _counts(group: str = "gmail", **counts: int) -> dict[Count, int]:
    return {("ses", group, Heard[name.upper()]): n for name, n in counts.items()}


def _event(type_: EventType, reason: RejectReason | None = None) -> Event:
    return Event(type_, "ses", "e1", NOW, "x", bounce=BounceKind.HARD, reason=reason)


def test_silence_counts_as_bad_once_the_usual_time_is_over() -> None:
    slots = WITNESS | {SLOT: _counts(accepted=10, good=6, bad=1)}

    early = fold(Health(), slots, LATER - timedelta(seconds=1))
    assert early.evidence.now(("ses", "gmail"), NOW.timestamp()) == (0.0, 0.0)
    health = fold(Health(), slots, LATER)
    assert health.folded == SLOT
    assert health.evidence.now(("ses", "gmail"), LATER.timestamp()) == pytest.approx((6.0, 4.0))


def test_while_nothing_newer_is_heard_silence_may_be_ours() -> None:
    slots = {SLOT: _counts(accepted=10), SLOT + 1: _counts("yahoo", accepted=9, good=9)}

    assert judged_slot(slots, LATER) < SLOT
    assert judged_slot(slots | WITNESS, LATER) == SLOT
    assert judged_slot({**slots, SLOT + 5: _counts(late=3)}, LATER) < SLOT
    behind = fold(NORMAL, slots, LATER + timedelta(seconds=PATIENCE_S - 1))
    assert not changed_quarantines(NORMAL, behind)
    gone = fold(NORMAL, slots, LATER + timedelta(seconds=PATIENCE_S))
    assert gone.folded == SLOT
    assert changed_quarantines(NORMAL, gone)


def test_a_slot_is_folded_once() -> None:
    slots = WITNESS | {SLOT: _counts(accepted=10, good=10)}
    health = fold(Health(), slots, LATER)

    assert fold(health, slots, LATER) == health


@given(
    st.dictionaries(
        st.integers(SLOT, SLOT + 20),
        st.fixed_dictionaries({k: st.integers(0, 9) for k in ("accepted", "good", "bad")}),
        max_size=8,
    ),
    st.integers(0, 200),
)
def test_folding_in_steps_is_folding_at_once(
    slots: dict[int, dict[str, int]], seconds: int
) -> None:
    counted: dict[int, Counts] = {slot: _counts("gmail", **c) for slot, c in slots.items()}
    end, middle = NOW + timedelta(seconds=20 * SLOT_S + 200), NOW + timedelta(seconds=seconds)
    # What is heard of open slots may raise an alarm earlier: that is what it is read for.
    due = {slot: counts for slot, counts in counted.items() if slot <= judged_slot(counted, middle)}

    assert fold(fold(Health(), due, middle), counted, end) == fold(Health(), counted, end)


def test_a_silent_cell_is_quarantined_and_the_others_are_not() -> None:
    slots = WITNESS | {SLOT: _counts(accepted=9) | _counts("yahoo", accepted=40, good=39)}
    health = fold(NORMAL, slots, LATER)

    assert health.probe_share("ses", "gmail", LATER.timestamp()) < 1
    assert health.probe_share("ses", "yahoo", LATER.timestamp()) == 1
    assert changed_quarantines(NORMAL, health)


def test_what_is_blocked_raises_the_alarm_before_the_usual_time() -> None:
    now = NOW + timedelta(seconds=5)
    health = fold(NORMAL, {SLOT: _counts(accepted=20, bad=8)}, now)

    assert health.probe_share("ses", "gmail", now.timestamp()) < 1
    assert health.folded < SLOT


def test_a_provider_that_fails_everywhere_is_quarantined_as_a_whole() -> None:
    slots = {SLOT: _counts(accepted=3) | _counts("yahoo", accepted=3) | _counts("gmx", accepted=3)}
    health = fold(NORMAL, WITNESS | slots, LATER)

    assert health.watches["ses", WHOLE].shut
    assert health.probe_share("ses", "apple", LATER.timestamp()) < 1


def test_a_quarantine_does_not_spoil_what_was_learned() -> None:
    shut = fold(NORMAL, WITNESS | {SLOT: _counts(accepted=50)}, LATER)
    slots = {SLOT + n: _counts(accepted=1) for n in range(1, 60)}
    after = fold(shut, slots, NOW + timedelta(minutes=11))

    moment = (NOW + timedelta(minutes=11)).timestamp()
    assert Beliefs(after.evidence, moment).of("ses", "gmail").mean > 0.9


def test_late_good_news_takes_back_the_silence() -> None:
    slots = {SLOT: _counts(accepted=1), SLOT + 1: _counts(late=1)}
    health = fold(Health(), slots, LATER + timedelta(seconds=SLOT_S + PATIENCE_S))

    good, bad = health.evidence.now(("ses", "gmail"), LATER.timestamp())
    assert good == pytest.approx(1.0, abs=0.01)
    assert bad == pytest.approx(0.0, abs=0.01)


def test_where_an_event_is_counted() -> None:
    assert slot_of_heard(NOW, NOW, NOW, Heard.GOOD) == (SLOT, Heard.GOOD)
    assert slot_of_heard(NOW, LATER, LATER, Heard.GOOD) == (slot_of(LATER), Heard.LATE)
    assert slot_of_heard(NOW, LATER, LATER, Heard.BAD) is None
    assert due_slot(LATER) == SLOT
    assert first_unfolded(Health(), LATER) == slot_of(LATER) - 89
    assert first_unfolded(Health(folded=SLOT), LATER) == SLOT + 1


def test_a_slot_is_open_for_longer_while_we_are_behind() -> None:
    assert slot_of_heard(NOW, NOW, LATER, Heard.BAD) == (SLOT, Heard.BAD)
    assert slot_of_heard(NOW, LATER + timedelta(days=1), LATER, Heard.BAD) is None
    hopeless = LATER + timedelta(seconds=PATIENCE_S)
    assert slot_of_heard(NOW, NOW, hopeless, Heard.GOOD) == (slot_of(hopeless), Heard.LATE)


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        (_event(EventType.DELIVERED), Heard.GOOD),
        (_event(EventType.DEFERRED), Heard.BAD),
        (_event(EventType.BOUNCED, RejectReason.BLOCKED), Heard.BAD),
        (_event(EventType.BOUNCED, RejectReason.INVALID), Heard.GOOD),
        (_event(EventType.REJECTED, RejectReason.UNSUBSCRIBED), Heard.GOOD),
        (_event(EventType.SENT), None),
        (_event(EventType.OPENED), None),
    ],
)
def test_what_an_event_says_of_the_provider(event: Event, heard: Heard | None) -> None:
    assert heard_of(event) is heard


def test_counting_is_adding() -> None:
    one, two = Counter(_counts(good=1)), Counter(_counts(good=2, bad=1))

    assert one + two == two + one
