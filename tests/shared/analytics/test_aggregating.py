"""However the stream is cut, repeated or interrupted, the counters come out the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.aggregating import Aggregator, Record
from shared.analytics.model import Engagement
from shared.events import BounceKind, Event, EventType
from shared.ids import TRANSACTIONAL_CHUNK, MessageRef
from shared.mail import MailboxGroup
from tests.fakes import FakeCounters

WS, CAMPAIGN = "ws_00000000000000000000", "cmp_00000000000000000000"
START = datetime(2026, 11, 24, 8, tzinfo=UTC)


class Noted:
    """A suppressor that notes whom it was told of."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def hard_bounced(self, engagement: Engagement) -> None:
        self.calls.append(("hard_bounced", engagement.subscriber))

    def complained(self, engagement: Engagement) -> None:
        self.calls.append(("complained", engagement.subscriber))

    def unsubscribed(self, engagement: Engagement) -> None:
        self.calls.append(("unsubscribed", engagement.subscriber))


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.engagements: list[Engagement] = []

    def heard(self, engagements: Iterable[Engagement]) -> None:
        self.engagements += engagements


def engagement(
    kind: EventType,
    index: int,
    number: int = 0,
    *,
    campaign: str = CAMPAIGN,
    chunk: int = 0,
    machine: bool = False,
    bounce: BounceKind | None = None,
) -> Engagement:
    event = Event(
        type=kind,
        provider="ses",
        event_id=f"{kind}-{index}-{number}",
        occurred_at=START + timedelta(seconds=number),
        esp_type=kind.value,
        machine=machine,
        bounce=bounce,
    )
    ref = MessageRef(WS, campaign, chunk, index)
    return Engagement(event, ref, f"sub_{index}", MailboxGroup.GMAIL)


STREAM = st.lists(
    st.builds(
        engagement,
        st.sampled_from([EventType.DELIVERED, EventType.OPENED, EventType.CLICKED]),
        st.integers(0, 3),
        st.integers(0, 5),
        campaign=st.sampled_from([CAMPAIGN, "cmp_00000000000000000001"]),
    ),
    max_size=30,
    unique_by=lambda e: (e.event.event_id, e.ref),
)


def batches(records: list[Record], cuts: list[int]) -> list[list[Record]]:
    edges = [0, *sorted(c % (len(records) + 1) for c in cuts), len(records)]
    return [records[a:b] for a, b in itertools.pairwise(edges)]


@given(STREAM, st.lists(st.integers(0, 30), max_size=4), st.data())
def test_cuts_repeats_and_crashes_change_nothing(
    events: list[Engagement], cuts: list[int], data: st.DataObject
) -> None:
    shards = [[Record(str(100 + i), e) for i, e in enumerate(events) if i % 2 == s] for s in (0, 1)]
    plain = FakeCounters()
    for number, records in enumerate(shards):
        Aggregator(plain, Noted(), Heard()).apply(f"shard-{number}", records)
    messy = FakeCounters()
    for number, records in enumerate(shards):
        for batch in batches(records, cuts):
            if data.draw(st.booleans()):
                crash_after_claims(messy, batch)
            for _ in range(data.draw(st.integers(1, 2))):
                Aggregator(messy, Noted(), Heard()).apply(f"shard-{number}", batch)
    for campaign in (CAMPAIGN, "cmp_00000000000000000001"):
        assert messy.totals(WS, campaign) == plain.totals(WS, campaign)


def crash_after_claims(counters: FakeCounters, batch: list[Record]) -> None:
    """What a worker leaves behind that dies just before it writes the counters."""
    for record in batch:
        if record.engagement.event.type in {EventType.OPENED, EventType.CLICKED}:
            counters.claim_firsts([record.engagement])


def test_people_count_once_and_machines_apart() -> None:
    counters = FakeCounters()
    events = [
        engagement(EventType.OPENED, 1, 1),
        engagement(EventType.OPENED, 1, 2),
        engagement(EventType.OPENED, 2, 1, machine=True),
        engagement(EventType.CLICKED, 1, 3),
        engagement(EventType.BOUNCED, 4, bounce=BounceKind.SOFT),
    ]
    records = [Record(str(i), e) for i, e in enumerate(events)]
    Aggregator(counters, Noted(), Heard()).apply("s", records)
    assert counters.totals(WS, CAMPAIGN) == {
        "ses|gmail|opened": 2,
        "ses|gmail|opened_first": 1,
        "ses|gmail|machine_opened": 1,
        "ses|gmail|clicked": 1,
        "ses|gmail|clicked_first": 1,
        "ses|gmail|bounced": 1,
        "ses|gmail|soft_bounced": 1,
    }


def test_hard_bounces_complaints_and_unsubscribes_have_consequences() -> None:
    noted = Noted()
    events = [
        engagement(EventType.BOUNCED, 1, bounce=BounceKind.HARD),
        engagement(EventType.BOUNCED, 2, bounce=BounceKind.SOFT),
        engagement(EventType.COMPLAINED, 3),
        engagement(EventType.UNSUBSCRIBED, 4),
    ]
    records = [Record(str(i), e) for i, e in enumerate(events)]
    Aggregator(FakeCounters(), noted, Heard()).apply("s", records)
    assert noted.calls == [
        ("hard_bounced", "sub_1"),
        ("complained", "sub_3"),
        ("unsubscribed", "sub_4"),
    ]


def test_transactional_events_are_kept_out_of_campaign_counters() -> None:
    counters = FakeCounters()
    event = engagement(EventType.DELIVERED, 0, chunk=TRANSACTIONAL_CHUNK)
    assert Aggregator(counters, Noted(), Heard()).apply("s", [Record("1", event)]) == 0
    assert counters.totals(WS, CAMPAIGN) == {}
    assert counters.last_events(["ses"]) == {"ses": START}


def test_the_listener_hears_what_is_new_and_all_that_is_transactional() -> None:
    counters, listener = FakeCounters(), Heard()
    aggregator = Aggregator(counters, Noted(), listener)
    campaign = Record("1", engagement(EventType.DELIVERED, 0))
    alone = Record("2", engagement(EventType.DELIVERED, 0, chunk=TRANSACTIONAL_CHUNK))

    aggregator.apply("s", [campaign, alone])
    assert listener.engagements == [campaign.engagement, alone.engagement]
    aggregator.apply("s", [campaign, alone])
    assert listener.engagements[2:] == [alone.engagement]
