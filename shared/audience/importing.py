"""Imports as the API sees them: take a file in, say what became of its rows.

The work is done by a job, see `shared.audience.import_step`.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.audience.import_files import ImportFiles
from shared.audience.lists import list_problems
from shared.audience.merging import MergePolicy
from shared.audience.model import RowRejection
from shared.audience.ports import BlobStore, ListStore
from shared.audience.rows import FileFormat, read_rows
from shared.audience.tally import Tally
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.paging import BAD_CURSOR, Page, decode_cursor, encode_cursor


class ImportService:
    """Starts imports and reports on them."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        lists: ListStore,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        clock: Clock,
    ) -> None:
        self._blobs = blobs
        self._lists = lists
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock

    def start(
        self,
        workspace: str,
        *,
        body: bytes,
        content_type: str,
        list_ids: Sequence[str] = (),
        policy: str = MergePolicy.MERGE,
    ) -> Job:
        """Takes a file of people in and queues the job that imports it.

        The whole file is read once here, so that one which cannot be read for
        certain changes nobody. What is wrong with single rows is reported by
        the job, see `rejections`.

        Raises:
            InvalidInput: names `content-type`, `policy`, `lists.<i>`, or `body`
                with the byte or the row that cannot be read.
        """
        file_format = FileFormat.of(content_type)
        problems = [*list_problems(self._lists, workspace, list_ids)]
        if policy not in set(MergePolicy):
            reason = f"must be one of {', '.join(MergePolicy)}"
            problems.append(FieldProblem("policy", reason))
        if problems:
            raise InvalidInput(problems)
        rows = sum(1 for _ in read_rows(body, file_format))
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=JobKind.IMPORT_SUBSCRIBERS,
            created_at=self._clock.now(),
            params={
                "format": file_format.value,
                "lists": list(dict.fromkeys(list_ids)),
                "policy": policy,
            },
            progress=Tally(rows=rows).progress(),
        )
        ImportFiles(self._blobs, job).keep_upload(body, file_format)
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return job

    def rejections(
        self, workspace: str, job_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[RowRejection]:
        """Rows that were not taken, as far as the job has come.

        Raises:
            InvalidInput: the cursor is not of this listing.
            NotFound: there is no such import.
        """
        job = self._jobs.get(workspace, job_id)
        if job.kind is not JobKind.IMPORT_SUBSCRIBERS:
            raise NotFound("import", job_id)
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


def _position(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    position = decode_cursor(cursor, frozenset({"file", "index"}))
    number, index = position["file"], position["index"]
    if not isinstance(number, int) or not isinstance(index, int) or number < 0 or index < 0:
        raise InvalidInput(BAD_CURSOR)
    return number, index
