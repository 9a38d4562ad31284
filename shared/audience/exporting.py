"""Exports of people as the API sees them; the work is done by a job, see `export_step`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.audience.export_jobs import FileExports, check_raw
from shared.audience.export_rows import ExportFormat
from shared.audience.ports import LargeFileStore
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import Audience, Source
from shared.clock import Clock
from shared.ids import Ids
from shared.jobs import Job, JobKind, JobQueue, JobStore


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is to be exported, and how. Without a source it is everybody.

    `raw` is for CSV: cells that are no text are JSON and nothing is neutralised.
    """

    file_format: ExportFormat
    source: Source | None = None
    packed: bool = False
    raw: bool = False


class ExportService(FileExports):
    """Starts exports of people and hands out what they made."""

    kind = JobKind.EXPORT_SUBSCRIBERS
    name = "subscribers"
    counted = "people"

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
        super().__init__(
            blobs=blobs,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=resource_ids,
            clock=clock,
            random_bytes=random_bytes,
        )
        self._audiences = audiences

    def start(self, workspace: str, options: ExportOptions) -> Job:
        """Queues an export. A segment's rule is taken as it is now.

        Raises:
            InvalidInput: there is no such list, segment or snapshot, or it is not ready.
        """
        check_raw(options.file_format, raw=options.raw)
        chosen = None
        if options.source:
            audience = Audience((options.source,))
            chosen = self._audiences.choose(workspace, audience, at=options.source.kind.value)
        params = {
            "raw": options.raw,
            "source": options.source.kind.value if options.source else "",
            "source_id": options.source.id if options.source else "",
            "lists": list(chosen.lists) if chosen else [],
            "rules": list(chosen.rules) if chosen else [],
        }
        return self._queue(workspace, options.file_format, params, packed=options.packed)
