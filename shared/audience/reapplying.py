"""Erasures once more, after a restore from backup brought back what they had removed."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from shared.audience.erasure import ErasureJournal, begin
from shared.clock import Clock, from_iso
from shared.errors import FieldProblem, InvalidInput
from shared.ids import Ids
from shared.jobs import JobQueue, JobStore

MOST_AT_ONCE = 500
"""Jobs that one call starts."""


class Reapplying:
    """Starts the jobs of erasures that are in the journal."""

    def __init__(
        self,
        journal: ErasureJournal,
        jobs: JobStore,
        job_queue: JobQueue,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._clock = clock

    def since(self, since: str, skip: int = 0) -> dict[str, int | None]:
        """Starts the erasures since an instant (RFC 3339), but for the first `skip`.

        Gives `{"started", "next"}`: how many, and what to skip in the next
        call, None at the end. Doing one twice does no harm.

        Raises:
            InvalidInput: that is no instant with an offset, or one yet to come.
        """
        begun = _instant(since)
        now = self._clock.now()
        if begun > now or skip < 0:
            raise InvalidInput(FieldProblem("since", "must be an instant in the past"))
        erasures = islice(self._journal.since(begun, now), skip, skip + MOST_AT_ONCE)
        started = 0
        for erasure in erasures:
            begin(erasure, self._jobs, self._job_queue, self._ids, self._clock)
            started += 1
        return {"started": started, "next": skip + started if started == MOST_AT_ONCE else None}


def _instant(text: str) -> datetime:
    try:
        return from_iso(text)
    except ValueError as error:
        reason = "must be an instant such as 2026-11-24T08:15:30Z"
        raise InvalidInput(FieldProblem("since", reason)) from error
