"""Exports as the API sees them; the work is done by a job, see `export_step`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.audience.export_rows import ExportFormat
from shared.audience.ports import LargeFileStore
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import Audience, Source
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore

LINK_VALID = timedelta(minutes=15)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is to be exported, and how. Without a source it is everybody.

    `raw` is for CSV: cells that are no text are JSON and nothing is neutralised.
    """

    file_format: ExportFormat
    source: Source | None = None
    packed: bool = False
    raw: bool = False


class ExportService:
    """Starts exports and hands out what they made."""

    def __init__(
        self,
        *,
        blobs: LargeFileStore,
        audiences: Audiences,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._blobs = blobs
        self._audiences = audiences
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock
        self._random_bytes = random_bytes

    def start(self, workspace: str, options: ExportOptions) -> Job:
        """Queues an export. A segment's rule is taken as it is now.

        Raises:
            InvalidInput: there is no such list, segment or snapshot, or it is not ready.
        """
        if options.raw and options.file_format is not ExportFormat.CSV:
            raise InvalidInput(FieldProblem("raw", "is for CSV; JSON lines are always raw"))
        chosen = None
        if options.source:
            audience = Audience((options.source,))
            chosen = self._audiences.choose(workspace, audience, at=options.source.kind.value)
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=JobKind.EXPORT_SUBSCRIBERS,
            created_at=self._clock.now(),
            params={
                "format": options.file_format.value,
                "raw": options.raw,
                "packed": options.packed,
                "source": options.source.kind.value if options.source else "",
                "source_id": options.source.id if options.source else "",
                "lists": list(chosen.lists) if chosen else [],
                "rules": list(chosen.rules) if chosen else [],
                "random": self._random_bytes(_KEY_BYTES).hex(),
            },
            progress={"people": 0},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return job

    def get(self, workspace: str, job_id: str) -> Job:
        """The export's job. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not JobKind.EXPORT_SUBSCRIBERS:
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
        name = f"subscribers-{job.id}{ending(job)}"
        return self._blobs.download_link(target(job), name=name, valid=LINK_VALID)


def ending(job: Job) -> str:
    """The file's ending, e.g. `.csv.gz`."""
    return f".{job.params['format']}{'.gz' if job.params['packed'] else ''}"


def folder(job: Job) -> str:
    """Where the job's files lie."""
    return f"{job.workspace}/exports/{job.id}"


def target(job: Job) -> str:
    """The key of the file that is made; it cannot be guessed from the job's id."""
    return f"{folder(job)}/{job.params['random']}{ending(job)}"
