"""What an erasure removes of files: every finished import's and export's, whoever is in them.

To find one person in them would mean to read them all. They are means of
transport that go after 30 days anyway, so all of the workspace's go now. An
import's report stays: it names rows and reasons, and no address.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.audience.erasing import Erased
from shared.audience.erasing_people import ACTIVE
from shared.audience.erasure import Erasure
from shared.audience.ports import FileKeeper
from shared.clock import Clock
from shared.errors import NotFound
from shared.jobs import JobState, JobStore

FILES_PER_STEP = 500
UPLOAD_WAITS = timedelta(hours=1)
"""An upload that nobody has started by then is removed like the others."""

_FOLDERS = ("imports", "exports")
_REPORT = "report.csv"


class FileEraser:
    """Removes the files of imports and exports, but for those that are under way."""

    def __init__(self, files: FileKeeper, jobs: JobStore, clock: Clock) -> None:
        self._files = files
        self._jobs = jobs
        self._clock = clock

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Cursor: `folder` and `after`, the last key looked at."""
        number, after = (cursor["folder"], cursor["after"]) if cursor else (0, None)
        prefix = f"{erasure.workspace}/{_FOLDERS[number]}/"
        keys = self._files.keys(prefix, after=after, limit=FILES_PER_STEP)
        removed, busy = 0, False
        for job_id in dict.fromkeys(key.removeprefix(prefix).partition("/")[0] for key in keys):
            if self._in_use(erasure.workspace, job_id):
                busy = True
                continue
            for key in keys:
                of_this = key.startswith(f"{prefix}{job_id}/")
                if of_this and not key.endswith(f"/{_REPORT}"):
                    self._files.delete(key)
                    removed += 1
        counts = {"files": removed}
        if len(keys) == FILES_PER_STEP:
            return Erased({"folder": number, "after": keys[-1]}, counts, busy)
        if number + 1 < len(_FOLDERS):
            return Erased({"folder": number + 1, "after": None}, counts, busy)
        return Erased(None, counts, busy)

    def _in_use(self, workspace: str, job_id: str) -> bool:
        try:
            job = self._jobs.get(workspace, job_id)
        except NotFound:
            return False
        if job.state is JobState.WAITING:
            return self._clock.now() - job.created_at < UPLOAD_WAITS
        return job.state in ACTIVE
