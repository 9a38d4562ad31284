"""What segments need from the outside, beside lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from shared.audience.segments.model import Segment, Snapshot
from shared.paging import Page


class PeopleReader(Protocol):
    """People as they are stored, for rules. What was written in the last second may lack."""

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Items (`Subscriber.to_item`) of a shard by id, behind `after`; deleted ones left out."""
        ...

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Items of those that exist by id; deleted ones left out."""
        ...


class EngagementReader(Protocol):
    """What people did with their mail (`shared.engagement`), read beside the people."""

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Ids and states of one shard by id, behind `after`."""
        ...

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> Mapping[str, bytes]:
        """The states of those that have one."""
        ...

    def forget(self, workspace: str, subscriber_id: str) -> None:
        """Removes a state; removing one that is gone changes nothing."""
        ...


class SegmentStore(Protocol):
    """Keeps segments."""

    def create(self, segment: Segment) -> None:
        """Raises AlreadyExists if there is one of that id."""
        ...

    def get(self, workspace: str, segment_id: str) -> Segment:
        """A consistent read. Raises NotFound."""
        ...

    def save(self, segment: Segment) -> Segment:
        """Writes under its version. Raises StaleWrite."""
        ...

    def delete(self, workspace: str, segment_id: str) -> None:
        """Raises NotFound."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Segment]:
        """The workspace's segments, oldest first."""
        ...


class SnapshotStore(Protocol):
    """Keeps what is known of snapshots; their members are a `MembershipStore`'s."""

    def create(self, snapshot: Snapshot) -> None:
        """Raises AlreadyExists if there is one of that id."""
        ...

    def get(self, workspace: str, snapshot_id: str) -> Snapshot:
        """A consistent read. Raises NotFound."""
        ...

    def finish(self, snapshot: Snapshot) -> None:
        """Overwrites it, with its members' number."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        """The workspace's snapshots, oldest first."""
        ...
