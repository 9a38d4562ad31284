"""Exports of subscribers to a file."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Instant
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.export_rows import ExportFormat
from shared.audience.exporting import ExportOptions, ExportService
from shared.audience.segments.model import Source, SourceKind
from shared.errors import FieldProblem, InvalidInput
from shared.jobs import Job, JobState

exports = Endpoints("subscribers", "/v1/subscribers/exports")

_EXAMPLE: JsonDict = {"list": "lst_06f2m1v5q0g4k8s2c7d0", "format": "csv", "gzip": False}


class ExportBody(Body):
    """Whom to export, and how. Without a list, segment or snapshot it is everybody."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    list: str | None = Field(default=None, description="Everybody subscribed to this list")
    segment: str | None = Field(default=None, description="Everybody in this segment now")
    snapshot: str | None = Field(default=None, description="Everybody in this snapshot")
    format: ExportFormat = Field(default=ExportFormat.CSV)
    gzip: bool = False
    raw: bool = Field(
        default=False,
        description="CSV that `format=tidepost` imports back unchanged; its cells are not made "
        "safe for spreadsheet programs",
    )

    def options(self) -> ExportOptions:
        """As the domain has it. Raises InvalidInput for more than one source."""
        named = {
            SourceKind.LIST: self.list,
            SourceKind.SEGMENT: self.segment,
            SourceKind.SNAPSHOT: self.snapshot,
        }
        sources = [Source(kind, name) for kind, name in named.items() if name is not None]
        if len(sources) > 1:
            raise InvalidInput(FieldProblem("body", "must name at most one list or segment"))
        return ExportOptions(self.format, next(iter(sources), None), self.gzip, self.raw)


class ExportAnswer(Answer):
    """An export and how far it has come."""

    id: str
    state: JobState
    people: int = Field(description="Read so far")
    error: str = Field(description="Why it failed, if it did")
    download: str | None = Field(
        description="Where to get the file; each such link holds for 15 minutes, the file 30 days, "
        "but for when somebody is erased: then null, export again"
    )
    created_at: Instant

    @classmethod
    def of(cls, job: Job, exports: ExportService) -> ExportAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            people=job.progress["people"],
            error=job.error,
            download=exports.link(job) or None,
            created_at=job.created_at,
        )


@exports.post("", scope=Scope.SUBSCRIBERS_READ, status=HTTPStatus.ACCEPTED)
def start_export(body: ExportBody, call: CurrentCall) -> ExportAnswer:
    """Export subscribers to a file.

    CSV is made for spreadsheet programs: cells that one would take for a formula begin with an
    apostrophe. `jsonl`, and CSV with `raw`, can be imported back with `format=tidepost`.
    """
    job = call.services.exports.start(call.workspace, body.options())
    call.record(AuditAction.SUBSCRIBER_EXPORT, job.id, source=job.params["source_id"])
    return ExportAnswer.of(job, call.services.exports)


@exports.get("/<export_id>", scope=Scope.SUBSCRIBERS_READ)
def get_export(export_id: str, call: CurrentCall) -> ExportAnswer:
    """Get how far an export has come, and its file."""
    job = call.services.exports.get(call.workspace, export_id)
    return ExportAnswer.of(job, call.services.exports)
