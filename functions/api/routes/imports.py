"""Imports of subscribers from a file."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.consents import MAX_TEXT
from shared.audience.import_jobs import MAX_UPLOAD_BYTES
from shared.audience.importers.pinpoint_segments import translate
from shared.audience.importing import ImportOptions, ImportService
from shared.audience.merging import MergePolicy
from shared.audience.rows import FileFormat, Product
from shared.jobs import Job, JobState

imports = Endpoints("subscribers", "/v1/subscribers/imports")

_EXAMPLE: JsonDict = {
    "content_type": "text/csv",
    "mapping": {"E-Mail": "email", "First name": "attributes.first_name"},
    "policy": "merge",
    "dry_run": True,
}


class ImportProgress(Answer):
    """What became of the rows so far.

    At the end `rows` is the sum of `created`, `updated`, `unchanged`, `duplicates` and `rejected`.
    """

    percent: int = Field(description="Of the rows whose outcome is known")
    rows: int
    created: int
    updated: int
    unchanged: int
    duplicates: int = Field(description="An address that the file has already had")
    rejected: int
    kept_unsubscribed: int = Field(
        description="Among the first three: people left off a list, since they had left it or are "
        "suppressed"
    )
    reasons: dict[str, int] = Field(description="Rejected rows by reason")


class ImportAnswer(Answer):
    """An import and how far it has come."""

    id: str
    state: JobState
    dry_run: bool
    progress: ImportProgress
    error: str = Field(description="Why it failed, if it did")
    report: str | None = Field(
        description="Where to download every rejected row with its reason as CSV, for 15 minutes; "
        "null while it is not done, and if no row was rejected"
    )
    created_at: Instant

    @classmethod
    def of(cls, job: Job, imports: ImportService) -> ImportAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            dry_run=job.params["dry_run"],
            progress=ImportProgress.model_validate(job.progress),
            error=job.error,
            report=imports.report_link(job) or None,
            created_at=job.created_at,
        )


class UploadBody(Body):
    """A file that is to be uploaded and imported."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    content_type: Literal["text/csv", "application/x-ndjson"] = Field(
        description="Of what is in the file; it may be packed with gzip"
    )
    format: Product = Field(default=Product.PLAIN, description="Whose columns they are")
    lists: list[str] = Field(default_factory=list, description="Ids of lists to subscribe to")
    policy: MergePolicy = Field(
        default=MergePolicy.MERGE, description="What becomes of people who are there already"
    )
    dry_run: bool = Field(default=False, description="Report what would be, and change nobody")
    mapping: dict[str, str] = Field(
        default_factory=dict,
        description="Column (in JSON a path with dots) to `email`, `tags`, `locale`, `time_zone` "
        "or `attributes.<name>`; columns that are not named are left out",
    )
    list_names: dict[str, str] = Field(
        default_factory=dict, description="For listmonk: name or number of a list there to one here"
    )
    basis: Annotated[str, Field(max_length=MAX_TEXT)] = Field(
        default="",
        description="How these people came to agree; kept as the import's consent record",
    )
    text_version: Annotated[str, Field(max_length=MAX_TEXT)] = Field(
        default="", description="Names the words that they agreed to"
    )

    def options(self, actor: str) -> ImportOptions:
        """As the domain has it."""
        return ImportOptions(
            FileFormat(self.content_type),
            self.format,
            self.lists,
            self.policy,
            self.dry_run,
            self.mapping,
            self.list_names,
            self.basis,
            self.text_version,
            actor,
        )


class UploadAnswer(Answer):
    """An import that waits for its file."""

    id: str
    state: JobState
    url: str = Field(description="POST the form there: `fields`, then the file as field `file`")
    fields: dict[str, str]
    max_bytes: int
    expires_at: Instant = Field(description="After that the form takes no file any more")


class PinpointSegmentBody(Body):
    """A segment of Amazon Pinpoint's."""

    segment: dict[str, Any] = Field(description="As `aws pinpoint get-segment` gives it")


class LeftOutAnswer(Answer):
    """A part of a segment that is not in the rule."""

    place: str
    reason: str


class PinpointSegmentAnswer(Answer):
    """A rule for `POST /v1/segments`."""

    name: str
    rule: dict[str, Any] | None = Field(description="Null if nothing could be translated")
    unsupported: list[LeftOutAnswer] = Field(
        description="What is not in the rule: look at it before you mail anybody"
    )


class RejectionAnswer(Answer):
    """A row that was not taken."""

    row: int = Field(description="Its number in the file; a CSV's header is row 1")
    field: str
    reason: str


