"""Segments: rules that say who belongs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.routes.snapshots import SnapshotAnswer
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, Name, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.segments.counting import Count
from shared.audience.segments.model import Segment

segments = Endpoints("segments", "/v1/segments")

_RULE: JsonDict = {
    "all": [
        {"attribute": "plan", "op": "in", "value": ["pro", "team"]},
        {"field": "created_at", "op": "more_than_days_ago", "value": 30},
        {"not": {"tag": "internal"}},
        {"engagement": "not_opened", "within_days": 60},
    ]
}
_EXAMPLE: JsonDict = {"name": "Quiet customers", "rule": _RULE}

RuleBody = Annotated[
    dict[str, Any],
    Field(description="One rule; an error's `field` is a JSON pointer to the place in it"),
]


class SegmentBody(Body):
    """A segment to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""
    rule: RuleBody


class SegmentChanges(Body):
    """What is to be changed; what is left out stays."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    rule: RuleBody | None = None


class PreviewBody(Body):
    """A rule to be tried out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rule": _RULE}]})

    rule: RuleBody


class SegmentAnswer(Answer):
    """A segment."""

    id: str
    name: str
    description: str
    rule: dict[str, Any]
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, segment: Segment) -> SegmentAnswer:
        """From the domain's value."""
        return cls(
            id=segment.id,
            name=segment.name,
            description=segment.description,
            rule=dict(segment.rule),
            created_at=segment.created_at,
            updated_at=segment.updated_at,
        )


class SegmentPage(PageAnswer[SegmentAnswer]):
    """A page of segments."""


class PreviewAnswer(Answer):
    """How many people a rule is true of."""

    count: int
    exact: bool = Field(description="Whether everybody was looked at; else `count` is an estimate")
    low: int = Field(description="With `high`: 95 in 100 such intervals hold the true number")
    high: int
    looked_at: int = Field(description="How many people were judged for it")
    examples: list[str] = Field(description="Ids of up to ten subscribers in it")

    @classmethod
    def of(cls, count: Count) -> PreviewAnswer:
        """From the domain's value."""
        return cls(
            count=count.people,
            exact=count.exact,
            low=count.low,
            high=count.high,
            looked_at=count.looked_at,
            examples=list(count.examples),
        )


@segments.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def create_segment(body: SegmentBody, call: CurrentCall) -> SegmentAnswer:
    """Create a segment.

    The rule language is described in docs/segments.md. Who belongs is not kept: it is found out
    whenever the segment is used.
    """
    made = call.services.segments.create(call.workspace, body.name, body.rule, body.description)
    call.record(AuditAction.SEGMENT_CREATE, made.id)
    return SegmentAnswer.of(made)


@segments.get("", scope=Scope.SUBSCRIBERS_READ)
def list_segments(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> SegmentPage:
    """List the segments, oldest first."""
    page = call.services.segments.page(call.workspace, limit=limit, cursor=cursor)
    return SegmentPage(items=[SegmentAnswer.of(item) for item in page.items], cursor=page.cursor)


@segments.post("/preview", scope=Scope.SUBSCRIBERS_READ, once=False)
def preview_segment(body: PreviewBody, call: CurrentCall) -> PreviewAnswer:
    """Count whom a rule is true of, without keeping it.

    Up to 10,000 people are looked at. If there are more, the answer is an estimate with its
    interval. To count an existing segment, send `{"rule": {"segment": "seg_..."}}`.
    """
    return PreviewAnswer.of(call.services.segments.preview(call.workspace, body.rule))


@segments.get("/<segment_id>", scope=Scope.SUBSCRIBERS_READ)
def get_segment(segment_id: str, call: CurrentCall) -> SegmentAnswer:
    """Get a segment."""
    return SegmentAnswer.of(call.services.segments.get(call.workspace, segment_id))


@segments.patch("/<segment_id>", scope=Scope.SUBSCRIBERS_WRITE)
def update_segment(segment_id: str, body: SegmentChanges, call: CurrentCall) -> SegmentAnswer:
    """Change a segment's name, description or rule.

    Campaigns that are being planned, and snapshots, keep the rule they began with.
    """
    changed = call.services.segments.update(
        call.workspace, segment_id, name=body.name, rule=body.rule, description=body.description
    )
    call.record(AuditAction.SEGMENT_CHANGE, segment_id)
    return SegmentAnswer.of(changed)


@segments.delete("/<segment_id>", scope=Scope.SUBSCRIBERS_WRITE)
def delete_segment(segment_id: str, call: CurrentCall) -> None:
    """Delete a segment.

    Nobody in it is deleted, and its snapshots stay. It is a 409 if another segment's rule names it.
    """
    call.services.segments.delete(call.workspace, segment_id)
    call.record(AuditAction.SEGMENT_DELETE, segment_id)


@segments.post("/<segment_id>/snapshot", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED)
def take_snapshot(segment_id: str, call: CurrentCall) -> SnapshotAnswer:
    """Keep whom a segment has now.

    They are found in the background; the snapshot can be used once its state is `done`, and is
    kept for 90 days.
    """
    snapshot, job = call.services.snapshots.take(call.workspace, segment_id)
    call.record(AuditAction.SNAPSHOT_TAKE, snapshot.id, segment=segment_id)
    return SnapshotAnswer.of(snapshot, job)
