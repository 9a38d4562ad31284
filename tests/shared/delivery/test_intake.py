"""Taking in events: only what the ledger says can be true is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.delivery.intake import EventIntake, IntakeOutcome, IntakeSummary
from shared.delivery.model import GROUPS, Attempt, ChunkKey, ChunkPlan, ChunkRecord
from shared.errors import DependencyUnavailable
from shared.events import Event, EventReport, EventType
from shared.ids import SUBSCRIBER, TRANSACTIONAL_CHUNK, MessageIds, MessageRef, to_text
from shared.mail import MailboxGroup
from tests.fakes import FakeEngagements, FakeLedger
from tests.payloads import KEY, REF

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
IDS = MessageIds(KEY)


class CountingLedger(FakeLedger):
    """Notes which chunks were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []
        self.down = False

    def record(self, key: ChunkKey) -> ChunkRecord:
        self.reads.append(key.chunk)
        if self.down:
            raise DependencyUnavailable("down")
        return super().record(key)


def subscriber(index: int) -> str:
    return to_text(SUBSCRIBER, index.to_bytes(12, "big"))


def key(chunk: int = REF.chunk) -> ChunkKey:
    return ChunkKey(REF.workspace, REF.campaign, chunk)


def attempt(number: int, providers: Sequence[str], assigned: Sequence[int], chunk: int) -> Attempt:
    groups = bytes([GROUPS.index(MailboxGroup.GMAIL)] * len(assigned))
    return Attempt(key(chunk), number, "w", NOW, tuple(providers), bytes(assigned), groups)


class Given:
    """A chunk of ten: the first five went to `ses`, the others to `sendgrid`."""

    def __init__(self, *, chunks: Sequence[int] = (REF.chunk,), cached_chunks: int = 128) -> None:
        self.ledger = CountingLedger()
        self.engagements = FakeEngagements()
        for chunk in chunks:
            self.ledger.put_plan(ChunkPlan(key(chunk), tuple(map(subscriber, range(10)))))
            self.ledger.begin(attempt(1, ["ses", "sendgrid"], [1] * 5 + [2] * 5, chunk))
        self.intake = EventIntake(self.ledger, self.engagements, IDS, cached_chunks=cached_chunks)

    def take(self, *events: Event) -> IntakeSummary:
        return self.intake.take(EventReport(events))


def event(ref: MessageRef = REF, provider: str = "sendgrid", event_id: str = "e1") -> Event:
    return Event(
        type=EventType.OPENED,
        provider=provider,
        event_id=event_id,
        occurred_at=NOW,
        esp_type="open",
        message_id=IDS.make(ref),
    )


def test_an_event_that_the_ledger_confirms_is_stored() -> None:
    given = Given()
    assert given.take(event()) == {IntakeOutcome.STORED: 1}
    (stored,) = given.engagements.by_key.values()
    assert stored.ref == REF
    assert stored.subscriber == subscriber(7)
    assert stored.group is MailboxGroup.GMAIL
    assert stored.event == event()


def test_a_repeated_report_changes_nothing() -> None:
    given = Given()
    given.take(event())
    before = dict(given.engagements.by_key)
    assert given.take(event(), event()) == {IntakeOutcome.STORED: 1, IntakeOutcome.REPEATED: 1}
    assert given.engagements.by_key == before


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [
        (replace(event(), message_id=None), IntakeOutcome.UNMATCHED),
        (replace(event(), message_id="somebody-else-s"), IntakeOutcome.FORGED),
        (replace(event(), message_id=MessageIds(b"other").make(REF)), IntakeOutcome.FORGED),
        (event(replace(REF, chunk=99)), IntakeOutcome.UNKNOWN_MESSAGE),
        (event(replace(REF, index=10)), IntakeOutcome.UNKNOWN_MESSAGE),
        (event(replace(REF, workspace="ws_" + "0" * 20)), IntakeOutcome.UNKNOWN_MESSAGE),
        (event(provider="ses"), IntakeOutcome.WRONG_ACCOUNT),
        (event(provider="postmark"), IntakeOutcome.WRONG_ACCOUNT),
        (event(replace(REF, index=0)), IntakeOutcome.WRONG_ACCOUNT),
    ],
)
def test_what_is_turned_away(refused: Event, outcome: IntakeOutcome) -> None:
    given = Given()
    # It costs no other event of the report.
    assert given.take(refused, event()) == {outcome: 1, IntakeOutcome.STORED: 1}
    assert len(given.engagements.by_key) == 1