class RejectionPage(PageAnswer[RejectionAnswer]):
    """A page of rejected rows."""


@imports.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED, upload=True)
def start_import(
    call: CurrentCall,
    *,
    lists: Annotated[
        str, Query(description="Ids of lists to subscribe everybody to, separated by commas")
    ] = "",
    policy: Annotated[
        MergePolicy, Query(description="What becomes of people who are there already")
    ] = MergePolicy.MERGE,
    product: Annotated[
        Product, Query(alias="format", description="Whose columns they are")
    ] = Product.PLAIN,
    dry_run: Annotated[bool, Query(description="Report what would be, and change nobody")] = False,
    basis: Annotated[
        str, Query(max_length=MAX_TEXT, description="How these people came to agree; kept for good")
    ] = "",
    text_version: Annotated[
        str, Query(max_length=MAX_TEXT, description="Names the words that they agreed to")
    ] = "",
) -> ImportAnswer:
    """Import subscribers from CSV, JSON or NDJSON.

    Send the file as the body, in UTF-8 and of at most 4 MiB, with `Content-Type: text/csv`,
    `application/json` or `application/x-ndjson`. A CSV has a header with a column `email`. A file
    that cannot be read is refused whole; single rows that are wrong are listed as rejections.
    Importing a file twice changes nothing, and nobody is put back on a list that she has left.
    Larger files go by `POST /v1/subscribers/imports/uploads`.
    """
    options = ImportOptions(
        FileFormat.of(call.content_type),
        product,
        [list_id for list_id in (part.strip() for part in lists.split(",")) if list_id],
        policy,
        dry_run,
        basis=basis,
        text_version=text_version,
        actor=call.source,
    )
    job = call.services.imports.start(call.workspace, options, body=call.body)
    call.record(AuditAction.SUBSCRIBER_IMPORT, job.id, dry_run=dry_run)
    return ImportAnswer.of(job, call.services.imports)


@imports.post("/uploads", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def open_upload(body: UploadBody, call: CurrentCall) -> UploadAnswer:
    """Prepare the upload of a large file.

    Post the form with your file (up to 1 GiB, gzip or not) to `url` within 15 minutes, then call
    `POST /v1/subscribers/imports/{import_id}/start`.
    """
    opened = call.services.imports.open(call.workspace, body.options(call.source))
    call.record(AuditAction.SUBSCRIBER_IMPORT, opened.job.id, opened=True)
    return UploadAnswer(
        id=opened.job.id,
        state=opened.job.state,
        url=opened.form.url,
        fields=dict(opened.form.fields),
        max_bytes=MAX_UPLOAD_BYTES,
        expires_at=opened.until,
    )


@imports.post("/<import_id>/start", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED)
def start_upload(import_id: str, call: CurrentCall) -> ImportAnswer:
    """Import a file that was uploaded.

    409 if it is not there yet. Calling it again changes nothing.
    """
    job = call.services.imports.begin(call.workspace, import_id)
    call.record(AuditAction.SUBSCRIBER_IMPORT, job.id, dry_run=job.params["dry_run"])
    return ImportAnswer.of(job, call.services.imports)


@imports.post("/pinpoint-segments", scope=Scope.SUBSCRIBERS_READ, once=False)
def translate_pinpoint_segment(
    body: PinpointSegmentBody, _call: CurrentCall
) -> PinpointSegmentAnswer:
    """Translate a segment of Amazon Pinpoint's into a rule.

    Nothing is stored. What has no counterpart is listed as `unsupported` and left out of the rule.
    """
    translated = translate(body.segment)
    unsupported = [LeftOutAnswer(place=p.field, reason=p.reason) for p in translated.unsupported]
    return PinpointSegmentAnswer(
        name=translated.name, rule=translated.rule, unsupported=unsupported
    )


@imports.get("/<import_id>", scope=Scope.SUBSCRIBERS_READ)
def get_import(import_id: str, call: CurrentCall) -> ImportAnswer:
    """Get how far an import has come."""
    job = call.services.imports.get(call.workspace, import_id)
    return ImportAnswer.of(job, call.services.imports)


@imports.get("/<import_id>/rejections", scope=Scope.SUBSCRIBERS_READ)
def list_rejections(
    import_id: str, call: CurrentCall, limit: Limit = 50, cursor: Cursor = None
) -> RejectionPage:
    """List the rows that an import did not take, in the order of the file."""
    page = call.services.imports.rejections(call.workspace, import_id, limit=limit, cursor=cursor)
    items = [
        RejectionAnswer(row=item.row, field=item.field, reason=item.reason) for item in page.items
    ]
    return RejectionPage(items=items, cursor=page.cursor)
