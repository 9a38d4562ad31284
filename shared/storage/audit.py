"""The audit log in DynamoDB, a partition for each workspace and month."""

from __future__ import annotations

import re
from datetime import datetime

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.access.model import AuditAction, AuditEntry, AuditFilter
from shared.access.ports import EVERYTHING
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, InvalidInput
from shared.paging import BAD_CURSOR, Page, encode_cursor, resume
from shared.storage.tables import TidepostModel

_MONTHS_PER_PAGE = 12
_LOOKS_PER_PAGE = 1_000
"""Entries read for one page, of which a filter may take few or none."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])-")


class AuditItem(TidepostModel):
    """One entry; `details` is compact JSON."""

    TABLE = "audit"

    v = NumberAttribute(default=1)
    by = UnicodeAttribute()
    action = UnicodeAttribute()
    target = UnicodeAttribute()
    details = UnicodeAttribute()


class DynamoAuditLog:
    """`AuditLog`. Instants are kept to the millisecond."""

    def append(self, entry: AuditEntry, *, until: datetime | None = None) -> None:
        """As the port says."""
        at = to_iso(entry.at)
        item = AuditItem(
            _partition(entry.workspace, at[:7]),
            f"{at}#{entry.id}",
            by=entry.by,
            action=entry.action.value,
            target=entry.target,
            details=orjson.dumps(dict(entry.details)).decode(),
            ttl=until,
        )
        if not item.put(AuditItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is an audit entry {entry.id} already")

    def page(
        self,
        workspace: str,
        *,
        oldest: datetime,
        newest: datetime,
        wanted: AuditFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """As the port says: at most twelve months and `_LOOKS_PER_PAGE` entries. Consistent."""
        after = resume(cursor)
        if after and not _MONTH.match(after):
            raise InvalidInput(BAD_CURSOR)
        month = min(to_iso(newest)[:7], after[:7] if after else "9999-12")
        last = to_iso(oldest)[:7]
        where = AuditItem.sk < after if after else None
        found: list[AuditEntry] = []
        looked_at, before = 0, after or ""
        for _ in range(_MONTHS_PER_PAGE):
            if month < last:
                return Page(tuple(found))
            pk, room = _partition(workspace, month), _LOOKS_PER_PAGE - looked_at
            size = min(room, limit + 1) if wanted == EVERYTHING else room
            items = AuditItem.select(pk, where, ascending=False, limit=room, page_size=size)
            for item in items:
                looked_at += 1
                entry = _read(workspace, item)
                if wanted.takes(entry):
                    if len(found) == limit:
                        return Page(tuple(found), encode_cursor({"after": before}))
                    found.append(entry)
                before = item.sk
                if looked_at == _LOOKS_PER_PAGE:
                    return Page(tuple(found), encode_cursor({"after": before}))
            month = _before(month)
        # No instant has a day 99: the next page begins with all of that month.
        return Page(tuple(found), encode_cursor({"after": f"{month}-99"}))


def _partition(workspace: str, month: str) -> str:
    return f"ws#{workspace}#audit#{month}"


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04d}-12" if number == 1 else f"{year:04d}-{number - 1:02d}"


def _read(workspace: str, item: AuditItem) -> AuditEntry:
    at, _, entry_id = item.sk.partition("#")
    return AuditEntry(
        id=entry_id,
        workspace=workspace,
        at=from_iso(at),
        by=item.by,
        action=AuditAction(item.action),
        target=item.target,
        details=orjson.loads(item.details),
    )
