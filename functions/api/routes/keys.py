"""API keys."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, Name, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.keys import MAX_REQUESTS_PER_MINUTE
from shared.access.model import ApiKey, AuditAction, Scope

keys = Endpoints("keys", "/v1/keys")

_EXAMPLE: JsonDict = {
    "name": "shop backend",
    "scopes": ["messages:send"],
    "requests_per_minute": 600,
}


class KeyBody(Body):
    """A key to be issued."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    requests_per_minute: Annotated[int, Field(ge=1, le=MAX_REQUESTS_PER_MINUTE)] = 600


class KeyAnswer(Answer):
    """A key, without the key itself."""

    id: str
    name: str
    scopes: list[Scope]
    requests_per_minute: int
    created_at: Instant
    created_by: str
    revoked_at: Instant | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyAnswer:
        """From the domain's value."""
        return cls(
            id=key.id,
            name=key.name,
            scopes=sorted(key.scopes),
            requests_per_minute=key.requests_per_minute,
            created_at=key.created_at,
            created_by=key.created_by,
            revoked_at=key.revoked_at,
        )


class NewKeyAnswer(KeyAnswer):
    """A key, shown this once."""

    api_key: str = Field(description="The key itself; keep it, it cannot be shown again")


class KeyPage(PageAnswer[KeyAnswer]):
    """A page of keys."""


@keys.post("", scope=Scope.ADMIN, status=HTTPStatus.CREATED, once=False)
def create_key(body: KeyBody, call: CurrentCall) -> NewKeyAnswer:
    """Issue a key of this workspace.

    The key is shown in this answer and never again: only its hash is kept.
    """
    key, text = call.services.keys.issue(
        call.workspace, body.name, body.scopes, body.requests_per_minute, created_by=call.source
    )
    call.record(AuditAction.KEY_ISSUE, key.id, name=key.name, scopes=sorted(key.scopes))
    return NewKeyAnswer(**KeyAnswer.of(key).model_dump(), api_key=text)


@keys.get("", scope=Scope.ADMIN)
def list_keys(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> KeyPage:
    """List the keys, revoked ones included, oldest first."""
    page = call.services.keys.page(call.workspace, limit=limit, cursor=cursor)
    return KeyPage(items=[KeyAnswer.of(item) for item in page.items], cursor=page.cursor)


@keys.delete("/<key_id>", scope=Scope.ADMIN, status=HTTPStatus.OK)
def revoke_key(key_id: str, call: CurrentCall) -> KeyAnswer:
    """Revoke a key.

    It is refused within ten seconds everywhere. Revoking it again changes nothing.
    """
    revoked = call.services.keys.revoke(call.workspace, key_id)
    call.record(AuditAction.KEY_REVOKE, key_id)
    return KeyAnswer.of(revoked)
