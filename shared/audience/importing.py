"""Imports as the API sees them: take a file in, say what became of its rows.

A small file comes as a request's body, a large one by a form (`import_jobs`).
The work is done by a job, see `shared.audience.import_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from shared.audience.import_files import ImportFiles
from shared.audience.import_jobs import FileImports, OpenedImport
from shared.audience.import_people import importer_for
from shared.audience.importers.mapping import mapping_problems
from shared.audience.lists import MAX_LISTS, known_lists, list_problems
from shared.audience.merging import MergePolicy
from shared.audience.ports import LargeFileStore, ListStore
from shared.audience.records import Position, read_records
from shared.audience.rows import FileFormat, Product, unreadable
from shared.audience.settings import AudienceSettingsStore
from shared.audience.tally import Tally
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput
from shared.ids import Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore


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


class ImportService(FileImports):
    """Starts imports of people and reports on them."""

    kind = JobKind.IMPORT_SUBSCRIBERS

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
        super().__init__(
            blobs=blobs,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=resource_ids,
            clock=clock,
            random_bytes=random_bytes,
        )
        self._lists = lists
        self._settings = settings

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
        job = self._new(workspace, _params(options), JobState.QUEUED)
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
        return self._open(workspace, _params(options))

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

    def _count(self, job: Job, options: ImportOptions, body: bytes) -> int:
        importer = importer_for(job.params, options.file_format, self._settings.get(job.workspace))

        def read(offset: int, length: int) -> bytes:
            return body[offset : offset + length]

        records = read_records(read, options.file_format, Position(), importer.columns)
        count = sum(1 for _ in records)
        if not count:
            raise unreadable("holds no subscribers" if body.strip() else "is empty")
        return count


def _params(options: ImportOptions) -> dict[str, Any]:
    return {
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
    }


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
