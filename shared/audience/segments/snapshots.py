"""Snapshots: whom a segment has at one moment, kept like the members of a list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import islice

from shared.audience.ports import SHARDS, MembershipStore
from shared.audience.segments.model import Chosen, Consent, Snapshot
from shared.audience.segments.ports import SegmentStore, SnapshotStore
from shared.audience.segments.references import in_full
from shared.audience.segments.walking import AudienceWalk
from shared.clock import Clock
from shared.ids import JOB, SNAPSHOT, Ids, to_bytes, to_text
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.paging import Page

KEPT_FOR = timedelta(days=90)
"""As long as the job that took it. DynamoDB then removes record and members."""

PEOPLE_PER_STEP = 20_000


class SnapshotService:
    """Takes and shows snapshots."""

    def __init__(
        self,
        *,
        segments: SegmentStore,
        snapshots: SnapshotStore,
        jobs: JobStore,
        job_queue: JobQueue,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._segments = segments
        self._snapshots = snapshots
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._clock = clock

    def take(self, workspace: str, segment_id: str) -> tuple[Snapshot, Job]:
        """Has a job find everybody in the segment. The rule is kept as it is now.

        Raises:
            NotFound: there is no such segment.
            InvalidInput: its rule names a segment that is gone.
        """
        segment = self._segments.get(workspace, segment_id)
        now = self._clock.now()
        snapshot = Snapshot(
            id=self._ids.new(SNAPSHOT),
            workspace=workspace,
            segment=segment.id,
            rule=in_full(
                segment.rule, lambda one: self._segments.get(workspace, one).rule, own=segment.id
            ),
            taken_at=now,
            expires_at=now + KEPT_FOR,
        )
        job = Job(
            id=job_of(snapshot.id),
            workspace=workspace,
            kind=JobKind.SNAPSHOT_SEGMENT,
            created_at=now,
            params={"snapshot": snapshot.id},
        )
        self._snapshots.create(snapshot)
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return snapshot, job

    def get(self, workspace: str, snapshot_id: str) -> tuple[Snapshot, Job]:
        """A snapshot and how far its job is. Raises NotFound, also once it has expired."""
        snapshot = self._snapshots.get(workspace, snapshot_id)
        return snapshot, self._jobs.get(workspace, job_of(snapshot.id))

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        """The workspace's snapshots, oldest first. Raises InvalidInput for a bad cursor."""
        return self._snapshots.page(workspace, limit=limit, cursor=cursor)


class SnapshotStep:
    """`JobStep` of `SNAPSHOT_SEGMENT`. `params`: `{"snapshot": id}`.

    It first adds whom it finds, PEOPLE_PER_STEP looked at in a step, and then
    counts what is there shard by shard: a step that was done twice may have
    found somebody once and not the other time, and the number is of members.
    """

    def __init__(
        self, snapshots: SnapshotStore, memberships: MembershipStore, walk: AudienceWalk
    ) -> None:
        self._snapshots = snapshots
        self._memberships = memberships
        self._walk = walk

    def run(self, job: Job) -> Job:
        """Does one step."""
        snapshot = self._snapshots.get(job.workspace, job.params["snapshot"])
        if "counted" in job.cursor:
            return self._counted(job, snapshot)
        at = job.cursor.get("at", {"shard": 0, "after": None})
        looked_at, found = job.progress.get("looked_at", 0), job.progress.get("members", 0)
        chosen = Chosen((), (snapshot.rule,), snapshot.taken_at, Consent(()))
        walk = self._walk.looks(job.workspace, chosen, shard=at["shard"], after=at["after"])
        looks = list(islice(walk, PEOPLE_PER_STEP))
        members = [subscriber for _, subscriber, belongs in looks if belongs]
        self._memberships.add(job.workspace, snapshot.id, members, until=snapshot.expires_at)
        progress = {"looked_at": looked_at + len(looks), "members": found + len(members)}
        if len(looks) < PEOPLE_PER_STEP:
            return job.advanced(cursor={"shard": 0, "counted": 0}, progress=progress)
        shard, after, _ = looks[-1]
        return job.advanced(cursor={"at": {"shard": shard, "after": after}}, progress=progress)

    def _counted(self, job: Job, snapshot: Snapshot) -> Job:
        shard = job.cursor["shard"]
        members = self._memberships.members(job.workspace, snapshot.id, shard)
        counted = job.cursor["counted"] + sum(1 for _ in members)
        if shard + 1 < SHARDS:
            cursor = {"shard": shard + 1, "counted": counted}
            return job.advanced(cursor=cursor, progress=job.progress)
        self._snapshots.finish(replace(snapshot, members=counted))
        progress = {**job.progress, "members": counted}
        return job.advanced(cursor={}, progress=progress, done=True)


def job_of(snapshot_id: str) -> str:
    """The id of the job that takes a snapshot."""
    return to_text(JOB, to_bytes(snapshot_id))
