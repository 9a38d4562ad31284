"""Listing the suppression list, and what the deployment knows of addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.access.model import Workspace
from shared.access.ports import WorkspaceStore
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.suppressions.ports import EVERYWHERE, KnownAddress, KnownAddressStore
from shared.errors import InvalidInput
from shared.ids import SubscriberIds
from shared.storage import known_addresses
from shared.storage import suppressions as stored
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.shards import shard_of
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.workspaces import DynamoWorkspaces
from tests.fakes import FakeKnownAddresses, FakeSuppressions, FakeWorkspaces

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
IDS = SubscriberIds(b"k" * 64)
BOUNCE, MANUAL = SuppressionReason.HARD_BOUNCE, SuppressionReason.MANUAL

Suppressions = DynamoSuppressions | FakeSuppressions


def entry(number: int, **changes: object) -> Suppression:
    address = f"p{number}@example.com"
    plain = Suppression(WS, IDS.of(WS, address), BOUNCE, NOW, "webhook:ses", address)
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields of Suppression


def by_shard(ids: list[str]) -> list[str]:
    return sorted(ids, key=lambda one: (shard_of(one), one))


@pytest.fixture(params=["dynamo", "fake"])
def suppressions(request: pytest.FixtureRequest) -> Suppressions:
    if request.param == "fake":
        return FakeSuppressions()
    request.getfixturevalue("dynamo")
    return DynamoSuppressions()


@pytest.fixture(params=["dynamo", "fake"])
def addresses(request: pytest.FixtureRequest) -> KnownAddressStore:
    if request.param == "fake":
        return FakeKnownAddresses()
    request.getfixturevalue("dynamo")
    return DynamoKnownAddresses()


def looks_at_most(suppressions: Suppressions, most: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "MOST_LOOKED_AT", most)
    if isinstance(suppressions, FakeSuppressions):
        suppressions.most_looked_at = most


def listed(suppressions: Suppressions, limit: int, **wanted: object) -> tuple[list[str], int]:
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = suppressions.page(WS, limit=limit, cursor=cursor, **wanted)  # type: ignore[arg-type]  # as named
        assert len(page.items) <= limit
        seen += [one.subscriber for one in page.items]
        cursor, pages = page.cursor, pages + 1
    return seen, pages


def test_the_address_is_kept_and_a_graver_entry_without_one_drops_it(
    suppressions: Suppressions,
) -> None:
    suppressions.put(entry(1))
    assert suppressions.get(WS, entry(1).subscriber) == entry(1)
    erased = entry(1, reason=SuppressionReason.ERASURE, address="")
    suppressions.put(erased)
    suppressions.put(entry(1))
    assert suppressions.get_many(WS, [erased.subscriber]) == {erased.subscriber: erased}


def test_all_entries_are_listed_by_shard_and_id(suppressions: Suppressions) -> None:
    ids = [entry(number).subscriber for number in range(45)]
    for number in range(45):
        suppressions.put(entry(number))
    suppressions.put(entry(99, workspace=OTHER))
    assert listed(suppressions, 20) == (by_shard(ids), 3)
    assert listed(suppressions, 45) == (by_shard(ids), 1)
    with pytest.raises(InvalidInput):
        suppressions.page(WS, limit=20, cursor="bent")


def test_a_listing_is_narrowed_by_reason_and_source(suppressions: Suppressions) -> None:
    for number in range(6):
        suppressions.put(entry(number))
    manual = entry(7, reason=MANUAL, source="api:key_1")
    suppressions.put(manual)
    assert listed(suppressions, 10, reason=MANUAL)[0] == [manual.subscriber]
    assert listed(suppressions, 10, source="api")[0] == [manual.subscriber]
    assert listed(suppressions, 10, source="api:key_1")[0] == [manual.subscriber]
    assert listed(suppressions, 10, source="ap")[0] == []
    assert len(listed(suppressions, 10, source="webhook")[0]) == 6
    assert listed(suppressions, 10, source="webhook", reason=MANUAL)[0] == []


def test_a_filtered_page_looks_at_a_bounded_number(
    suppressions: Suppressions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        suppressions.put(entry(number))
    looks_at_most(suppressions, 6, monkeypatch)
    assert listed(suppressions, 5, reason=MANUAL) == ([], 4)
    assert len(listed(suppressions, 5, reason=BOUNCE)[0]) == 20


def test_an_entry_is_removed_only_with_the_reason_it_is_said_to_have(
    suppressions: Suppressions,
) -> None:
    one = entry(1)
    suppressions.put(one)
    assert not suppressions.remove(WS, one.subscriber, only=MANUAL)
    assert suppressions.get(WS, one.subscriber) == one
    assert suppressions.remove(WS, one.subscriber, only=BOUNCE)
    assert suppressions.remove(WS, one.subscriber, only=BOUNCE)
    assert suppressions.remove(WS, "no id")
    assert suppressions.get(WS, one.subscriber) is None


def known(number: int, **changes: object) -> KnownAddress:
    address = f"p{number}@example.com"
    plain = KnownAddress(IDS.of(EVERYWHERE, address), address, BOUNCE, NOW, "sync:ses")
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields of KnownAddress


def test_a_known_address_is_kept_and_removed(addresses: KnownAddressStore) -> None:
    one = known(1, found=frozenset({"ses"}), placed=frozenset({"sg", "pm"}))
    addresses.put(known(1))
    addresses.put(one)
    addresses.put(known(2, address=""))
    ids = [one.id, known(2).id, known(3).id, "no id"]
    assert addresses.get_many(ids) == {one.id: one, known(2).id: known(2, address="")}
    addresses.remove(one.id)
    addresses.remove(one.id)
    assert addresses.get_many([one.id]) == {}


def test_an_address_that_was_forgotten_stays_forgotten(addresses: KnownAddressStore) -> None:
    addresses.put(known(1))
    addresses.put(known(1, address=""))
    addresses.put(known(1, placed=frozenset({"ses"})))
    kept = known(1, address="", placed=frozenset({"ses"}))
    assert addresses.get_many([kept.id]) == {kept.id: kept}


def test_what_a_provider_lacks_is_listed(addresses: KnownAddressStore) -> None:
    everybody = [known(number) for number in range(10)]
    everybody[0] = known(0, found=frozenset({"ses"}))
    everybody[1] = known(1, placed=frozenset({"ses"}))
    everybody[2] = known(2, address="")
    for one in everybody:
        addresses.put(one)
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = addresses.page(limit=4, cursor=cursor, lacking="ses")
        seen += [one.id for one in page.items]
        cursor, pages = page.cursor, pages + 1
    assert seen == by_shard([one.id for one in everybody[3:]])
    assert len(addresses.page(limit=20).items) == 10
    assert len(addresses.page(limit=20, lacking="pm").items) == 9


def test_a_page_of_what_is_lacking_looks_at_a_bounded_number(
    addresses: KnownAddressStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_addresses, "MOST_LOOKED_AT", 3)
    if isinstance(addresses, FakeKnownAddresses):
        addresses.most_looked_at = 3
    for number in range(5):
        addresses.put(known(number, found=frozenset({"ses"})))
    page = addresses.page(limit=5, lacking="ses")
    assert page.items == ()
    assert addresses.page(limit=5, lacking="ses", cursor=page.cursor).cursor is None


def test_how_far_a_list_was_read_is_kept(addresses: KnownAddressStore) -> None:
    assert addresses.read_until("ses") is None
    addresses.set_read_until("ses", NOW)
    addresses.set_read_until("ses", NOW + timedelta(days=1))
    addresses.set_read_until("sg", NOW)
    assert addresses.read_until("ses") == NOW + timedelta(days=1)
    assert addresses.page(limit=5).items == ()


@pytest.mark.parametrize("backend", ["dynamo", "fake"])
def test_all_workspaces_are_listed(backend: str, request: pytest.FixtureRequest) -> None:
    store: WorkspaceStore = FakeWorkspaces()
    if backend == "dynamo":
        request.getfixturevalue("dynamo")
        store = DynamoWorkspaces()
    assert list(store.ids()) == []
    for one in ("ws_b", "ws_a"):
        store.create(Workspace(one, "Acme", NOW))
    assert list(store.ids()) == ["ws_a", "ws_b"]
