"""API keys: issued once, kept as hashes, checked and counted on every request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from shared.access.model import ApiKey, Scope
from shared.access.ports import ApiKeyStore
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, RateLimited, Unauthenticated
from shared.ids import API_KEY, Ids
from shared.paging import Page

CACHE_FOR = timedelta(seconds=10)
"""How long a key that was read is trusted; a revoked key may work for that long."""

MAX_NAME = 100
MAX_REQUESTS_PER_MINUTE = 60_000

_MAX_CACHED = 1_000
_SECRET_BYTES = 32
_WRITTEN = re.compile(r"tp_([0-9a-v]{20})_([A-Za-z0-9_-]{43})")
_UNKNOWN = "the API key is not known here or was revoked; ask an administrator for another"


class ApiKeyService:
    """Issues, checks, counts and revokes API keys."""

    def __init__(
        self, keys: ApiKeyStore, ids: Ids, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._random_bytes = random_bytes
        self._cache: dict[str, tuple[datetime, ApiKey]] = {}

    def issue(
        self,
        workspace: str,
        name: str,
        scopes: Iterable[Scope],
        requests_per_minute: int,
        created_by: str,
    ) -> tuple[ApiKey, str]:
        """A new key and its full text, which nobody can ever see again.

        Raises:
            InvalidInput: names each field that is wrong.
        """
        granted = frozenset(scopes)
        problems = [*name_problems("name", name), *_grant_problems(granted, requests_per_minute)]
        if problems:
            raise InvalidInput(problems)
        secret = base64.urlsafe_b64encode(self._random_bytes(_SECRET_BYTES)).decode().rstrip("=")
        key = ApiKey(
            id=self._ids.new(API_KEY),
            workspace=workspace,
            name=name,
            secret_sha256=_hash(secret),
            scopes=granted,
            created_at=self._clock.now(),
            requests_per_minute=requests_per_minute,
            created_by=created_by,
        )
        self._keys.create(key)
        return key, f"tp_{key.id.partition('_')[2]}_{secret}"

    def authenticate(self, authorization: str | None) -> ApiKey:
        """The key of an `Authorization: Bearer tp_...` header.

        Raises:
            Unauthenticated: no key, a malformed or unknown one, or a revoked one.
        """
        scheme, _, text = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthenticated("send your API key as `Authorization: Bearer tp_...`")
        written = _WRITTEN.fullmatch(text.strip())
        key = self._find(f"{API_KEY}_{written[1]}") if written else None
        if written is None or key is None:
            raise Unauthenticated(_UNKNOWN)
        if not hmac.compare_digest(_hash(written[2]), key.secret_sha256):
            raise Unauthenticated(_UNKNOWN)
        if key.revoked_at is not None:
            raise Unauthenticated(_UNKNOWN)
        return key

    def charge(self, key: ApiKey) -> None:
        """Counts one request against the key's limit for this UTC minute.

        Raises:
            RateLimited: the minute is used up; says when the next one begins.
        """
        now = self._clock.now()
        minute = now.replace(second=0, microsecond=0)
        if self._keys.count_request(key.id, minute) <= key.requests_per_minute:
            return
        left = minute + timedelta(minutes=1) - now
        raise RateLimited(
            f"the key's {key.requests_per_minute} requests for this minute are used up",
            retry_after=max(1, -(-left // timedelta(seconds=1))),
        )

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """The workspace's keys, revoked ones included, oldest first."""
        return self._keys.page(workspace, limit=limit, cursor=cursor)

    def revoke(self, workspace: str, key_id: str) -> ApiKey:
        """Ends a key. Containers that have it in their cache refuse it within `CACHE_FOR`.

        Raises:
            NotFound: this workspace has no such key.
        """
        self._cache.pop(key_id, None)
        return self._keys.revoke(workspace, key_id, self._clock.now())

    def _find(self, key_id: str) -> ApiKey | None:
        now = self._clock.now()
        until, cached = self._cache.get(key_id, (now, None))
        if cached is not None and now < until:
            return cached
        key = self._keys.find(key_id)
        if key is None:
            return None
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[key_id] = now + CACHE_FOR, key
        return key


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def name_problems(field: str, name: str) -> list[FieldProblem]:
    """What is wrong with the name of a workspace or key, if anything."""
    if name.strip() and len(name) <= MAX_NAME and name.isprintable():
        return []
    return [FieldProblem(field, f"must be 1 to {MAX_NAME} printable characters on one line")]


def _grant_problems(scopes: frozenset[Scope], requests_per_minute: int) -> list[FieldProblem]:
    problems = []
    if not scopes:
        problems.append(FieldProblem("scopes", "must name at least one scope"))
    if not 1 <= requests_per_minute <= MAX_REQUESTS_PER_MINUTE:
        reason = f"must be between 1 and {MAX_REQUESTS_PER_MINUTE}"
        problems.append(FieldProblem("requests_per_minute", reason))
    return problems
