"""Workspaces, API keys and sender domains, in DynamoDB and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.access.model import ApiKey, DomainState, Scope, SenderDomain, Workspace
from shared.access.ports import ApiKeyStore, SenderDomainStore, WorkspaceStore
from shared.errors import AlreadyExists, Conflict, InvalidInput, NotFound, StaleWrite
from shared.storage.api_keys import DynamoApiKeys, RequestCounterItem
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.workspaces import DynamoWorkspaces
from tests.fakes import FakeApiKeys, FakeSenderDomains, FakeWorkspaces

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)
KEY = ApiKey(
    "key_a",
    WS,
    "Shop",
    "ab" * 32,
    frozenset({Scope.SUBSCRIBERS_READ, Scope.MESSAGES_SEND}),
    NOW,
    requests_per_minute=100,
    created_by="key_0",
)
DOMAIN = SenderDomain("dom_a", WS, "news.example.com", "t0ken", NOW)
THEIRS = replace(DOMAIN, id="dom_z", workspace=OTHER)


@pytest.fixture(params=["dynamo", "fake"])
def workspaces(request: pytest.FixtureRequest) -> WorkspaceStore:
    if request.param == "fake":
        return FakeWorkspaces()
    request.getfixturevalue("dynamo")
    return DynamoWorkspaces()


@pytest.fixture(params=["dynamo", "fake"])
def keys(request: pytest.FixtureRequest) -> ApiKeyStore:
    if request.param == "fake":
        return FakeApiKeys()
    request.getfixturevalue("dynamo")
    return DynamoApiKeys()


@pytest.fixture(params=["dynamo", "fake"])
def domains(request: pytest.FixtureRequest) -> SenderDomainStore:
    if request.param == "fake":
        return FakeSenderDomains()
    request.getfixturevalue("dynamo")
    return DynamoSenderDomains()


def test_a_workspace_is_created_once(workspaces: WorkspaceStore) -> None:
    with pytest.raises(NotFound):
        workspaces.get(WS)
    workspace = Workspace(WS, "Mine", NOW)
    workspaces.create(workspace)
    with pytest.raises(AlreadyExists):
        workspaces.create(workspace)
    assert workspaces.get(WS) == workspace


def test_a_key_is_created_once_and_found_by_its_id(keys: ApiKeyStore) -> None:
    assert keys.find(KEY.id) is None
    keys.create(KEY)
    with pytest.raises(AlreadyExists):
        keys.create(replace(KEY, workspace=OTHER))
    assert keys.find(KEY.id) == KEY
    assert keys.find("") is None


def test_a_key_without_scopes_comes_back_so(keys: ApiKeyStore) -> None:
    bare = replace(KEY, scopes=frozenset())
    keys.create(bare)
    assert keys.find(KEY.id) == bare


def test_a_key_is_revoked_for_good(keys: ApiKeyStore) -> None:
    keys.create(KEY)
    with pytest.raises(NotFound):
        keys.revoke(OTHER, KEY.id, NOW)
    with pytest.raises(NotFound):
        keys.revoke(WS, "key_none", NOW)
    revoked = keys.revoke(WS, KEY.id, NOW)
    assert revoked == replace(KEY, revoked_at=NOW)
    assert keys.revoke(WS, KEY.id, NOW + timedelta(days=1)) == revoked == keys.find(KEY.id)
    assert keys.find("key_none") is None


def test_keys_are_paged_oldest_first(keys: ApiKeyStore) -> None:
    for letter in "cab":
        keys.create(replace(KEY, id=f"key_{letter}"))
    keys.create(replace(KEY, id="key_z", workspace=OTHER))
    first = keys.page(WS, limit=2)
    rest = keys.page(WS, limit=2, cursor=first.cursor)
    assert [key.id for key in (*first.items, *rest.items)] == ["key_a", "key_b", "key_c"]
    assert (first.items[0], rest.cursor) == (KEY, None)
    with pytest.raises(InvalidInput):
        keys.page(WS, limit=2, cursor="bent")


def test_requests_are_counted_per_key_and_minute(keys: ApiKeyStore) -> None:
    keys.create(KEY)
    assert [keys.count_request(KEY.id, NOW) for _ in range(3)] == [1, 2, 3]
    assert keys.count_request(KEY.id, NOW + timedelta(seconds=59)) == 4
    assert keys.count_request(KEY.id, NOW + timedelta(minutes=1)) == 1
    assert keys.count_request("key_b", NOW) == 1
    assert keys.find(KEY.id) == KEY
    assert keys.page(WS, limit=9).items == (KEY,)


@pytest.mark.usefixtures("dynamo")
def test_a_counter_goes_after_two_hours() -> None:
    DynamoApiKeys().count_request(KEY.id, NOW)
    item = RequestCounterItem.find("key#key_a", "minute#2026-11-24T08:15")
    assert item is not None
    assert item.ttl == NOW + timedelta(hours=2)


def test_a_domain_is_created_once_per_workspace(domains: SenderDomainStore) -> None:
    domains.create(DOMAIN)
    with pytest.raises(AlreadyExists):
        domains.create(replace(DOMAIN, id="dom_b"))
    domains.create(THEIRS)
    assert domains.get(WS, DOMAIN.id) == domains.find(WS, DOMAIN.domain) == DOMAIN
    assert domains.find(WS, "else.example.com") is None
    with pytest.raises(NotFound):
        domains.get(WS, THEIRS.id)


def test_a_domain_is_verified_for_one_workspace(domains: SenderDomainStore) -> None:
    domains.create(DOMAIN)
    domains.create(THEIRS)
    assert domains.owner(DOMAIN.domain) is None
    verified = domains.verify(DOMAIN, NOW)
    assert verified == replace(DOMAIN, state=DomainState.VERIFIED, verified_at=NOW, version=1)
    assert domains.get(WS, DOMAIN.id) == verified
    assert domains.owner(DOMAIN.domain) == WS
    for again in (DOMAIN, verified):
        assert domains.verify(again, NOW + timedelta(days=1)) == verified
    with pytest.raises(Conflict, match=r"news\.example\.com"):
        domains.verify(THEIRS, NOW)
    assert domains.get(OTHER, THEIRS.id) == THEIRS


def test_only_an_entry_that_is_there_is_verified(domains: SenderDomainStore) -> None:
    with pytest.raises(NotFound):
        domains.verify(DOMAIN, NOW)
    domains.create(replace(DOMAIN, id="dom_b"))
    with pytest.raises(NotFound):
        domains.verify(DOMAIN, NOW)
    with pytest.raises(StaleWrite):
        domains.verify(replace(DOMAIN, id="dom_b", version=4), NOW)
    assert domains.owner(DOMAIN.domain) is None


def test_deleting_gives_the_domain_free(domains: SenderDomainStore) -> None:
    domains.create(DOMAIN)
    domains.create(THEIRS)
    domains.verify(DOMAIN, NOW)
    domains.delete(OTHER, THEIRS.id)
    assert domains.owner(DOMAIN.domain) == WS
    domains.delete(WS, DOMAIN.id)
    assert domains.owner(DOMAIN.domain) is None
    assert domains.find(WS, DOMAIN.domain) is None
    with pytest.raises(NotFound):
        domains.delete(WS, DOMAIN.id)
    domains.create(THEIRS)
    assert domains.verify(THEIRS, NOW).state is DomainState.VERIFIED


def test_domains_are_paged_oldest_first(domains: SenderDomainStore) -> None:
    for number, letter in enumerate("abc"):
        name = f"{9 - number}.example.com"
        domains.create(replace(DOMAIN, id=f"dom_{letter}", domain=name))
    domains.create(THEIRS)
    first = domains.page(WS, limit=2)
    rest = domains.page(WS, limit=2, cursor=first.cursor)
    assert [one.id for one in (*first.items, *rest.items)] == ["dom_a", "dom_b", "dom_c"]
    assert rest.cursor is None
    with pytest.raises(InvalidInput):
        domains.page(WS, limit=2, cursor="bent")
