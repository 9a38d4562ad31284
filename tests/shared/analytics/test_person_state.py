"""What people did is noted once a batch, and the same however the stream is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.model import Engagement
from shared.analytics.person_state import PersonStates
from shared.engagement import Deed, EngagementState, Fact, KeptState, day_of
from shared.errors import DependencyUnavailable
from shared.events import Event, EventType
from shared.ids import TRANSACTIONAL_CHUNK, MessageRef, to_bytes, to_text
from shared.mail import MailboxGroup
from tests.fakes import FakeClock, FakePersonStates

WS = to_text("ws", bytes(12))
CAMPAIGNS = [to_text("cmp", bytes([n]) * 12) for n in range(3)]
PEOPLE = [to_text("sub", bytes([n]) * 12) for n in range(4)]
CLOCK = FakeClock()
TODAY = day_of(CLOCK.now())


def event(
    kind: EventType,
    person: int = 0,
    *,
    campaign: int = 0,
    days_ago: int = 0,
    machine: bool = False,
    chunk: int = 0,
) -> Engagement:
    at = CLOCK.now() - timedelta(days=days_ago)
    happened = Event(kind, "ses", f"{kind}{days_ago}", at, kind.value, machine=machine)
    ref = MessageRef(WS, CAMPAIGNS[campaign], chunk, person)
    return Engagement(happened, ref, PEOPLE[person], MailboxGroup.OTHER)


def state(store: FakePersonStates, person: int = 0) -> EngagementState:
    return store.states[WS, PEOPLE[person]].state


def test_one_write_a_person_and_batch_and_none_for_what_is_known() -> None:
    store = FakePersonStates()
    states = PersonStates(store, CLOCK)
    batch = [
        event(EventType.SENT),
        event(EventType.DELIVERED),
        event(EventType.OPENED),
        event(EventType.SENT, 1),
        event(EventType.OPENED, 1, campaign=1),
    ]
    assert states.note(batch) == store.writes == 2
    assert states.note(batch) == 0
    assert store.writes == 2
    assert state(store).campaigns == {to_bytes(CAMPAIGNS[0]): (TODAY, TODAY, 0)}
    assert state(store, 1).newest == (TODAY, TODAY, 0)


@pytest.mark.parametrize(
    "nothing",
    [
        event(EventType.OPENED, machine=True),
        event(EventType.BOUNCED),
        event(EventType.DELIVERED, chunk=TRANSACTIONAL_CHUNK),
        event(EventType.SENT, days_ago=401),
        event(EventType.SENT, days_ago=-2),
    ],
)
def test_what_leaves_no_trace(nothing: Engagement) -> None:
    store = FakePersonStates()
    assert PersonStates(store, CLOCK).note([nothing]) == 0
    assert store.states == {}


EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from([EventType.SENT, EventType.DELIVERED, EventType.OPENED, EventType.CLICKED]),
        st.integers(0, 3),
        campaign=st.integers(0, 2),
        days_ago=st.integers(0, 20),
    ),
    max_size=20,
)


@given(EVENTS, st.integers(0, 20), st.randoms(use_true_random=False))
def test_order_cuts_and_repeats_change_nothing(
    events: list[Engagement], cut: int, random: object
) -> None:
    once, other = FakePersonStates(), FakePersonStates()
    PersonStates(once, CLOCK).note(events)
    shuffled = [*events, *events[:4]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    for part in (shuffled[:cut], shuffled[cut:]):
        PersonStates(other, CLOCK).note(part)
    assert {k: v.state for k, v in once.states.items()} == {
        k: v.state for k, v in other.states.items()
    }


class Raced(FakePersonStates):
    """Another worker writes first, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def save(self, workspace: str, states: Mapping[str, KeptState]) -> set[str]:
        if self.times:
            self.times -= 1
            rival = FakePersonStates()
            rival.states = self.states
            kept = rival.load(WS, [PEOPLE[0]]).get(PEOPLE[0], KeptState(EngagementState()))
            fact = Fact(to_bytes(CAMPAIGNS[2]), Deed.CLICKED, TODAY - self.times)
            rival.save(WS, {PEOPLE[0]: replace(kept, state=kept.state.heard([fact]))})
        return super().save(workspace, states)


def test_who_loses_a_race_reads_again_and_loses_nothing() -> None:
    store = Raced(2)
    assert PersonStates(store, CLOCK).note([event(EventType.SENT)]) == 1
    assert set(state(store).campaigns) == {to_bytes(CAMPAIGNS[0]), to_bytes(CAMPAIGNS[2])}


def test_a_race_that_does_not_end_brings_the_batch_again() -> None:
    with pytest.raises(DependencyUnavailable):
        PersonStates(Raced(99), CLOCK).note([event(EventType.SENT)])


def test_the_versions_rise() -> None:
    store = FakePersonStates()
    PersonStates(store, CLOCK).note([event(EventType.SENT)])
    kept = store.states[WS, PEOPLE[0]]
    assert kept.version == 1
    assert store.save(WS, {PEOPLE[0]: replace(kept, version=0)}) == {PEOPLE[0]}


def test_what_is_heard_of_a_former_address_goes_to_the_present_one() -> None:
    store = FakePersonStates()
    for person in (0, 1, 2):
        note = KeptState(EngagementState(), moved_to=PEOPLE[person + 1])
        store.save(WS, {PEOPLE[person]: note})
    states = PersonStates(store, CLOCK)
    batch = [event(EventType.OPENED), event(EventType.CLICKED, 1), event(EventType.SENT, 3)]
    assert states.note(batch) == 3  # what came by two, by one and by no change of address
    assert states.note(batch) == 0
    assert state(store, 3).campaigns == {to_bytes(CAMPAIGNS[0]): (TODAY, TODAY, TODAY)}
    assert state(store) == state(store, 1) == state(store, 2) == EngagementState()
