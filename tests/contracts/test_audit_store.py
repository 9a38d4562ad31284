"""The audit log, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.access.model import AuditAction, AuditEntry
from shared.access.ports import AuditLog
from shared.errors import AlreadyExists, InvalidInput
from shared.paging import encode_cursor
from shared.storage.audit import AuditItem, DynamoAuditLog
from tests.fakes import FakeAuditLog

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
CREATED = datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
ENTRY = AuditEntry(
    "aud_a",
    WS,
    NOW,
    "api:key_a",
    AuditAction.CAMPAIGN_RETRY,
    "cmp_a",
    {"reasons": ["gave_up"], "job": "job_a"},
)


@pytest.fixture(params=["dynamo", "fake"])
def log(request: pytest.FixtureRequest) -> AuditLog:
    if request.param == "fake":
        return FakeAuditLog()
    request.getfixturevalue("dynamo")
    return DynamoAuditLog()


def pages(log: AuditLog, limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    cursor = None
    while True:
        page = log.page(WS, oldest=CREATED, newest=NOW, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def test_an_entry_comes_back_whole(log: AuditLog) -> None:
    log.append(ENTRY)
    assert pages(log, 9) == [ENTRY]


def test_an_entry_is_never_overwritten(log: AuditLog) -> None:
    log.append(ENTRY)
    with pytest.raises(AlreadyExists):
        log.append(replace(ENTRY, by="api:key_b"))
    assert pages(log, 9) == [ENTRY]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_entries_are_newest_first_across_months_and_years(log: AuditLog, limit: int) -> None:
    ages = [0, 0, 1, 24, 25, 330, 400, 690]
    entries = [
        replace(ENTRY, id=f"aud_{number}", at=NOW - timedelta(days=age))
        for number, age in enumerate(ages)
    ]
    for entry in entries:
        log.append(entry)
    log.append(replace(ENTRY, workspace=OTHER, id="aud_theirs"))
    expected = sorted(entries, key=lambda e: (e.at, e.id), reverse=True)
    assert pages(log, limit) == expected


def test_an_empty_log_ends(log: AuditLog) -> None:
    assert pages(log, 5) == []


@pytest.mark.parametrize("cursor", ["bent", encode_cursor({"after": "x"})])
def test_a_bent_cursor_is_refused(log: AuditLog, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        log.page(WS, oldest=CREATED, newest=NOW, limit=5, cursor=cursor)


@pytest.mark.usefixtures("dynamo")
def test_a_month_is_a_partition() -> None:
    DynamoAuditLog().append(ENTRY)
    item = AuditItem.find(f"ws#{WS}#audit#2026-11", "2026-11-24T08:15:30.123Z#aud_a")
    assert item is not None
    assert item.ttl is None
