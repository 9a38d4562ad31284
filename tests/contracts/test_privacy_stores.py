"""Consent records, the journal of erasures and retention, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.erasure import Erasure, ErasureJournal
from shared.errors import StaleWrite
from shared.retention import Retention, RetentionStore
from shared.storage.consents import ConsentItem, DynamoConsents
from shared.storage.erasures import DynamoErasures
from shared.storage.retention import DynamoRetention
from tests.fakes import FakeConsents, FakeErasures, FakeRetention

WS, OTHER, ADA = "ws_mine", "ws_other", "sub_ada"
NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
TOLD = Circumstances("form", "203.0.113.9", "Firefox", "news-1", "api:key_a")
RECORD = ConsentRecord(WS, ADA, NOW, ConsentChange.SUBSCRIBED, TOLD, ("lst_a",), "why")


@pytest.fixture(params=["dynamo", "fake"])
def log(request: pytest.FixtureRequest) -> ConsentLog:
    if request.param == "fake":
        return FakeConsents()
    request.getfixturevalue("dynamo")
    return DynamoConsents()


@pytest.fixture(params=["dynamo", "fake"])
def journal(request: pytest.FixtureRequest) -> ErasureJournal:
    if request.param == "fake":
        return FakeErasures()
    request.getfixturevalue("dynamo")
    return DynamoErasures()


@pytest.fixture(params=["dynamo", "fake"])
def retention(request: pytest.FixtureRequest) -> RetentionStore:
    if request.param == "fake":
        return FakeRetention()
    request.getfixturevalue("dynamo")
    return DynamoRetention()


def records(log: ConsentLog, subject: str = ADA) -> list[ConsentRecord]:
    return [record for _, record in log.of(WS, subject)]


def test_a_record_comes_back_whole_and_once(log: ConsentLog) -> None:
    log.append(RECORD)
    log.append(RECORD)
    assert records(log) == [RECORD]
    assert list(log.of(OTHER, ADA)) == []


def test_records_come_in_order_and_two_of_one_instant_both_stay(log: ConsentLog) -> None:
    later = replace(RECORD, at=NOW + timedelta(seconds=1), change=ConsentChange.UNSUBSCRIBED)
    twin = replace(RECORD, lists=("lst_b",))
    for record in (later, RECORD, twin):
        log.append(record)
    assert records(log)[-1] == later
    assert set(records(log)) == {RECORD, twin, later}
    places = [place for place, _ in log.of(WS, ADA)]
    assert [record for _, record in log.of(WS, ADA, after=places[1])] == [later]


def test_a_plain_record_too(log: ConsentLog) -> None:
    plain = ConsentRecord(WS, ADA, NOW, ConsentChange.ERASED, Circumstances("erasure"))
    log.append(plain)
    assert records(log) == [plain]


def test_sealing_takes_the_device_out_and_leaves_the_proof(log: ConsentLog) -> None:
    log.append(RECORD)
    [(place, record)] = log.of(WS, ADA)
    log.seal(place, record, until=NOW + timedelta(days=9))
    [(sealed_place, sealed)] = log.of(WS, ADA)
    told = Circumstances("form", None, None, "news-1", "api:key_a")
    assert (sealed_place, sealed) == (place, replace(RECORD, circumstances=told))
    log.seal(place, sealed, until=NOW + timedelta(days=9))
    assert records(log) == [sealed]


@pytest.mark.usefixtures("dynamo")
def test_a_sealed_record_has_an_end_and_others_have_none() -> None:
    def ends() -> list[datetime | None]:
        return [item.ttl for item in ConsentItem.select(f"ws#{WS}#{ADA}")]

    log = DynamoConsents()
    log.append(RECORD)
    assert ends() == [None]
    [(place, record)] = log.of(WS, ADA)
    log.seal(place, record, until=NOW + timedelta(days=9))
    assert ends() == [(NOW + timedelta(days=9)).replace(microsecond=0)]


def test_the_journal_gives_what_happened_since(journal: ErasureJournal) -> None:
    times = [NOW - timedelta(days=70), NOW - timedelta(days=31), NOW]
    entries = [
        Erasure(ws, (f"sub_{n}", "sub_former"), at, "api:key_a")
        for n, (ws, at) in enumerate(zip((WS, OTHER, WS), times, strict=True))
    ]
    for entry in (*reversed(entries), entries[0]):
        journal.append(entry)
    assert list(journal.since(times[0], NOW)) == entries
    assert list(journal.since(times[1], NOW)) == entries[1:]
    assert list(journal.since(times[1] + timedelta(seconds=1), NOW)) == entries[2:]
    assert list(journal.since(NOW + timedelta(seconds=1), NOW + timedelta(days=99))) == []


def test_retention_has_defaults_and_is_written_under_its_version(
    retention: RetentionStore,
) -> None:
    assert retention.get(WS) == Retention()
    first = retention.save(WS, Retention(event_days=90, audit_days=400))
    assert first == Retention(event_days=90, audit_days=400, version=1)
    assert retention.get(WS) == first
    assert retention.get(OTHER) == Retention()
    assert retention.save(WS, replace(first, audit_days=None)).version == 2
    with pytest.raises(StaleWrite):
        retention.save(WS, first)
    with pytest.raises(StaleWrite):
        retention.save(WS, Retention())
