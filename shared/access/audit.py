"""The audit log: who did what. Nothing in Tidepost changes or removes an entry.

It is kept for good, or as long as a workspace has set for what comes (`audit_days`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.access.model import AuditAction, AuditEntry, AuditFilter
from shared.access.ports import EVERYTHING, AuditLog
from shared.clock import Clock, from_millis
from shared.ids import AUDIT, Ids, to_bytes
from shared.paging import Page
from shared.retention import KeptFor, by_default


class AuditTrail:
    """Writes and lists the entries of a workspace."""

    def __init__(self, log: AuditLog, ids: Ids, clock: Clock, kept: KeptFor = by_default) -> None:
        self._kept = kept
        self._log = log
        self._ids = ids
        self._clock = clock

    def record(
        self,
        workspace: str,
        by: str,
        action: AuditAction,
        target: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes that `by` has just done `action` to `target` (an id); `details` are plain JSON.

        It is written once the action has been done, so that the log holds
        nothing that was refused.

        Raises:
            DependencyUnavailable: it was done and is not on the log.
        """
        entry = AuditEntry(
            id=self._ids.new(AUDIT),
            workspace=workspace,
            at=self._clock.now(),
            by=by,
            action=action,
            target=target,
            details=details or {},
        )
        days = self._kept(workspace).audit_days
        self._log.append(entry, until=entry.at + timedelta(days=days) if days else None)

    def page(
        self,
        workspace: str,
        *,
        wanted: AuditFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Entries that are `wanted`, newest first. A page may be short and not be the last.

        Raises:
            InvalidInput: the cursor is not one of this listing.
        """
        created = from_millis(int.from_bytes(to_bytes(workspace)[:6], "big"))
        return self._log.page(
            workspace,
            oldest=max(created, wanted.since or created),
            newest=min(self._clock.now(), wanted.until or self._clock.now()),
            wanted=wanted,
            limit=limit,
            cursor=cursor,
        )
