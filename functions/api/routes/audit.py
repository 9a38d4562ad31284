"""The audit log."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, AuditEntry, Scope

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
def list_audit(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> AuditPage:
    """List who did what, newest first.

    Entries are never changed or removed. A page may hold fewer than `limit` and not be the last:
    go on while there is a cursor.
    """
    page = call.services.audit.page(call.workspace, limit=limit, cursor=cursor)
    return AuditPage(items=[AuditAnswer.of(entry) for entry in page.items], cursor=page.cursor)
