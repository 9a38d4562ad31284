"""What segments read and write, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from shared.audience.model import Subscriber
from shared.audience.ports import SHARDS
from shared.audience.segments.model import Segment, Snapshot
from shared.audience.segments.ports import SegmentStore, SnapshotStore
from shared.engagement import (
    KEPT_DAYS,
    MOST_CAMPAIGNS,
    Deed,
    EngagementState,
    Fact,
    KeptState,
    day_of,
)
from shared.errors import AlreadyExists, InvalidInput, NotFound, StaleWrite
from shared.ids import SubscriberIds, to_text
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.segments import DynamoSegments, DynamoSnapshots
from shared.storage.shards import shard_of
from shared.storage.subscribers import DynamoSubscribers
from tests import fakes

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
IDS = SubscriberIds(b"k" * 64)
RULE: dict[str, Any] = {"all": [{"tag": "vip"}, {"not": {"list": "lst_a"}}]}


class Stores:
    """One set: all of DynamoDB, or all in memory."""

    def __init__(self, *, dynamo: bool) -> None:
        self.segments: SegmentStore = DynamoSegments() if dynamo else fakes.FakeSegments()
        self.snapshots: SnapshotStore = DynamoSnapshots() if dynamo else fakes.FakeSnapshots()
        self.people = DynamoSubscribers() if dynamo else fakes.FakeSubscribers()
        self.members = DynamoMemberships() if dynamo else fakes.FakeMemberships()
        self.states = (
            DynamoPersonStates(fakes.FakeClock(NOW)) if dynamo else fakes.FakePersonStates()
        )


@pytest.fixture(params=["dynamo", "fake"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "dynamo":
        request.getfixturevalue("dynamo")
    return Stores(dynamo=request.param == "dynamo")


def segment(number: int = 1, workspace: str = WS) -> Segment:
    return Segment(
        to_text("seg", bytes([number]) * 12), workspace, f"S{number}", RULE, NOW, NOW, "who"
    )


def snapshot(number: int = 1, workspace: str = WS) -> Snapshot:
    expires = NOW + timedelta(days=90)
    identifier = to_text("snp", bytes([number]) * 12)
    return Snapshot(identifier, workspace, "seg_x", RULE, NOW, expires)


def person(number: int) -> Subscriber:
    address = f"p{number}@example.com"
    return Subscriber(IDS.of(WS, address), WS, address, NOW, NOW, attributes={"n": number})


def test_a_segment_comes_back_as_it_was_put(stores: Stores) -> None:
    store = stores.segments
    store.create(segment())
    assert store.get(WS, segment().id) == segment()
    with pytest.raises(AlreadyExists):
        store.create(segment())
    changed = store.save(replace(segment(), name="new", updated_at=NOW + timedelta(days=1)))
    assert store.get(WS, segment().id) == changed
    with pytest.raises(StaleWrite):
        store.save(segment())
    store.delete(WS, segment().id)
    for act in (store.get, store.delete):
        with pytest.raises(NotFound):
            act(WS, segment().id)


def test_segments_are_paged_and_ones_own(stores: Stores) -> None:
    for number in range(5):
        stores.segments.create(segment(number))
    stores.segments.create(segment(1, OTHER))
    first = stores.segments.page(WS, limit=3)
    second = stores.segments.page(WS, limit=3, cursor=first.cursor)
    assert [one.name for one in (*first.items, *second.items)] == ["S0", "S1", "S2", "S3", "S4"]
    assert second.cursor is None
    with pytest.raises(InvalidInput):
        stores.segments.page(WS, limit=3, cursor="bent")
    with pytest.raises(NotFound):
        stores.segments.get(OTHER, segment(2).id)


def test_a_snapshot_is_kept_finished_and_paged(stores: Stores) -> None:
    store = stores.snapshots
    for number in range(3):
        store.create(snapshot(number))
    with pytest.raises(AlreadyExists):
        store.create(snapshot(1))
    assert store.get(WS, snapshot(1).id) == snapshot(1)
    store.finish(replace(snapshot(1), members=7))
    assert store.get(WS, snapshot(1).id).members == 7
    first = store.page(WS, limit=2)
    assert [one.members for one in first.items] == [None, 7]
    assert store.page(WS, limit=2, cursor=first.cursor).items == (snapshot(2),)
    with pytest.raises(NotFound):
        store.get(OTHER, snapshot(1).id)


def test_people_are_read_by_shard_and_by_id(stores: Stores) -> None:
    people = [stores.people.put(person(n)) for n in range(60)]
    gone = stores.people.put(replace(person(99), deleted=True))
    read = [item for shard in range(SHARDS) for item in stores.people.of_shard(WS, shard)]
    expected = sorted(people, key=lambda one: (shard_of(one.id), one.id))
    assert read == [one.to_item() for one in expected]
    shard = shard_of(people[0].id)
    of_shard = list(stores.people.of_shard(WS, shard))
    rest = list(stores.people.of_shard(WS, shard, after=of_shard[0]["id"]))
    assert rest == of_shard[1:]
    wanted = [people[3].id, gone.id, "no id", person(500).id]
    assert stores.people.of(WS, wanted) == {people[3].id: people[3].to_item()}
    assert list(stores.people.of_shard(OTHER, shard)) == []


@pytest.mark.usefixtures("dynamo")
def test_a_shard_of_several_pages_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [replace(person(n), attributes={"long": "x" * 900}) for n in range(120)]
    DynamoSubscribers().put_many(people)
    monkeypatch.setattr("moto.dynamodb.models.table.RESULT_SIZE_LIMIT", 3000)
    read = [
        item["id"] for shard in range(SHARDS) for item in DynamoSubscribers().of_shard(WS, shard)
    ]
    assert sorted(read) == sorted(one.id for one in people)


def test_members_are_found_among_people(stores: Stores) -> None:
    ids = [person(n).id for n in range(150)]
    stores.members.add(WS, "snp_a", ids[:120], until=NOW + timedelta(days=1))
    assert stores.members.among(WS, "snp_a", [*ids[100:], "no id"]) == set(ids[100:120])
    assert stores.members.among(WS, "snp_b", ids) == set()


def state(*days: int, campaigns: int = 1) -> EngagementState:
    today = day_of(NOW)
    return EngagementState().heard(
        Fact(n.to_bytes(12, "big"), Deed.SENT, today - day)
        for n in range(campaigns)
        for day in days
    )


def test_a_state_is_written_under_its_version(stores: Stores) -> None:
    one, two = person(1).id, person(2).id
    assert stores.states.load(WS, [one]) == {}
    assert stores.states.save(WS, {one: KeptState(state(3)), two: KeptState(state(4))}) == set()
    loaded = stores.states.load(WS, [one, two, "no id"])
    assert loaded == {one: KeptState(state(3), 1), two: KeptState(state(4), 1)}
    later = KeptState(state(1), 1)
    assert stores.states.save(WS, {one: later, two: KeptState(state(1))}) == {two}
    assert stores.states.save(WS, {one: later}) == {one}
    assert stores.states.load(WS, [one, two]) == {
        one: KeptState(state(1), 2),
        two: KeptState(state(4), 1),
    }
    assert stores.states.load(OTHER, [one]) == {}
    note = KeptState(EngagementState(), 1, moved_to=one)
    assert stores.states.save(WS, {two: note}) == set()
    assert stores.states.load(WS, [two]) == {two: replace(note, version=2)}
    stores.states.forget(WS, one)
    stores.states.forget(WS, one)
    assert set(stores.states.load(WS, [one, two])) == {two}


def test_states_are_read_beside_the_people(stores: Stores) -> None:
    ids = [person(n).id for n in range(40)]
    for one in ids:
        stores.states.save(WS, {one: KeptState(state(3))})
    raw = state(3).to_bytes()
    read = [pair for shard in range(SHARDS) for pair in stores.states.of_shard(WS, shard)]
    assert read == [(one, raw) for one in sorted(ids, key=lambda one: (shard_of(one), one))]
    shard = shard_of(ids[0])
    of_shard = list(stores.states.of_shard(WS, shard))
    assert list(stores.states.of_shard(WS, shard, after=of_shard[0][0])) == of_shard[1:]
    assert stores.states.of(WS, [ids[0], person(99).id]) == {ids[0]: raw}
    assert stores.people.page(WS, limit=5).items == ()


@pytest.mark.usefixtures("dynamo")
def test_a_state_is_one_write_unit_and_expires() -> None:
    workspace = to_text("ws", b"w" * 12)
    store = DynamoPersonStates(fakes.FakeClock(NOW))
    store.save(workspace, {person(1).id: KeptState(state(1, campaigns=MOST_CAMPAIGNS))})
    [item] = boto3.client("dynamodb").scan(TableName="tidepost-test-subscribers")["Items"]
    size = sum(
        len(name) + len(str(*value.values())) for name, value in item.items() if name != "facts"
    )
    size += len("facts") + len(item["facts"]["B"])
    assert size <= 1024
    expires = datetime.fromtimestamp(int(item["ttl"]["N"]), UTC)
    assert expires - NOW == pytest.approx(timedelta(days=KEPT_DAYS), abs=timedelta(seconds=1))
