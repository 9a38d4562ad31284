"""What an erasure removes of the audience: records, memberships, and the person in her consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.deleting import Removal
from shared.audience.erasing import Erased
from shared.audience.erasure import Erasure
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.ports import ListStore, MembershipStore, SuppressionStore
from shared.audience.segments.ports import EngagementReader, SnapshotStore
from shared.audience.segments.snapshots import job_of
from shared.errors import NotFound
from shared.jobs import JobState, JobStore
from shared.retention import KeptFor

PAGE = 100
ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING})


class RecordEraser:
    """Keeps the hash on the suppression list, then removes records and engagement states.

    The entry is written here as well as when the erasure was asked for: a
    restore may have taken it back.
    """

    def __init__(
        self, removal: Removal, engagement: EngagementReader, suppressions: SuppressionStore
    ) -> None:
        self._removal = removal
        self._engagement = engagement
        self._suppressions = suppressions

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:  # noqa: ARG002  # one step does all
        """As the port says.

        Raises:
            StaleWrite: others kept changing the person; do the step again.
        """
        workspace, removed = erasure.workspace, 0
        for one in erasure.subscribers:
            entry = Suppression(workspace, one, SuppressionReason.ERASURE, erasure.at, erasure.by)
            self._suppressions.put(entry)
            removed += self._removal.remove(workspace, one, _as_old_as(erasure)) is not None
            self._engagement.forget(workspace, one)
        return Erased(removed={"records": removed})


def _as_old_as(erasure: Erasure) -> Callable[[Any], bool]:
    return lambda person: person.created_at <= erasure.at


class MembershipEraser:
    """Takes her out of the index of every list and snapshot, whatever her record said."""

    def __init__(
        self,
        memberships: MembershipStore,
        lists: ListStore,
        snapshots: SnapshotStore,
        jobs: JobStore,
    ) -> None:
        self._memberships = memberships
        self._lists = lists
        self._snapshots = snapshots
        self._jobs = jobs

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Cursor: `of` (`lists`, `snapshots`) and `page`."""
        of, page_at = (cursor["of"], cursor["page"]) if cursor else ("lists", None)
        store: ListStore | SnapshotStore = self._lists if of == "lists" else self._snapshots
        page = store.page(erasure.workspace, limit=PAGE, cursor=page_at)
        busy = False
        for kept in page.items:
            for one in erasure.subscribers:
                self._memberships.remove(erasure.workspace, kept.id, one)
            busy = busy or (of == "snapshots" and self._being_taken(erasure.workspace, kept.id))
        if page.cursor:
            return Erased({"of": of, "page": page.cursor}, busy=busy)
        if of == "lists":
            return Erased({"of": "snapshots", "page": None}, busy=busy)
        return Erased(busy=busy)

    def _being_taken(self, workspace: str, snapshot_id: str) -> bool:
        try:
            return self._jobs.get(workspace, job_of(snapshot_id)).state in ACTIVE
        except NotFound:
            return False


class ConsentEraser:
    """Takes the person's device out of her consent records, and has them end in some years."""

    def __init__(self, log: ConsentLog, kept: KeptFor) -> None:
        self._log = log
        self._kept = kept

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Records that are newer than the erasure are not touched."""
        del cursor  # a person has a handful of records
        days = self._kept(erasure.workspace).erased_consent_days
        until = erasure.at + timedelta(days=days)
        for one in erasure.subscribers:
            told = Circumstances("erasure", actor=erasure.by)
            self._log.append(
                ConsentRecord(erasure.workspace, one, erasure.at, ConsentChange.ERASED, told)
            )
            for place, record in list(self._log.of(erasure.workspace, one)):
                if record.at <= erasure.at:
                    self._log.seal(place, record, until=until)
        return Erased()
