"""The audit log."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AwareDatetime, Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, AuditEntry, AuditFilter, Scope

audit = Endpoints("audit", "/v1/audit")


class AuditAnswer(Answer):
    """Something that was done."""

    id: str
    at: Instant
    by: str = Field(description="`api:` and the id of the API key, or `operator`")
    action: AuditAction
    target: str = Field(description="The id of what it was done to")
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditAnswer:
        """From the domain's value."""
        return cls(
            id=entry.id,
            at=entry.at,
            by=entry.by,
            action=entry.action,
            target=entry.target,
            details=dict(entry.details),
        )


class AuditPage(PageAnswer[AuditAnswer]):
    """A page of the audit log."""


@audit.get("", scope=Scope.ADMIN)
def list_audit(
    call: CurrentCall,
    *,
    by: Annotated[str | None, Query(description="Only what this key did: `api:<key id>`")] = None,
    action: Annotated[AuditAction | None, Query(description="Only this")] = None,
    target: Annotated[str | None, Query(description="Only what was done to this id")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before this instant")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Not after this instant")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    """List who did what, newest first.

    Entries are never changed or removed. A page may hold fewer than `limit`, or nothing, and not be
    the last: go on while there is a cursor.
    """
    wanted = AuditFilter(by, action, target, since, until)
    page = call.services.audit.page(call.workspace, wanted=wanted, limit=limit, cursor=cursor)
    return AuditPage(items=[AuditAnswer.of(entry) for entry in page.items], cursor=page.cursor)
