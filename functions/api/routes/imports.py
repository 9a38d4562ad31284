"""Imports of subscribers from a file."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import Scope
from shared.audience.merging import MergePolicy
from shared.errors import NotFound
from shared.jobs import Job, JobKind, JobState

imports = Endpoints("subscribers", "/v1/subscribers/imports")


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
    progress: ImportProgress
    error: str = Field(description="Why it failed, if it did")
    created_at: Instant

    @classmethod
    def of(cls, job: Job) -> ImportAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            progress=ImportProgress.model_validate(job.progress),
            error=job.error,
            created_at=job.created_at,
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
    lists: Annotated[
        str, Query(description="Ids of lists to subscribe everybody to, separated by commas")
    ] = "",
    policy: Annotated[
        MergePolicy, Query(description="What becomes of people who are there already")
    ] = MergePolicy.MERGE,
) -> ImportAnswer:
    """Import subscribers from CSV, JSON or NDJSON.

    Send the file as the body, in UTF-8 and of at most 4 MiB, with `Content-Type: text/csv`,
    `application/json` or `application/x-ndjson`. A CSV has a header with a column `email`. A file
    that cannot be read is refused whole; single rows that are wrong are listed as rejections.
    Importing a file twice changes nothing, and nobody is put back on a list that she has left.
    """
    job = call.services.imports.start(
        call.workspace,
        body=call.body,
        content_type=call.content_type,
        list_ids=[list_id for list_id in (part.strip() for part in lists.split(",")) if list_id],
        policy=policy,
    )
    return ImportAnswer.of(job)


@imports.get("/<import_id>", scope=Scope.SUBSCRIBERS_READ)
def get_import(import_id: str, call: CurrentCall) -> ImportAnswer:
    """Get how far an import has come."""
    job = call.services.jobs.get(call.workspace, import_id)
    if job.kind is not JobKind.IMPORT_SUBSCRIBERS:
        raise NotFound("import", import_id)
    return ImportAnswer.of(job)


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
