"""Segments and what is known of their snapshots, in DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.segments.model import Segment, Snapshot
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.paging import Page, cut, resume
from shared.storage.tables import TidepostModel, VersionedModel


class SegmentItem(VersionedModel):
    """One segment; `doc` is compact JSON of all but its id, workspace and version."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class SnapshotItem(TidepostModel):
    """One snapshot; `doc` is compact JSON of all but its id and workspace."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoSegments:
    """`SegmentStore`."""

    def create(self, segment: Segment) -> None:
        """As the port says."""
        if not _segment_item(segment).put(SegmentItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is a segment {segment.id} already")

    def get(self, workspace: str, segment_id: str) -> Segment:
        """As the port says."""
        item = SegmentItem.find(_segments(workspace), segment_id)
        if item is None:
            raise NotFound("segment", segment_id)
        return _segment(workspace, item)

    def save(self, segment: Segment) -> Segment:
        """As the port says."""
        saved = replace(segment, version=segment.version + 1)
        _segment_item(saved).put_over(segment.version)
        return saved

    def delete(self, workspace: str, segment_id: str) -> None:
        """As the port says."""
        self.get(workspace, segment_id)
        SegmentItem(_segments(workspace), segment_id).discard()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Segment]:
        """As the port says: ids sort by time. Consistent."""
        after = resume(cursor)
        where = SegmentItem.sk > after if after else None
        items = SegmentItem.select(_segments(workspace), where, page_size=limit + 1)
        return cut((_segment(workspace, item) for item in items), limit, lambda one: one.id)


class DynamoSnapshots:
    """`SnapshotStore`. DynamoDB removes a record within days of `expires_at`."""

    def create(self, snapshot: Snapshot) -> None:
        """As the port says."""
        if not _snapshot_item(snapshot).put(SnapshotItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is a snapshot {snapshot.id} already")

    def get(self, workspace: str, snapshot_id: str) -> Snapshot:
        """As the port says."""
        item = SnapshotItem.find(_snapshots(workspace), snapshot_id)
        if item is None:
            raise NotFound("snapshot", snapshot_id)
        return _snapshot(workspace, item)

    def finish(self, snapshot: Snapshot) -> None:
        """As the port says."""
        _snapshot_item(snapshot).put()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        """As the port says: ids sort by time. Consistent."""
        after = resume(cursor)
        where = SnapshotItem.sk > after if after else None
        items = SnapshotItem.select(_snapshots(workspace), where, page_size=limit + 1)
        return cut((_snapshot(workspace, item) for item in items), limit, lambda one: one.id)


def _segments(workspace: str) -> str:
    return f"ws#{workspace}#segments"


def _snapshots(workspace: str) -> str:
    return f"ws#{workspace}#snapshots"


def _segment_item(segment: Segment) -> SegmentItem:
    doc = {
        "name": segment.name,
        "description": segment.description,
        "rule": segment.rule,
        "created_at": to_iso(segment.created_at),
        "updated_at": to_iso(segment.updated_at),
    }
    return SegmentItem(
        _segments(segment.workspace),
        segment.id,
        doc=orjson.dumps(doc).decode(),
        version=segment.version,
    )


def _segment(workspace: str, item: SegmentItem) -> Segment:
    doc: dict[str, Any] = orjson.loads(item.doc)
    return Segment(
        id=item.sk,
        workspace=workspace,
        name=doc["name"],
        description=doc["description"],
        rule=doc["rule"],
        created_at=from_iso(doc["created_at"]),
        updated_at=from_iso(doc["updated_at"]),
        version=int(item.version),
    )


def _snapshot_item(snapshot: Snapshot) -> SnapshotItem:
    doc = {
        "segment": snapshot.segment,
        "rule": snapshot.rule,
        "taken_at": to_iso(snapshot.taken_at),
        "expires_at": to_iso(snapshot.expires_at),
        "members": snapshot.members,
    }
    return SnapshotItem(
        _snapshots(snapshot.workspace),
        snapshot.id,
        doc=orjson.dumps(doc).decode(),
        ttl=snapshot.expires_at,
    )


def _snapshot(workspace: str, item: SnapshotItem) -> Snapshot:
    doc: dict[str, Any] = orjson.loads(item.doc)
    return Snapshot(
        id=item.sk,
        workspace=workspace,
        segment=doc["segment"],
        rule=doc["rule"],
        taken_at=from_iso(doc["taken_at"]),
        expires_at=from_iso(doc["expires_at"]),
        members=doc["members"],
    )
