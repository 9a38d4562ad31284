"""Imports as the API sees them: take a file in, say what became of its rows.

A small file comes as a request's body. A large one is uploaded to S3 by a form
that names one random key: the import's record is made first, and whose it is
stands there alone. The work is done by a job, see `shared.audience.import_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson

from shared.audience.import_files import ImportFiles
from shared.audience.import_reading import importer_for
from shared.audience.importers.mapping import mapping_problems
from shared.audience.lists import MAX_LISTS, known_lists, list_problems
from shared.audience.merging import MergePolicy
from shared.audience.model import RowRejection
from shared.audience.ports import LargeFileStore, ListStore, UploadForm
from shared.audience.records import Position, read_records
from shared.audience.rows import FileFormat, Product, unreadable
from shared.audience.settings import AudienceSettingsStore
from shared.audience.tally import Tally
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore
from shared.paging import BAD_CURSOR, Page, decode_cursor, encode_cursor

MAX_UPLOAD_BYTES = 1024**3
UPLOAD_VALID = timedelta(minutes=15)
REPORT_VALID = timedelta(minutes=15)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the caller wants done with a file.

    `mapping` is for plain files, see `importers.mapping`; `list_names` for
    listmonk's, see `importers.listmonk`. `basis` says how these people came to
    agree and `text_version` to which words; `actor` is who imports them.
    """

    file_format: FileFormat
    product: Product = Product.PLAIN
    list_ids: Sequence[str] = ()
    policy: MergePolicy = MergePolicy.MERGE
    dry_run: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)
    list_names: Mapping[str, str] = field(default_factory=dict)
    basis: str = ""
    text_version: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class OpenedImport:
    """An import that waits for its file, and the form to upload it by until `until`."""

    job: Job
    form: UploadForm
    until: datetime


class ImportService:
    """Starts imports and reports on them."""

    def __init__(
        self,
        *,
        blobs: LargeFileStore,
        lists: ListStore,
        settings: AudienceSettingsStore,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._blobs = blobs
        self._lists = lists
        self._settings = settings
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock
        self._random_bytes = random_bytes

    def start(self, workspace: str, options: ImportOptions, *, body: bytes) -> Job:
        """Takes a small file of people in and queues the job that imports it.

        The whole file is read once here, so that one which cannot be read for
        certain changes nobody. What is wrong with single rows is reported by
        the job, see `rejections`.

        Raises:
            InvalidInput: names `mapping`, `lists.<i>`, or `body` with the byte
                or the row that cannot be read.
        """
        self._check(workspace, options)
        if options.file_format is FileFormat.JSON:
            body = _as_lines(body)
            options = replace(options, file_format=FileFormat.NDJSON)
        job = self._job(workspace, options, JobState.QUEUED)
        job = replace(job, progress=Tally(rows=self._count(job, options, body)).progress(0))
        ImportFiles(self._blobs, job).keep_upload(body, options.file_format.value)
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return job

    def open(self, workspace: str, options: ImportOptions) -> OpenedImport:
        """Makes the record of an import whose file is yet to be uploaded.

        Raises:
            InvalidInput: names `content_type`, `mapping` or `lists.<i>`.
        """
        if options.file_format is FileFormat.JSON:
            reason = f"must be {FileFormat.CSV} or {FileFormat.NDJSON} for an upload"
            raise InvalidInput(FieldProblem("content_type", reason))
        self._check(workspace, options)
        job = self._job(workspace, options, JobState.WAITING)
        self._jobs.create(job)
        key = ImportFiles(self._blobs, job).upload
        form = self._blobs.upload_form(key, max_bytes=MAX_UPLOAD_BYTES, valid=UPLOAD_VALID)
        return OpenedImport(job, form, job.created_at + UPLOAD_VALID)

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
        if job.kind is not JobKind.IMPORT_SUBSCRIBERS:
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

    def _check(self, workspace: str, options: ImportOptions) -> None:
        problems = [*list_problems(self._lists, workspace, options.list_ids)]
        problems += mapping_problems(options.mapping)
        if options.mapping and options.product is not Product.PLAIN:
            problems.append(FieldProblem("mapping", f"is not for files of {options.product}"))
        if options.list_names and options.product is not Product.LISTMONK:
            problems.append(FieldProblem("list_names", "is for files of listmonk alone"))
        if len(options.list_names) > MAX_LISTS:
            problems.append(FieldProblem("list_names", f"are more than {MAX_LISTS}"))
        else:
            known = known_lists(self._lists, workspace)
            problems += [
                FieldProblem(f"list_names.{name[:100]}", "is no list of this workspace")
                for name, list_id in options.list_names.items()
                if not known(list_id)
            ]
        if problems:
            raise InvalidInput(problems)

    def _job(self, workspace: str, options: ImportOptions, state: JobState) -> Job:
        return Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=JobKind.IMPORT_SUBSCRIBERS,
            created_at=self._clock.now(),
            params={
                "format": options.file_format.value,
                "product": options.product.value,
                "lists": list(dict.fromkeys(options.list_ids)),
                "policy": options.policy.value,
                "dry_run": options.dry_run,
                "mapping": dict(options.mapping),
                "list_names": dict(options.list_names),
                "basis": options.basis,
                "text_version": options.text_version,
                "actor": options.actor,
                "upload": self._random_bytes(_KEY_BYTES).hex(),
            },
            state=state,
            progress=Tally().progress(0),
        )

    def _count(self, job: Job, options: ImportOptions, body: bytes) -> int:
        importer = importer_for(job.params, options.file_format, self._settings.get(job.workspace))

        def read(offset: int, length: int) -> bytes:
            return body[offset : offset + length]

        records = read_records(read, options.file_format, Position(), importer.columns)
        count = sum(1 for _ in records)
        if not count:
            raise unreadable("holds no subscribers" if body.strip() else "is empty")
        return count


def _as_lines(body: bytes) -> bytes:
    """A JSON array of objects, or `{"subscribers": [...]}`, as JSON lines."""
    try:
        document = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if not body.strip():
            raise unreadable("is empty") from error
        reason = f"is not valid JSON (line {error.lineno}, column {error.colno})"
        raise unreadable(reason) from error
    if isinstance(document, dict):
        document = document.get("subscribers")
    if not isinstance(document, list):
        raise unreadable('must be an array of objects, or {"subscribers": [...]}')
    if not document:
        raise unreadable("holds no subscribers")
    return b"".join(orjson.dumps(item) + b"\n" for item in document)


def _position(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    position = decode_cursor(cursor, frozenset({"file", "index"}))
    number, index = position["file"], position["index"]
    if not isinstance(number, int) or not isinstance(index, int) or number < 0 or index < 0:
        raise InvalidInput(BAD_CURSOR)
    return number, index


_NO_FILE = "the file is not there yet: send it by the form first, or open a new import after 15 min"
