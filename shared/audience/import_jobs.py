"""Imports of files as jobs: the upload's form, the beginning, the report.

A file is uploaded to S3 by a form that names one random key: the import's
record is made first, and whose it is stands there alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.audience.import_files import ImportFiles
from shared.audience.model import RowRejection
from shared.audience.ports import LargeFileStore, UploadForm
from shared.audience.tally import Tally
from shared.clock import Clock
from shared.errors import InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore
from shared.paging import BAD_CURSOR, Page, decode_cursor, encode_cursor

MAX_UPLOAD_BYTES = 1024**3
UPLOAD_VALID = timedelta(minutes=15)
REPORT_VALID = timedelta(minutes=15)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class OpenedImport:
    """An import that waits for its file, and the form to upload it by until `until`."""

    job: Job
    form: UploadForm
    until: datetime


class FileImports:
    """What imports have in common, whatever is in the file."""

    kind: ClassVar[JobKind]

    def __init__(
        self,
        *,
        blobs: LargeFileStore,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._blobs = blobs
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock
        self._random_bytes = random_bytes

    def begin(self, workspace: str, job_id: str) -> Job:
        """Has an uploaded file imported; once it was begun, calling again changes nothing.

        Raises:
            NotFound: the workspace has no such import.
            WrongState: its file has not been uploaded.
        """
        job = self.get(workspace, job_id)
        if job.state is JobState.WAITING:
            try:
                self._blobs.size(ImportFiles(self._blobs, job).upload)
            except NotFound as error:
                raise WrongState(_NO_FILE) from error
            try:
                job = self._jobs.save(replace(job, state=JobState.QUEUED))
            except StaleWrite:
                return self.get(workspace, job_id)
        if job.state is JobState.QUEUED:
            self._job_queue.enqueue(workspace, job.id)
        return job

    def get(self, workspace: str, job_id: str) -> Job:
        """The import's job. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not self.kind:
            raise NotFound("import", job_id)
        return job

    def report_link(self, job: Job) -> str:
        """Where the report can be downloaded; empty if there is none (yet)."""
        if job.state is not JobState.DONE or not job.progress["rejected"]:
            return ""
        name = f"rejected-{job.id}.csv"
        key = ImportFiles(self._blobs, job).report
        return self._blobs.download_link(key, name=name, valid=REPORT_VALID)

    def rejections(
        self, workspace: str, job_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[RowRejection]:
        """Rows that were not taken, as far as the job has come.

        Raises:
            InvalidInput: the cursor is not of this listing.
            NotFound: there is no such import.
        """
        job = self.get(workspace, job_id)
        files = ImportFiles(self._blobs, job)
        ready = job.cursor.get("rejected_files", 0)
        number, index = _position(cursor)
        found: list[RowRejection] = []
        while len(found) < limit and number < ready:
            present = files.rejections(number)
            taken = present[index : index + limit - len(found)]
            found += taken
            index += len(taken)
            if index >= len(present):
                number, index = number + 1, 0
        more = encode_cursor({"file": number, "index": index}) if number < ready else None
        return Page(tuple(found), more)

    def _open(self, workspace: str, params: Mapping[str, Any]) -> OpenedImport:
        """Makes the record of an import whose file is yet to be uploaded."""
        job = self._new(workspace, params, JobState.WAITING)
        self._jobs.create(job)
        key = ImportFiles(self._blobs, job).upload
        form = self._blobs.upload_form(key, max_bytes=MAX_UPLOAD_BYTES, valid=UPLOAD_VALID)
        return OpenedImport(job, form, job.created_at + UPLOAD_VALID)

    def _new(self, workspace: str, params: Mapping[str, Any], state: JobState) -> Job:
        return Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=self.kind,
            created_at=self._clock.now(),
            params={**params, "upload": self._random_bytes(_KEY_BYTES).hex()},
            state=state,
            progress=Tally().progress(0),
        )


def _position(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    position = decode_cursor(cursor, frozenset({"file", "index"}))
    number, index = position["file"], position["index"]
    if not isinstance(number, int) or not isinstance(index, int) or number < 0 or index < 0:
        raise InvalidInput(BAD_CURSOR)
    return number, index


_NO_FILE = "the file is not there yet: send it by the form first, or open a new import after 15 min"
