"""Exports as jobs: the beginning, and the link to the file that was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from shared.audience.export_rows import ExportFormat
from shared.audience.ports import LargeFileStore
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore

LINK_VALID = timedelta(minutes=15)
_KEY_BYTES = 16


class FileExports:
    """What exports have in common, whatever is in the file.

    `name` is what the downloaded file's name begins with, `counted` the word
    under which the job's progress counts.
    """

    kind: ClassVar[JobKind]
    name: ClassVar[str]
    counted: ClassVar[str]

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

    def get(self, workspace: str, job_id: str) -> Job:
        """The export's job. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not self.kind:
            raise NotFound("export", job_id)
        return job

    def link(self, job: Job) -> str:
        """Where the file can be downloaded for `LINK_VALID`.

        Empty until it is done, and once the file is gone: with its 30 days, or an erasure.
        """
        if job.state is not JobState.DONE:
            return ""
        try:
            self._blobs.size(target(job))
        except NotFound:
            return ""
        name = f"{self.name}-{job.id}{ending(job)}"
        return self._blobs.download_link(target(job), name=name, valid=LINK_VALID)

    def _queue(
        self, workspace: str, file_format: ExportFormat, params: Mapping[str, Any], *, packed: bool
    ) -> Job:
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=self.kind,
            created_at=self._clock.now(),
            params={
                **params,
                "format": file_format.value,
                "packed": packed,
                "random": self._random_bytes(_KEY_BYTES).hex(),
            },
            progress={self.counted: 0},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return job


def check_raw(file_format: ExportFormat, *, raw: bool) -> None:
    """Raises InvalidInput if `raw` is asked for what is no CSV."""
    if raw and file_format is not ExportFormat.CSV:
        raise InvalidInput(FieldProblem("raw", "is for CSV; JSON lines are always raw"))


def ending(job: Job) -> str:
    """The file's ending, e.g. `.csv.gz`."""
    return f".{job.params['format']}{'.gz' if job.params['packed'] else ''}"


def folder(job: Job) -> str:
    """Where the job's files lie."""
    return f"{job.workspace}/exports/{job.id}"


def target(job: Job) -> str:
    """The key of the file that is made; it cannot be guessed from the job's id."""
    return f"{folder(job)}/{job.params['random']}{ending(job)}"
