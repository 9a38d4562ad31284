"""The suppression list from a file and into one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.routes.imports import RejectionAnswer, RejectionPage, UploadAnswer
from functions.api.schema import Answer, Body, Cursor, Instant, Limit
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.export_rows import ExportFormat
from shared.audience.import_jobs import MAX_UPLOAD_BYTES
from shared.audience.model import SuppressionReason
from shared.audience.rows import FileFormat
from shared.audience.suppressions.exporting import SuppressionExport, SuppressionExports
from shared.audience.suppressions.importing import SuppressionFile, SuppressionImports
from shared.jobs import Job, JobState

suppression_files = Endpoints("suppressions", "/v1/suppressions")

_UPLOAD_EXAMPLE: JsonDict = {"content_type": "text/csv", "reason": "hard_bounce"}
_EXPORT_EXAMPLE: JsonDict = {"format": "csv", "reason": "complaint", "gzip": False}


class SuppressionUploadBody(Body):
    """A file that is to be uploaded and imported."""

    model_config = ConfigDict(json_schema_extra={"examples": [_UPLOAD_EXAMPLE]})

    content_type: Literal["text/csv", "application/x-ndjson"] = Field(
        description="Of what is in the file; it may be packed with gzip"
    )
    reason: SuppressionReason | None = Field(
        default=None, description="Of rows that name none that is known"
    )
    mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Column to `email`, `reason` or `at`; without it columns are known by name",
    )
    dry_run: bool = Field(default=False, description="Report what would be, and change nothing")


class SuppressionImportProgress(Answer):
    """What became of the rows so far; at the end `rows` is the sum of those below it."""

    percent: int = Field(description="Of the rows whose outcome is known")
    rows: int
    created: int = Field(description="New on the list, or of a graver reason than there was")
    unchanged: int
    duplicates: int = Field(description="An address that the file has already had")
    rejected: int
    reasons: dict[str, int] = Field(description="Rejected rows by reason")


class SuppressionImportAnswer(Answer):
    """An import and how far it has come."""

    id: str
    state: JobState
    dry_run: bool
    progress: SuppressionImportProgress
    error: str = Field(description="Why it failed, if it did")
    report: str | None = Field(
        description="Where to download every rejected row with its reason as CSV, for 15 minutes"
    )
    created_at: Instant

    @classmethod
    def of(cls, job: Job, imports: SuppressionImports) -> SuppressionImportAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            dry_run=job.params["dry_run"],
            progress=SuppressionImportProgress.model_validate(job.progress),
            error=job.error,
            report=imports.report_link(job) or None,
            created_at=job.created_at,
        )


class SuppressionExportBody(Body):
    """What to export, and how."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXPORT_EXAMPLE]})

    format: ExportFormat = Field(default=ExportFormat.CSV)
    reason: SuppressionReason | None = Field(default=None, description="Only this reason")
    gzip: bool = False
    raw: bool = Field(
        default=False, description="CSV whose cells are not made safe for spreadsheet programs"
    )


class SuppressionExportAnswer(Answer):
    """An export and how far it has come."""

    id: str
    state: JobState
    entries: int = Field(description="Read so far")
    error: str = Field(description="Why it failed, if it did")
    download: str | None = Field(
        description="Where to get the file; each such link holds for 15 minutes, the file 30 days"
    )
    created_at: Instant

    @classmethod
    def of(cls, job: Job, exports: SuppressionExports) -> SuppressionExportAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            entries=job.progress["entries"],
            error=job.error,
            download=exports.link(job) or None,
            created_at=job.created_at,
        )


@suppression_files.post("/imports", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def open_suppression_import(body: SuppressionUploadBody, call: CurrentCall) -> UploadAnswer:
    """Prepare the import of a suppression file.

    Post the form with your file (CSV or JSON lines, up to 1 GiB, gzip or not) to `url` within 15
    minutes, then call `POST /v1/suppressions/imports/{import_id}/start`.
    """
    wanted = SuppressionFile(FileFormat(body.content_type), body.reason, body.mapping, body.dry_run)
    opened = call.services.suppression_imports.open(call.workspace, wanted)
    call.record(AuditAction.SUPPRESSION_IMPORT, opened.job.id, opened=True)
    return UploadAnswer(
        id=opened.job.id,
        state=opened.job.state,
        url=opened.form.url,
        fields=dict(opened.form.fields),
        max_bytes=MAX_UPLOAD_BYTES,
        expires_at=opened.until,
    )


@suppression_files.post(
    "/imports/<import_id>/start", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED
)
def start_suppression_import(import_id: str, call: CurrentCall) -> SuppressionImportAnswer:
    """Import a suppression file that was uploaded.

    409 if it is not there yet. Calling it again changes nothing.
    """
    job = call.services.suppression_imports.begin(call.workspace, import_id)
    call.record(AuditAction.SUPPRESSION_IMPORT, job.id, dry_run=job.params["dry_run"])
    return SuppressionImportAnswer.of(job, call.services.suppression_imports)


@suppression_files.get("/imports/<import_id>", scope=Scope.SUBSCRIBERS_READ)
def get_suppression_import(import_id: str, call: CurrentCall) -> SuppressionImportAnswer:
    """Get how far an import of suppressions has come."""
    job = call.services.suppression_imports.get(call.workspace, import_id)
    return SuppressionImportAnswer.of(job, call.services.suppression_imports)


@suppression_files.get("/imports/<import_id>/rejections", scope=Scope.SUBSCRIBERS_READ)
def list_suppression_rejections(
    import_id: str, call: CurrentCall, limit: Limit = 50, cursor: Cursor = None
) -> RejectionPage:
    """List the rows that an import did not take, in the order of the file."""
    page = call.services.suppression_imports.rejections(
        call.workspace, import_id, limit=limit, cursor=cursor
    )
    items = [RejectionAnswer(row=row.row, field=row.field, reason=row.reason) for row in page.items]
    return RejectionPage(items=items, cursor=page.cursor)


@suppression_files.post("/exports", scope=Scope.SUBSCRIBERS_READ, status=HTTPStatus.ACCEPTED)
def start_suppression_export(
    body: SuppressionExportBody, call: CurrentCall
) -> SuppressionExportAnswer:
    """Export the suppression list to a file.

    Columns: email, reason, at, source, id. An erasure has no address any more, only its id.
    """
    wanted = SuppressionExport(body.format, body.reason, packed=body.gzip, raw=body.raw)
    job = call.services.suppression_exports.start(call.workspace, wanted)
    call.record(AuditAction.SUPPRESSION_EXPORT, job.id, reason=job.params["reason"])
    return SuppressionExportAnswer.of(job, call.services.suppression_exports)


@suppression_files.get("/exports/<export_id>", scope=Scope.SUBSCRIBERS_READ)
def get_suppression_export(export_id: str, call: CurrentCall) -> SuppressionExportAnswer:
    """Get how far an export of suppressions has come, and its file."""
    job = call.services.suppression_exports.get(call.workspace, export_id)
    return SuppressionExportAnswer.of(job, call.services.suppression_exports)
