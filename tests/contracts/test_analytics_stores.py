"""Engagements and counters: DynamoDB and the fakes behave alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.analytics.model import CounterDelta, Engagement
from shared.analytics.ports import CounterStore, EngagementStore
from shared.errors import InvalidInput
from shared.events import BounceKind, Event, EventType, RejectReason
from shared.ids import CAMPAIGN, SUBSCRIBER, WORKSPACE, MessageRef, to_text
from shared.mail import MailboxGroup
from shared.paging import encode_cursor
from shared.retention import Retention
from shared.storage.counters import DynamoCounters
from shared.storage.engagements import (
    CHUNKS_PER_PAGE,
    DynamoEngagements,
    EngagementItem,
    engagement_of,
)
from tests.fakes import FakeCounters, FakeEngagements

NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
WS, CMP = to_text(WORKSPACE, b"w" * 12), to_text(CAMPAIGN, b"c" * 12)
ANN, BOB = to_text(SUBSCRIBER, b"a" * 12), to_text(SUBSCRIBER, b"b" * 12)


@pytest.fixture(params=["fake", "dynamo"])
def engagements(request: pytest.FixtureRequest) -> EngagementStore:
    if request.param == "fake":
        return FakeEngagements()
    request.getfixturevalue("dynamo")
    return DynamoEngagements()


@pytest.fixture(params=["fake", "dynamo"])
def counters(request: pytest.FixtureRequest) -> CounterStore:
    if request.param == "fake":
        return FakeCounters()
    request.getfixturevalue("dynamo")
    return DynamoCounters()


def engagement(
    kind: EventType = EventType.OPENED,
    *,
    seconds: int = 0,
    chunk: int = 0,
    index: int = 0,
    subscriber: str = ANN,
    event_id: str = "",
) -> Engagement:
    return Engagement(
        event=Event(
            type=kind,
            provider="sendgrid",
            event_id=event_id or f"{kind}-{seconds}-{chunk}-{index}",
            occurred_at=NOW + timedelta(seconds=seconds),
            esp_type="open",
        ),
        ref=MessageRef(WS, CMP, chunk, index),
        subscriber=subscriber,
        group=MailboxGroup.GMAIL,
    )


FULL = replace(
    engagement(EventType.BOUNCED, index=499),
    event=Event(
        type=EventType.BOUNCED,
        provider="postmark",
        event_id="Bounce#42|with ünusual text",
        occurred_at=NOW,
        esp_type="HardBounce",
        message_id="m" * 56,
        provider_message_id="883953f4",
        bounce=BounceKind.HARD,
        reason=RejectReason.INVALID,
        detail="550 5.1.1 no such user",
        url="https://example.com/?q=1",
        user_agent="Agent/1.0",
        ip="192.0.2.1",
        machine=True,
    ),
)


@pytest.mark.parametrize("one", [engagement(), FULL])
def test_an_event_comes_back_as_it_was(engagements: EngagementStore, one: Engagement) -> None:
    engagements.put_many([one])

    assert engagements.of_chunk(WS, CMP, 0) == [one]


def test_an_address_is_not_kept(engagements: EngagementStore) -> None:
    named = replace(FULL, event=replace(FULL.event, address="ann@example.com"))
    engagements.put_many([named])

    assert engagements.of_chunk(WS, CMP, 0) == [FULL]


def test_a_repeated_event_is_kept_once(engagements: EngagementStore) -> None:
    engagements.put_many([engagement(), engagement(), engagement(seconds=1)])
    engagements.put_many([engagement()])

    assert engagements.of_chunk(WS, CMP, 0) == [engagement(), engagement(seconds=1)]


def test_events_of_a_chunk_come_by_recipient_and_time(engagements: EngagementStore) -> None:
    ordered = [
        engagement(EventType.SENT, index=2),
        engagement(EventType.DELIVERED, index=2, seconds=2),
        engagement(EventType.CLICKED, index=2, seconds=10),
        engagement(EventType.SENT, index=10),
    ]
    engagements.put_many([*ordered[::-1], engagement(chunk=1)])

    assert engagements.of_chunk(WS, CMP, 0) == ordered


def test_many_events_fit_into_one_call(engagements: EngagementStore) -> None:
    many = [engagement(index=index) for index in range(60)]
    engagements.put_many(many)

    assert engagements.of_chunk(WS, CMP, 0) == many


def pages_of_campaign(store: EngagementStore, chunks: int, limit: int) -> list[Engagement]:
    found: list[Engagement] = []
    cursor: str | None = None
    while True:
        page = store.page_of_campaign(WS, CMP, chunks, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_events_of_a_campaign_are_paged_chunk_by_chunk(
    engagements: EngagementStore, limit: int
) -> None:
    events = [engagement(chunk=chunk, index=index) for chunk in (0, 3, 4) for index in range(3)]
    engagements.put_many(events)

    assert pages_of_campaign(engagements, 6, limit) == events


def test_a_page_of_a_large_campaign_reads_few_partitions(engagements: EngagementStore) -> None:
    last = CHUNKS_PER_PAGE * 2
    engagements.put_many([engagement(chunk=last), engagement(chunk=last + 1)])

    assert pages_of_campaign(engagements, last + 1, 10) == [engagement(chunk=last)]


@pytest.mark.parametrize("after", ["nonsense", "x#y", "000000000x#"])
@pytest.mark.usefixtures("dynamo")
def test_a_bent_cursor_is_refused(after: str) -> None:
    cursor = encode_cursor({"after": after})

    with pytest.raises(InvalidInput):
        DynamoEngagements().page_of_campaign(WS, CMP, 3, limit=1, cursor=cursor)


def test_events_of_a_person_come_newest_first(engagements: EngagementStore) -> None:
    events = [engagement(seconds=n, chunk=n % 3, index=n) for n in range(5)]
    engagements.put_many([*events, engagement(subscriber=BOB, index=9)])

    first = engagements.page_of_subscriber(WS, ANN, limit=3)
    second = engagements.page_of_subscriber(WS, ANN, limit=3, cursor=first.cursor)
    assert [*first.items, *second.items] == events[::-1]
    assert second.cursor is None


def test_events_of_former_addresses_are_among_them_in_order(engagements: EngagementStore) -> None:
    events = [engagement(subscriber=(ANN, BOB)[n % 2], seconds=n, index=n) for n in range(6)]
    engagements.put_many(events)

    first = engagements.page_of_subscriber(WS, BOB, limit=4, former=[ANN, BOB])
    second = engagements.page_of_subscriber(WS, BOB, limit=4, cursor=first.cursor, former=[ANN])
    assert [*first.items, *second.items] == events[::-1]


@pytest.mark.usefixtures("dynamo")
def test_a_stream_record_says_the_same() -> None:
    DynamoEngagements().put_many([FULL])
    item = next(iter(EngagementItem.select(f"ws#{WS}#{CMP}#0000000000")))

    assert engagement_of(item.serialize() | {"later": {"S": "thing"}}) == FULL


@pytest.mark.usefixtures("dynamo")
def test_the_same_report_makes_the_same_item() -> None:
    store = DynamoEngagements()
    store.put_many([FULL])
    first = [i.serialize() for i in EngagementItem.select(f"ws#{WS}#{CMP}#0000000000")]
    store.put_many([FULL])

    assert first == [i.serialize() for i in EngagementItem.select(f"ws#{WS}#{CMP}#0000000000")]


def delta(sequence: str, shard: str = "s1", **counts: int) -> CounterDelta:
    named = {name.replace("__", "|"): count for name, count in counts.items()}
    return CounterDelta(WS, CMP, shard, sequence, named)


def test_a_delta_is_applied_once(counters: CounterStore) -> None:
    assert counters.applied_up_to(WS, CMP, "s1") == ""
    assert counters.apply(delta("9", sendgrid__gmail__sent=3))
    assert not counters.apply(delta("9", sendgrid__gmail__sent=3))
    assert counters.apply(delta("10", sendgrid__gmail__sent=2, ses__other__bounced=1))
    assert not counters.apply(delta("9", sendgrid__gmail__sent=100))

    assert counters.applied_up_to(WS, CMP, "s1") == "10"
    assert counters.totals(WS, CMP) == {"sendgrid|gmail|sent": 5, "ses|other|bounced": 1}


def test_long_sequence_numbers_are_compared_as_numbers(counters: CounterStore) -> None:
    low, high = "9" * 38, "1" + "0" * 38
    assert counters.apply(delta(low, ses__gmail__sent=1))
    assert counters.apply(delta(high, ses__gmail__sent=1))
    assert not counters.apply(delta(low, ses__gmail__sent=1))
    assert counters.applied_up_to(WS, CMP, "s1") == high


def test_totals_are_summed_over_stream_shards(counters: CounterStore) -> None:
    counters.apply(delta("5", "s1", ses__gmail__sent=1))
    counters.apply(delta("3", "s2", ses__gmail__sent=2, ses__gmail__opened=1))
    counters.apply(replace(delta("3", "s2", ses__gmail__sent=9), campaign="cmp_other"))

    assert counters.totals(WS, CMP) == {"ses|gmail|sent": 3, "ses|gmail|opened": 1}
    assert counters.totals(WS, "cmp_none") == {}


def test_a_batch_that_counts_nothing_still_moves_on(counters: CounterStore) -> None:
    assert counters.apply(delta("7"))
    assert counters.applied_up_to(WS, CMP, "s1") == "7"


def test_a_provider_account_may_have_any_name(counters: CounterStore) -> None:
    named = CounterDelta(WS, CMP, "s1", "1", {"ses-eu-1|gmail|sent": 2, "a.b|gmx|sent": 1})
    counters.apply(named)

    assert counters.totals(WS, CMP) == named.counts


def test_many_kinds_of_counts_fit_into_one_delta(counters: CounterStore) -> None:
    kinds = (EventType.SENT, EventType.DELIVERED, EventType.OPENED, EventType.CLICKED)
    counts = {f"{p}|{g}|{k}": 1 for p in ("ses", "sg") for g in MailboxGroup for k in kinds}
    assert counters.apply(CounterDelta(WS, CMP, "s1", "1", counts))

    assert counters.totals(WS, CMP) == counts


def test_the_first_event_of_its_type_stays_the_first(counters: CounterStore) -> None:
    first, second = engagement(seconds=1), engagement(seconds=2)

    assert counters.claim_firsts([first]) == [True]
    assert counters.claim_firsts([second, first]) == [False, True]
    others = [
        engagement(EventType.CLICKED, seconds=2),
        engagement(seconds=2, index=1),
        engagement(seconds=3, index=1),
        engagement(seconds=2, chunk=1),
    ]
    assert counters.claim_firsts(others) == [True, True, False, True]
    assert counters.claim_firsts(others) == [True, True, False, True]
    assert counters.claim_firsts([]) == []


def test_a_heartbeat_only_moves_forward(counters: CounterStore) -> None:
    counters.saw_events("ses", NOW)
    counters.saw_events("ses", NOW - timedelta(seconds=5))
    counters.saw_events("sendgrid", NOW)
    counters.saw_events("sendgrid", NOW + timedelta(seconds=5))

    assert counters.last_events(["ses", "sendgrid", "postmark"]) == {
        "ses": NOW,
        "sendgrid": NOW + timedelta(seconds=5),
    }


def test_an_event_is_removed_and_removing_it_again_is_fine(engagements: EngagementStore) -> None:
    one, other = engagement(), engagement(seconds=1)
    engagements.put_many([one, other])
    engagements.remove(one)
    engagements.remove(one)
    assert engagements.of_chunk(WS, CMP, 0) == [other]
    assert engagements.page_of_subscriber(WS, ANN, limit=9).items == (other,)


@pytest.mark.usefixtures("dynamo")
def test_an_event_is_kept_as_long_as_its_workspace_has_set() -> None:
    DynamoEngagements(lambda _: Retention(event_days=30)).put_many([engagement()])
    [item] = EngagementItem.select(f"ws#{WS}#{CMP}#0000000000")
    assert item.ttl == (NOW + timedelta(days=30)).replace(microsecond=0)
