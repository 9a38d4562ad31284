"""Snapshots of segments."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import Scope
from shared.audience.segments.model import Snapshot
from shared.jobs import Job, JobState

snapshots = Endpoints("segments", "/v1/snapshots")


class SnapshotSummary(Answer):
    """A snapshot."""

    id: str
    segment: str
    rule: dict[str, Any] = Field(description="As it was, with the rules of other segments in it")
    members: int | None = Field(description="Null until all are found")
    taken_at: Instant = Field(description="What relative dates in the rule counted from")
    expires_at: Instant


class SnapshotAnswer(SnapshotSummary):
    """A snapshot and how far it is."""

    state: JobState
    looked_at: int = Field(description="How many people were judged so far")
    error: str = Field(description="Why it failed, if it did")

    @classmethod
    def of(cls, snapshot: Snapshot, job: Job) -> SnapshotAnswer:
        """From the domain's values."""
        return cls(
            **_summary(snapshot).model_dump(),
            state=job.state,
            looked_at=job.progress.get("looked_at", 0),
            error=job.error,
        )


class SnapshotPage(PageAnswer[SnapshotSummary]):
    """A page of snapshots."""


def _summary(snapshot: Snapshot) -> SnapshotSummary:
    return SnapshotSummary(
        id=snapshot.id,
        segment=snapshot.segment,
        rule=dict(snapshot.rule),
        members=snapshot.members,
        taken_at=snapshot.taken_at,
        expires_at=snapshot.expires_at,
    )


@snapshots.get("", scope=Scope.SUBSCRIBERS_READ)
def list_snapshots(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> SnapshotPage:
    """List the snapshots, oldest first."""
    page = call.services.snapshots.page(call.workspace, limit=limit, cursor=cursor)
    return SnapshotPage(items=[_summary(item) for item in page.items], cursor=page.cursor)


@snapshots.get("/<snapshot_id>", scope=Scope.SUBSCRIBERS_READ)
def get_snapshot(snapshot_id: str, call: CurrentCall) -> SnapshotAnswer:
    """Get a snapshot and how far it is."""
    return SnapshotAnswer.of(*call.services.snapshots.get(call.workspace, snapshot_id))
