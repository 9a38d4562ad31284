from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.keys import ApiKeyService
from shared.access.model import ApiKey, Scope
from shared.errors import InvalidInput, NotFound, RateLimited, Unauthenticated
from shared.ids import Ids, is_id
from tests.fakes import FakeApiKeys, FakeClock, seeded_bytes

WORKSPACE = "ws_0123456789abcdefghi0"


class Keys:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeApiKeys()
        self.reads = 0
        self.service = self.container()

    def container(self) -> ApiKeyService:
        """Another Lambda container with a cache of its own."""
        ids = Ids(self.clock, seeded_bytes())
        return ApiKeyService(self.store, ids, self.clock, seeded_bytes(2))

    def issue(self, requests_per_minute: int = 600) -> tuple[ApiKey, str]:
        scopes = [Scope.MESSAGES_SEND]
        return self.service.issue(WORKSPACE, "shop", scopes, requests_per_minute, "test")


@pytest.fixture
def keys() -> Keys:
    return Keys()


def test_a_key_is_written_as_documented_and_kept_as_a_hash(keys: Keys) -> None:
    key, text = keys.issue()
    assert re.fullmatch(r"tp_[0-9a-v]{20}_[A-Za-z0-9_-]{43}", text)
    assert is_id("key", key.id)
    stored = keys.store.keys[key.id]
    assert stored == key
    assert text.split("_", 2)[2] not in repr(stored)
    assert len(stored.secret_sha256) == 64


def test_the_key_authenticates_whatever_the_case_of_the_scheme(keys: Keys) -> None:
    key, text = keys.issue()
    for scheme in ("Bearer", "bearer", "BEARER "):
        assert keys.service.authenticate(f"{scheme} {text}") == key


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Bearer x y z"])
def test_no_key_or_a_malformed_one_is_unauthenticated(keys: Keys, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        keys.service.authenticate(header)


@given(st.text(max_size=90))
def test_no_text_but_the_key_gets_in(text: str) -> None:
    keys = Keys()
    keys.issue()
    with pytest.raises(Unauthenticated):
        keys.service.authenticate(f"Bearer {text}")


def test_another_secret_for_a_known_id_is_refused_in_the_same_words(keys: Keys) -> None:
    _, text = keys.issue()
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    unknown = "tp_" + "0" * 20 + text[23:]
    messages = set()
    for header in (f"Bearer {wrong}", f"Bearer {unknown}"):
        with pytest.raises(Unauthenticated) as caught:
            keys.service.authenticate(header)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_within_ten_seconds(
    keys: Keys,
) -> None:
    key, text = keys.issue()
    elsewhere = keys.container()
    elsewhere.authenticate(f"Bearer {text}")
    revoked = keys.service.revoke(WORKSPACE, key.id)
    assert revoked.revoked_at == keys.clock.now()
    with pytest.raises(Unauthenticated):
        keys.service.authenticate(f"Bearer {text}")
    elsewhere.authenticate(f"Bearer {text}")
    keys.clock.advance(seconds=10)
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(f"Bearer {text}")


def test_another_workspace_cannot_revoke_a_key(keys: Keys) -> None:
    key, text = keys.issue()
    with pytest.raises(NotFound):
        keys.service.revoke("ws_other", key.id)
    keys.service.authenticate(f"Bearer {text}")


def test_requests_are_limited_per_minute(keys: Keys) -> None:
    key, _ = keys.issue(requests_per_minute=2)
    keys.clock.advance(seconds=17.5)
    keys.service.charge(key)
    keys.service.charge(key)
    with pytest.raises(RateLimited) as caught:
        keys.service.charge(key)
    assert caught.value.retry_after == 43
    keys.clock.advance(seconds=caught.value.retry_after)
    keys.service.charge(key)


@pytest.mark.parametrize(
    ("name", "scopes", "requests_per_minute", "field"),
    [
        ("", [Scope.ADMIN], 1, "name"),
        ("two\nlines", [Scope.ADMIN], 1, "name"),
        ("x" * 101, [Scope.ADMIN], 1, "name"),
        ("shop", [], 1, "scopes"),
        ("shop", [Scope.ADMIN], 0, "requests_per_minute"),
        ("shop", [Scope.ADMIN], 60_001, "requests_per_minute"),
    ],
)
def test_what_is_wrong_with_a_new_key_is_named(
    keys: Keys, name: str, scopes: list[Scope], requests_per_minute: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        keys.service.issue(WORKSPACE, name, scopes, requests_per_minute, "test")
    assert [problem.field for problem in caught.value.problems] == [field]
    assert not keys.store.keys


def test_keys_are_paged(keys: Keys) -> None:
    issued = []
    for _ in range(3):
        issued.append(keys.issue()[0])
        keys.clock.advance(seconds=1)
    first = keys.service.page(WORKSPACE, limit=2)
    rest = keys.service.page(WORKSPACE, limit=2, cursor=first.cursor)
    assert [*first.items, *rest.items] == issued
    assert rest.cursor is None
