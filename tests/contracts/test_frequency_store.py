"""Places under a frequency cap: DynamoDB and the fake behave alike, and as the rule says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from threading import Lock
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.units import WRITE_UNIT_BYTES, item_size
from shared.delivery.frequency import GIVEN, REACHED, Place, Taken
from shared.delivery.ports import FrequencyStore
from shared.delivery.workspace import MAX_CAP_MESSAGES, FrequencyCap
from shared.errors import DependencyUnavailable
from shared.ids import SUBSCRIBER, WORKSPACE, to_text
from shared.mail import MessageKind
from shared.storage.frequency import DynamoFrequency, FrequencyItem
from shared.storage.tables import RawItem
from tests.fakes import FakeFrequency

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEASE = timedelta(seconds=115)
WS, ANN, BOB = to_text(WORKSPACE, b"w" * 12), *(to_text(SUBSCRIBER, x * 12) for x in (b"a", b"b"))
TWO_IN_A_WEEK = FrequencyCap(MessageKind.CAMPAIGN, 2, 7)


@pytest.fixture(params=["fake", "dynamo"])
def store(request: pytest.FixtureRequest) -> FrequencyStore:
    if request.param == "fake":
        return FakeFrequency()
    request.getfixturevalue("dynamo")
    return DynamoFrequency()


def place(message: int, at: datetime = NOW, owner: int = 1) -> Place:
    return Place(at + LEASE, f"{owner:06x}", f"{message:012x}")


def test_so_many_and_no_more_until_the_days_are_over(store: FrequencyStore) -> None:
    def take(message: int, at: datetime, who: str = ANN) -> Taken:
        return store.take(WS, who, TWO_IN_A_WEEK, place(message, at), at)

    day, week = timedelta(days=1), timedelta(days=7)
    assert take(1, NOW) == take(2, NOW + day) == GIVEN
    assert take(3, NOW + 2 * day) == REACHED
    assert take(3, NOW + 2 * day, BOB) == GIVEN
    assert take(4, NOW + LEASE + week - timedelta(seconds=1)) == REACHED
    assert take(4, NOW + LEASE + week) == GIVEN
    assert take(5, NOW + LEASE + week + day / 2) == REACHED
    assert take(5, NOW + LEASE + week + day) == GIVEN


def test_kinds_and_workspaces_count_apart(store: FrequencyStore) -> None:
    once = FrequencyCap(MessageKind.CAMPAIGN, 1, 1)
    other = FrequencyCap(MessageKind.TRANSACTIONAL, 1, 1)
    assert store.take(WS, ANN, once, place(1), NOW) == GIVEN
    assert store.take(WS, ANN, other, place(2), NOW) == GIVEN
    assert store.take("ws_2", ANN, once, place(3), NOW) == GIVEN
    assert store.take(WS, ANN, once, place(4), NOW) == REACHED
    store.forget(WS, ANN)
    store.forget(WS, BOB)
    assert store.take(WS, ANN, once, place(4), NOW) == GIVEN
    assert store.take(WS, ANN, other, place(4), NOW) == GIVEN
    assert store.take("ws_2", ANN, once, place(4), NOW) == REACHED


def test_the_same_message_counts_once(store: FrequencyStore) -> None:
    first, later = place(1), NOW + timedelta(hours=6)
    assert store.take(WS, ANN, TWO_IN_A_WEEK, first, NOW) == GIVEN
    assert store.take(WS, ANN, TWO_IN_A_WEEK, first, NOW) == GIVEN
    # Another worker has the message for as long as this one may post, and no longer.
    second = place(1, NOW + timedelta(seconds=30), owner=2)
    held = store.take(WS, ANN, TWO_IN_A_WEEK, second, NOW + timedelta(seconds=30))
    assert held == Taken(given=False, wait_until=first.until)
    moved = place(1, later, owner=2)
    assert store.take(WS, ANN, TWO_IN_A_WEEK, moved, later) == GIVEN
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(2, later), later) == GIVEN
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(3, later), later) == REACHED
    # It counts from its last time on.
    over = first.until + timedelta(days=7)
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(3, over), over) == REACHED


def test_what_is_given_back_is_free(store: FrequencyStore) -> None:
    for message in (1, 2):
        assert store.take(WS, ANN, TWO_IN_A_WEEK, place(message), NOW) == GIVEN
    store.give_back(WS, ANN, TWO_IN_A_WEEK, place(2))
    store.give_back(WS, ANN, TWO_IN_A_WEEK, place(2))
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(3), NOW) == GIVEN
    store.give_back(WS, ANN, TWO_IN_A_WEEK, place(1))  # which is not the newest
    store.give_back(WS, ANN, TWO_IN_A_WEEK, place(3, owner=2))  # which is another's
    store.give_back(WS, BOB, TWO_IN_A_WEEK, place(3))
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(4), NOW) == GIVEN
    assert store.take(WS, ANN, TWO_IN_A_WEEK, place(5), NOW) == REACHED


def test_a_cap_that_changes_counts_what_is_there(store: FrequencyStore) -> None:
    def take(messages: int, days: int, message: int, at: datetime) -> Taken:
        cap = FrequencyCap(MessageKind.CAMPAIGN, messages, days)
        return store.take(WS, ANN, cap, place(message, at), at)

    day = timedelta(days=1)
    assert [take(2, 7, n, NOW + n * day) for n in range(3)] == [GIVEN, GIVEN, REACHED]
    assert [take(4, 7, n, NOW + n * day) for n in range(2, 5)] == [GIVEN, GIVEN, REACHED]
    assert take(2, 7, 4, NOW + 4 * day) == REACHED
    assert take(2, 1, 4, NOW + 4 * day) == GIVEN
    assert take(1, 1, 5, NOW + 4.5 * day) == REACHED


@pytest.mark.usefixtures("dynamo")
@pytest.mark.parametrize("messages", [1, 3])
def test_fifty_at_once_and_only_so_many_get_in(
    messages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, one_by_one = FrequencyItem.change_raw, Lock()

    def changed(*request: Any) -> RawItem | None:
        with one_by_one:  # DynamoDB's writes of an item are, Moto's are not
            return change(*request)

    monkeypatch.setattr(FrequencyItem, "change_raw", changed)
    store, cap = DynamoFrequency(), FrequencyCap(MessageKind.CAMPAIGN, messages, 7)

    def race(number: int) -> Taken:
        at = NOW + timedelta(seconds=number % 7)
        return store.take(WS, ANN, cap, place(number, at, number), at)

    with ThreadPoolExecutor(50) as threads:
        results = list(threads.map(race, range(50)))
    assert results.count(GIVEN) == messages
    assert results.count(REACHED) == 50 - messages


@pytest.mark.usefixtures("dynamo")
def test_who_is_never_first_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = count(1)

    def overtaken(*_: object) -> RawItem:
        return {"n": {"N": str(next(versions))}, "s0": {"S": "0"}}

    monkeypatch.setattr(FrequencyItem, "change_raw", overtaken)
    with pytest.raises(DependencyUnavailable, match="40 times"):
        DynamoFrequency().take(WS, ANN, TWO_IN_A_WEEK, place(1), NOW)


@pytest.mark.usefixtures("dynamo")
def test_the_fullest_item_is_one_write_unit_and_goes_by_itself() -> None:
    store = DynamoFrequency()
    cap = FrequencyCap(MessageKind.TRANSACTIONAL, MAX_CAP_MESSAGES, 31)
    for n in range(MAX_CAP_MESSAGES):
        assert store.take(WS, ANN, cap, place(n, NOW + n * LEASE), NOW + n * LEASE) == GIVEN
    last = NOW + MAX_CAP_MESSAGES * LEASE
    assert store.take(WS, ANN, cap, place(99, last), last) == REACHED
    key = f"ws#{WS}#{ANN}", "transactional"
    (raw,) = FrequencyItem.find_many_raw([key])
    assert item_size(raw) < WRITE_UNIT_BYTES
    assert int(raw["ttl"]["N"]) == (last + timedelta(days=31)).timestamp()
    places = [raw[f"s{n}"]["S"] for n in range(MAX_CAP_MESSAGES)]
    assert all(later > earlier for later, earlier in pairwise(places))


Step = tuple[str, int, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "back"]),
        st.integers(0, 4),  # message
        st.integers(0, 1),  # owner
        st.sampled_from([0, 1, 60, 116, 3600, 40_000, 86_400]),  # seconds since the step before
    ),
    max_size=25,
)


@pytest.mark.usefixtures("dynamo")
@given(steps=STEPS, messages=st.integers(1, 3), changes=st.booleans())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_conditions_say_what_the_rule_says(
    steps: list[Step], messages: int, changes: bool
) -> None:
    real, fake = DynamoFrequency(), FakeFrequency()
    real.forget(WS, ANN)
    now, known = NOW, dict[tuple[int, int], Place]()
    for number, (verb, message, owner, seconds) in enumerate(steps):
        now += timedelta(seconds=seconds)
        now_cap = max(1, messages - (changes and number > 12))
        cap = FrequencyCap(MessageKind.CAMPAIGN, now_cap, 1)
        if verb == "take":
            known[message, owner] = wanted = place(message, now, owner)
            assert real.take(WS, ANN, cap, wanted, now) == fake.take(WS, ANN, cap, wanted, now)
        elif (message, owner) in known:
            for store in (real, fake):
                store.give_back(WS, ANN, cap, known[message, owner])
