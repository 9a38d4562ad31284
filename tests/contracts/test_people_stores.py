"""Subscribers, memberships and suppressions, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.audience.model import ListState, Subscriber, Suppression, SuppressionReason
from shared.audience.ports import SHARDS, MembershipStore, SubscriberStore, SuppressionStore
from shared.delivery.ports import RecipientReader
from shared.errors import InvalidInput, NotFound, StaleWrite
from shared.ids import SubscriberIds
from shared.paging import encode_cursor
from shared.storage.memberships import DynamoMemberships
from shared.storage.shards import shard_of
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from tests.fakes import FakeMemberships, FakeSubscribers, FakeSuppressions

WS, OTHER, LIST = "ws_mine", "ws_other", "lst_news"
NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
IDS = SubscriberIds(b"k" * 64)

both = pytest.mark.parametrize("backend", ["dynamo", "fake"])


def make(number: int, workspace: str = WS, **changes: object) -> Subscriber:
    address = f"p{number}@example.com"
    subscriber = Subscriber(IDS.of(workspace, address), workspace, address, NOW, NOW)
    return replace(subscriber, **changes)  # type: ignore[arg-type]  # fields of Subscriber


def by_shard(ids: list[str]) -> list[str]:
    return sorted(ids, key=lambda one: (shard_of(one), one))


@pytest.fixture(params=["dynamo", "fake"])
def people(request: pytest.FixtureRequest) -> SubscriberStore:
    if request.param == "fake":
        return FakeSubscribers()
    request.getfixturevalue("dynamo")
    return DynamoSubscribers()


@pytest.fixture(params=["dynamo", "fake"])
def members(request: pytest.FixtureRequest) -> MembershipStore:
    if request.param == "fake":
        return FakeMemberships()
    request.getfixturevalue("dynamo")
    return DynamoMemberships()


@pytest.fixture(params=["dynamo", "fake"])
def suppressions(request: pytest.FixtureRequest) -> SuppressionStore:
    if request.param == "fake":
        return FakeSuppressions()
    request.getfixturevalue("dynamo")
    return DynamoSuppressions()


def test_a_subscriber_comes_back_as_it_was_put(people: SubscriberStore) -> None:
    full = make(
        1,
        lists={LIST: ListState.SUBSCRIBED},
        attributes={"name": "Zoë", "visits": 3, "score": 0.5, "vip": False, "likes": ["a", "b"]},
        tags=("new", "eu"),
        locale="de-CH",
        time_zone="Europe/Zurich",
        suppressed=SuppressionReason.MANUAL,
    )
    stored = people.put(full)
    assert stored == replace(full, version=1)
    assert people.get(WS, full.id) == stored
    assert people.get_many(WS, [full.id]) == {full.id: stored}


def test_a_write_needs_the_version_that_is_stored(people: SubscriberStore) -> None:
    with pytest.raises(StaleWrite):
        people.put(make(1, version=1))
    first = people.put(make(1))
    with pytest.raises(StaleWrite):
        people.put(make(1))
    second = people.put(replace(first, locale="fr"))
    assert second.version == 2
    with pytest.raises(StaleWrite):
        people.put(replace(first, locale="it"))
    assert people.get(WS, first.id).locale == "fr"


@pytest.mark.parametrize("unknown", [make(9).id, "sub_short", "no id at all", "", "\ud800"])
def test_who_is_not_there_is_not_found(people: SubscriberStore, unknown: str) -> None:
    with pytest.raises(NotFound):
        people.get(WS, unknown)
    assert people.get_many(WS, [unknown]) == {}
    people.delete(WS, unknown)


def test_workspaces_do_not_see_one_another(people: SubscriberStore) -> None:
    mine = people.put(make(1))
    with pytest.raises(NotFound):
        people.get(OTHER, mine.id)
    assert people.get_many(OTHER, [mine.id]) == {}
    assert people.page(OTHER, limit=10).items == ()
    people.delete(OTHER, mine.id)
    assert people.get(WS, mine.id) == mine


def test_the_deleted_are_hidden_and_then_gone(people: SubscriberStore) -> None:
    one = people.put(make(1))
    marked = people.put(replace(one, deleted=True))
    with pytest.raises(NotFound):
        people.get(WS, one.id)
    assert people.get_many(WS, [one.id]) == {one.id: marked}
    assert people.page(WS, limit=10).items == ()
    people.delete(WS, one.id)
    people.delete(WS, one.id)
    assert people.get_many(WS, [one.id]) == {}


def test_many_are_written_read_and_paged_by_shard_and_id(people: SubscriberStore) -> None:
    crowd = [make(number) for number in range(120)]
    people.put_many([*crowd, make(0, locale="de")])
    ids = [one.id for one in crowd]
    found = people.get_many(WS, [*ids, ids[0], make(500).id])
    assert found.keys() == set(ids)
    assert found[ids[0]].locale == "de"
    assert {one.version for one in found.values()} == {1}
    assert people.put(found[ids[1]]).version == 2

    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = people.page(WS, limit=50, cursor=cursor)
        seen += [one.id for one in page.items]
        cursor, pages = page.cursor, pages + 1
    assert seen == by_shard(ids)
    assert pages == 3


def test_a_full_last_page_has_no_cursor(people: SubscriberStore) -> None:
    people.put_many(make(number) for number in range(5))
    assert people.page(WS, limit=5).cursor is None


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", encode_cursor({"after": 3}), encode_cursor({"after": "lst_1"}), encode_cursor({})],
)
def test_a_bent_cursor_is_invalid(people: SubscriberStore, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        people.page(WS, limit=5, cursor=cursor)


def test_a_cursor_of_another_workspace_shows_only_ones_own(people: SubscriberStore) -> None:
    people.put_many(make(number) for number in range(20))
    people.put_many(make(number, OTHER) for number in range(20))
    cursor = people.page(OTHER, limit=3).cursor
    assert {one.workspace for one in people.page(WS, limit=20, cursor=cursor).items} == {WS}


@both
def test_recipients_are_read_as_plain_json(backend: str, request: pytest.FixtureRequest) -> None:
    store: FakeSubscribers | DynamoSubscribers = FakeSubscribers()
    if backend == "dynamo":
        request.getfixturevalue("dynamo")
        store = DynamoSubscribers()
    reader: RecipientReader = store
    one = store.put(make(1, attributes={"name": "Ann"}))
    erased = store.put(make(2, deleted=True))
    assert reader.recipients(WS, [one.id, erased.id, make(3).id]) == {one.id: one.to_item()}


def test_members_are_added_once_listed_by_shard_and_removed(members: MembershipStore) -> None:
    ids = [make(number).id for number in range(60)]
    members.add(WS, LIST, [*ids, *ids])
    members.add(WS, LIST, ids[:1])
    members.add(WS, "lst_else", ids[:3])
    listed = [member for shard in range(SHARDS) for member in members.members(WS, LIST, shard)]
    assert listed == by_shard(ids)

    shard = shard_of(ids[0])
    of_shard = list(members.members(WS, LIST, shard))
    assert list(members.members(WS, LIST, shard, after=of_shard[0])) == of_shard[1:]
    assert list(members.members(WS, LIST, shard, consistent=False)) == of_shard
    members.remove(WS, LIST, of_shard[0])
    members.remove(WS, LIST, of_shard[0])
    assert list(members.members(WS, LIST, shard)) == of_shard[1:]
    assert list(members.members(OTHER, LIST, shard)) == []


def test_members_are_paged(members: MembershipStore) -> None:
    ids = [make(number).id for number in range(45)]
    members.add(WS, LIST, iter(ids))
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = members.page(WS, LIST, limit=20, cursor=cursor)
        seen += page.items
        cursor, pages = page.cursor, pages + 1
    assert (seen, pages) == (by_shard(ids), 3)
    with pytest.raises(InvalidInput):
        members.page(WS, LIST, limit=20, cursor="bent")


def test_a_suppression_is_kept_found_and_removed(suppressions: SuppressionStore) -> None:
    entry = Suppression(WS, make(1).id, SuppressionReason.MANUAL, NOW, "api:key_1")
    assert suppressions.get(WS, entry.subscriber) is None
    suppressions.put(entry)
    assert suppressions.get(WS, entry.subscriber) == entry
    assert suppressions.get(OTHER, entry.subscriber) is None
    assert suppressions.get(WS, "no id") is None
    wanted = [entry.subscriber, make(2).id, "no id"]
    assert suppressions.get_many(WS, wanted) == {entry.subscriber: entry}
    suppressions.remove(WS, entry.subscriber)
    suppressions.remove(WS, entry.subscriber)
    assert suppressions.get(WS, entry.subscriber) is None


@pytest.mark.parametrize("stored", list(SuppressionReason))
@pytest.mark.parametrize("new", list(SuppressionReason))
def test_a_graver_reason_stays(
    suppressions: SuppressionStore, stored: SuppressionReason, new: SuppressionReason
) -> None:
    gravest_first = ["erasure", "complaint", "hard_bounce", "manual", "unsubscribed"]
    subscriber = make(1).id
    before = Suppression(WS, subscriber, stored, NOW, "link")
    after = Suppression(WS, subscriber, new, NOW + timedelta(days=1), "webhook:ses")
    suppressions.put(before)
    suppressions.put(after)
    graver = gravest_first.index(stored.value) < gravest_first.index(new.value)
    assert suppressions.get(WS, subscriber) == (before if graver else after)
