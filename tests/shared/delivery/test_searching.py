"""Few enough questions, and none that holds others up."""

from __future__ import annotations

import pytest

from shared.delivery import searching
from shared.delivery.model import ChunkKey, ChunkPlan, ChunkRecord
from shared.delivery.searching import DoubtSearch
from shared.errors import ConfigurationError
from shared.ids import TRANSACTIONAL_CHUNK, Ids, MessageIds, MessageRef
from shared.mail import MessageKind
from tests.fakes import FakeClock, FakeMessageSearch, seeded_bytes

CLOCK = FakeClock()
IDS = Ids(CLOCK, seeded_bytes())
MESSAGE_IDS = MessageIds(b"m" * 64)
KEY = ChunkKey(IDS.new("ws"), IDS.new("cmp"), 3)
RECORD = ChunkRecord(ChunkPlan(KEY, tuple(IDS.new("sub") for _ in range(500))))


def message_id(index: int, key: ChunkKey = KEY) -> str:
    return MESSAGE_IDS.make(MessageRef(key.workspace, key.campaign, key.chunk, index))


def made() -> tuple[FakeClock, FakeMessageSearch, FakeMessageSearch, DoubtSearch]:
    clock, one, two = FakeClock(), FakeMessageSearch("one"), FakeMessageSearch("two")
    return clock, one, two, DoubtSearch({"one": one, "two": two}, MESSAGE_IDS, clock)


def test_it_asks_for_the_id_that_the_mail_bears() -> None:
    _, one, _, search = made()
    one.taken.add((MessageKind.CAMPAIGN, message_id(7)))
    assert search.has("one", RECORD, 7, now=False) is True
    assert search.has("one", RECORD, 8, now=False) is False
    single = ChunkKey(KEY.workspace, KEY.campaign, TRANSACTIONAL_CHUNK)
    one.taken.add((MessageKind.TRANSACTIONAL, message_id(0, single)))
    assert search.has("one", ChunkRecord(ChunkPlan(single, ("sub",))), 0, now=False) is True
    assert search.can_ask("one")
    assert not search.can_ask("ses")
    assert not search.can_ask(None)


def test_who_said_no_is_not_asked_again_at_once_unless_it_matters() -> None:
    clock, one, _, search = made()
    assert search.has("one", RECORD, 7, now=False) is False
    assert search.has("one", RECORD, 7, now=False) is None
    assert search.has("one", RECORD, 7, now=True) is False
    for minutes in (5, 5):
        clock.advance(minutes=minutes)
        search.begin()
    assert search.has("one", RECORD, 7, now=False) is False
    assert len(one.asked) == 3


def test_an_error_closes_one_provider_for_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    _, one, two, search = made()
    one.down = True
    assert search.has("one", RECORD, 1, now=True) is None
    assert search.has("one", RECORD, 2, now=True) is None
    assert len(one.asked) == 1
    assert search.has("two", RECORD, 1, now=True) is False
    assert list(search.errors) == ["one"]

    def unusable(*_: object) -> bool:
        raise ConfigurationError("the secret has no usable 'server_token'")

    monkeypatch.setattr(two, "has", unusable)
    assert search.has("two", RECORD, 2, now=True) is None
    assert search.errors["two"] == "the secret has no usable 'server_token'"
    search.begin()
    one.down = False
    assert not search.errors
    assert search.has("one", RECORD, 1, now=True) is False


def test_questions_and_their_time_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, one, _, search = made()
    monkeypatch.setattr(searching, "MOST", 3)
    search.begin()
    assert [search.has("one", RECORD, i, now=True) for i in range(5)] == [False] * 3 + [None] * 2
    search.begin()
    clock.advance(seconds=15)
    assert search.has("one", RECORD, 9, now=True) is None
    assert len(one.asked) == 3
