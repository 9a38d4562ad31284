"""API keys and their request counters in DynamoDB."""

from __future__ import annotations

from datetime import datetime, timedelta

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from shared.access.model import ApiKey, Scope
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.paging import Page, cut, resume
from shared.storage.tables import TidepostModel

COUNTER_KEPT_FOR = timedelta(hours=2)


class ByWorkspace(GlobalSecondaryIndex["ApiKeyItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """A workspace's keys, oldest first."""

    class Meta:
        """Names the index."""

        index_name = "by_workspace"
        projection = AllProjection()

    workspace = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ApiKeyItem(TidepostModel):
    """One API key."""

    TABLE = "api-keys"

    by_workspace = ByWorkspace()
    id = UnicodeAttribute()
    workspace = UnicodeAttribute()
    name = UnicodeAttribute()
    secret_sha256 = UnicodeAttribute()
    scopes = UnicodeSetAttribute()
    created_at = UnicodeAttribute()
    requests_per_minute = NumberAttribute()
    revoked_at = UnicodeAttribute(null=True)
    created_by = UnicodeAttribute()


class RequestCounterItem(TidepostModel):
    """How many requests a key has made in one minute."""

    TABLE = "api-keys"

    requests = NumberAttribute()


class DynamoApiKeys:
    """`ApiKeyStore`."""

    def create(self, key: ApiKey) -> None:
        """As the port says."""
        item = ApiKeyItem(
            f"key#{key.id}",
            "key",
            id=key.id,
            workspace=key.workspace,
            name=key.name,
            secret_sha256=key.secret_sha256,
            scopes={scope.value for scope in key.scopes},
            created_at=to_iso(key.created_at),
            requests_per_minute=key.requests_per_minute,
            revoked_at=to_iso(key.revoked_at) if key.revoked_at else None,
            created_by=key.created_by,
        )
        if not item.put(ApiKeyItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is an API key {key.id} already")

    def find(self, key_id: str) -> ApiKey | None:
        """As the port says; consistent."""
        item = ApiKeyItem.find(f"key#{key_id}", "key")
        return _read(item) if item else None

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """As the port says; by the index, so a key made a moment ago may be missing."""
        after = resume(cursor)
        where = ApiKeyItem.id > after if after else None
        items = ApiKeyItem.select(workspace, where, index="by_workspace", page_size=limit + 1)
        return cut((_read(item) for item in items), limit, lambda key: key.id)

    def revoke(self, workspace: str, key_id: str, at: datetime) -> ApiKey:
        """As the port says."""
        key = self.find(key_id)
        if key is None or key.workspace != workspace:
            raise NotFound("API key", key_id)
        item = ApiKeyItem(f"key#{key_id}", "key")
        item.change([ApiKeyItem.revoked_at.set(ApiKeyItem.revoked_at | to_iso(at))])
        return _read(item)

    def count_request(self, key_id: str, minute: datetime) -> int:
        """As the port says; one atomic ADD. The counter goes by itself after two hours."""
        item = RequestCounterItem(f"key#{key_id}", f"minute#{to_iso(minute)[:16]}")
        item.change(
            [
                RequestCounterItem.requests.add(1),
                RequestCounterItem.ttl.set(minute + COUNTER_KEPT_FOR),
            ]
        )
        return int(item.requests)


def _read(item: ApiKeyItem) -> ApiKey:
    return ApiKey(
        id=item.id,
        workspace=item.workspace,
        name=item.name,
        secret_sha256=item.secret_sha256,
        scopes=frozenset(Scope(scope) for scope in item.scopes or ()),
        created_at=from_iso(item.created_at),
        requests_per_minute=int(item.requests_per_minute),
        revoked_at=from_iso(item.revoked_at) if item.revoked_at else None,
        created_by=item.created_by,
    )