def test_malformed_entries_are_counted_too() -> None:
    given = Given()
    report = EventReport((event(),), malformed=2)
    assert given.intake.take(report) == {IntakeOutcome.STORED: 1, IntakeOutcome.MALFORMED: 2}
    assert given.intake.take(EventReport()) == {}


def test_a_transactional_message_goes_the_same_way() -> None:
    given = Given(chunks=[TRANSACTIONAL_CHUNK])
    ref = replace(REF, chunk=TRANSACTIONAL_CHUNK)
    assert given.take(event(ref)) == {IntakeOutcome.STORED: 1}


def test_either_account_of_two_attempts_may_report() -> None:
    given = Given()
    given.ledger.begin(attempt(2, ["postmark"], [0] * 7 + [1, 0, 0], REF.chunk))
    assert given.take(event(), event(provider="postmark", event_id="e2")) == {
        IntakeOutcome.STORED: 2
    }


def test_a_chunk_is_read_once() -> None:
    given = Given()
    for index in (5, 6, 7):
        given.take(event(replace(REF, index=index)), event(replace(REF, index=9)))
    assert given.ledger.reads == [REF.chunk]


def test_a_newer_attempt_is_found_by_reading_again() -> None:
    given = Given()
    given.take(event())
    given.ledger.begin(attempt(2, ["postmark"], [1] * 10, REF.chunk))
    late = [event(provider="postmark", event_id=f"p{n}") for n in range(3)]
    assert given.take(*late) == {IntakeOutcome.STORED: 3}
    assert given.ledger.reads == [REF.chunk] * 2


def test_events_of_a_wrong_account_cost_one_read_a_chunk_and_report() -> None:
    given = Given()
    wrong = [event(provider="postmark", event_id=f"p{n}") for n in range(50)]
    missing = [event(replace(REF, chunk=99), event_id=f"m{n}") for n in range(50)]
    assert given.take(*wrong, *missing) == {
        IntakeOutcome.WRONG_ACCOUNT: 50,
        IntakeOutcome.UNKNOWN_MESSAGE: 50,
    }
    assert given.ledger.reads == [REF.chunk, 99]


def test_the_cache_is_bounded_and_keeps_what_was_used_last() -> None:
    given = Given(chunks=range(3), cached_chunks=2)
    for chunk in (0, 1, 0, 2, 0, 1):
        assert given.take(event(replace(REF, chunk=chunk))) == {IntakeOutcome.STORED: 1}
    assert given.ledger.reads == [0, 1, 2, 1]


def test_a_report_on_more_chunks_than_are_cached() -> None:
    given = Given(chunks=range(9), cached_chunks=2)
    events = [event(replace(REF, chunk=chunk % 9), event_id=f"e{chunk}") for chunk in range(18)]
    assert given.take(*events) == {IntakeOutcome.STORED: 18}
    assert given.ledger.reads == list(range(9))


def test_a_ledger_that_is_down_stores_nothing_and_says_so() -> None:
    given = Given()
    given.ledger.down = True
    with pytest.raises(DependencyUnavailable):
        given.take(event())
    assert given.engagements.by_key == {}
    given.ledger.down = False
    assert given.take(event()) == {IntakeOutcome.STORED: 1}


def test_an_event_that_names_a_copy_is_about_that_person() -> None:
    ref = replace(REF, chunk=TRANSACTIONAL_CHUNK, index=0)
    given = Given(chunks=())
    copies = {"cc": [{"address": "bo@example.com", "name": "", "subscriber": subscriber(8)}]}
    given.ledger.put_plan(ChunkPlan(key(ref.chunk), (subscriber(7),), message=copies))
    given.ledger.begin(attempt(1, ["sendgrid"], [1], ref.chunk))
    events = [event(ref, event_id=str(n)) for n in range(3)]
    named = (None, "ann@example.com", "Bo@Example.com")
    given.take(*(replace(e, address=a) for e, a in zip(events, named, strict=True)))
    stored = given.engagements.of_chunk(ref.workspace, ref.campaign, ref.chunk)
    assert sorted(e.subscriber for e in stored) == [subscriber(7), subscriber(7), subscriber(8)]
