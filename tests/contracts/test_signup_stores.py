"""What bounds sign-ups, and how pages look, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.audience.asking import COUNTED_FOR, Asked, AskedStore, AttemptCounter, Mail
from shared.audience.page_settings import PageSettings, PageSettingsStore
from shared.audience.ports import SHARDS
from shared.audience.unconfirmed import Waiting, WaitingStore
from shared.errors import StaleWrite
from shared.ids import SubscriberIds
from shared.storage.page_settings import DynamoPageSettings
from shared.storage.shards import partition, shard_of
from shared.storage.signups import (
    AskedItem,
    AttemptsItem,
    DynamoAsked,
    DynamoAttempts,
    DynamoWaiting,
)
from tests.fakes import FakeAsked, FakeAttempts, FakePageSettings, FakeWaiting

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
ANN = SubscriberIds(b"k" * 64).of(WS, "ann@example.com")


@pytest.fixture(params=["dynamo", "fake"])
def asked(request: pytest.FixtureRequest) -> AskedStore:
    if request.param == "fake":
        return FakeAsked()
    request.getfixturevalue("dynamo")
    return DynamoAsked()


@pytest.fixture(params=["dynamo", "fake"])
def attempts(request: pytest.FixtureRequest) -> AttemptCounter:
    if request.param == "fake":
        return FakeAttempts()
    request.getfixturevalue("dynamo")
    return DynamoAttempts()


@pytest.fixture(params=["dynamo", "fake"])
def waiting(request: pytest.FixtureRequest) -> WaitingStore:
    if request.param == "fake":
        return FakeWaiting()
    request.getfixturevalue("dynamo")
    return DynamoWaiting()


@pytest.fixture(params=["dynamo", "fake"])
def pages(request: pytest.FixtureRequest) -> PageSettingsStore:
    if request.param == "fake":
        return FakePageSettings()
    request.getfixturevalue("dynamo")
    return DynamoPageSettings()


def test_what_a_person_was_asked_is_kept_under_a_version(asked: AskedStore) -> None:
    nothing = asked.get(WS, ANN)
    assert nothing == Asked(WS, ANN)
    one = replace(nothing, mails=(Mail("lst_a", NOW, "de"),))
    saved = asked.save(one)
    assert asked.get(WS, ANN) == saved == replace(one, version=1)
    assert asked.get(OTHER, ANN) == Asked(OTHER, ANN)
    with pytest.raises(StaleWrite):
        asked.save(one)
    more = asked.save(replace(saved, mails=(*saved.mails, Mail("lst_b", NOW, "en"))))
    assert asked.get(WS, ANN) == more
    with pytest.raises(StaleWrite):
        asked.save(saved)


def test_attempts_are_counted_by_source_and_minute(attempts: AttemptCounter) -> None:
    assert [attempts.count("a", NOW) for _ in range(3)] == [1, 2, 3]
    assert attempts.count("b", NOW) == 1
    assert attempts.count("a", NOW + timedelta(minutes=1)) == 1


@pytest.mark.usefixtures("dynamo")
def test_none_of_it_is_kept_for_long() -> None:
    DynamoAsked().save(Asked(WS, ANN, (Mail("lst_a", NOW, "de"),)))
    DynamoAttempts().count("a", NOW)
    (mails,) = AskedItem.select(partition(WS, shard_of(ANN)))
    assert mails.ttl == NOW + COUNTED_FOR
    (counter,) = AttemptsItem.select("source#a")
    assert counter.ttl == NOW + timedelta(hours=1)


def test_who_waits_for_an_answer_is_listed_by_shard_from_any_place(waiting: WaitingStore) -> None:
    ids, until = SubscriberIds(b"k" * 64), NOW + timedelta(days=30)
    notes = {
        Waiting(workspace, ids.of(workspace, f"p{n}@example.com"), list_id, until)
        for workspace in (WS, OTHER)
        for n in range(10)
        for list_id in ("lst_a", "lst_b")
    }
    for note in notes:
        waiting.note(note)
    found = [pair for shard in range(SHARDS) for pair in waiting.of_shard(shard)]
    assert {note for _, note in found} == notes
    assert len(found) == len(notes)
    for shard in range(SHARDS):
        mine = list(waiting.of_shard(shard))
        assert {shard_of(note.subscriber) for _, note in mine} <= {shard}
        for number, (place, _) in enumerate(mine, start=1):
            assert list(waiting.of_shard(shard, after=place)) == mine[number:]


def test_a_newer_note_stands_and_is_not_forgotten_with_the_older(waiting: WaitingStore) -> None:
    first = Waiting(WS, ANN, "lst_a", NOW)
    again = replace(first, until=NOW + timedelta(days=1))
    waiting.note(first)
    waiting.note(again)
    waiting.forget(first)
    shard = shard_of(ANN)
    assert [note for _, note in waiting.of_shard(shard)] == [again]
    waiting.forget(again)
    waiting.forget(again)
    assert list(waiting.of_shard(shard)) == []


def test_how_pages_look_is_kept_under_a_version(pages: PageSettingsStore) -> None:
    assert pages.get(WS) == PageSettings()
    mine = PageSettings("Shop", "https://img.example.com/a.png", "#ffcc00", "de")
    saved = pages.save(WS, mine)
    assert pages.get(WS) == saved == replace(mine, version=1)
    assert pages.get(OTHER) == PageSettings()
    with pytest.raises(StaleWrite):
        pages.save(WS, mine)
    assert pages.save(WS, replace(saved, name="")).version == 2
