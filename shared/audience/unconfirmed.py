"""People who were asked whether they want a list and never said so: forgotten after some days.

Whoever is asked is noted beforehand, with the time until when we wait, so that
a crash leaves a note too many and never one too few. A job goes through the
notes once a day. Who is still pending when her time is over is taken off the
list. If nothing else is known of her then, her record goes too, and her
consent records are kept as after an erasure: without her device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.deleting import Removal
from shared.audience.model import ListState, Subscriber
from shared.audience.ports import SHARDS, MembershipStore, SubscriberStore
from shared.audience.writes import present_id, rewrite
from shared.clock import Clock
from shared.errors import NotFound
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.retention import KeptFor

NOTES_PER_STEP = 500

EVERYWHERE = "deployment"
"""Whose job it is: one goes through the notes of all workspaces."""

_IN_VAIN = Circumstances("not_confirmed")


@dataclass(frozen=True, slots=True)
class Waiting:
    """That somebody was asked about a list, and until when we wait for her answer."""

    workspace: str
    subscriber: str
    list_id: str
    until: datetime


class WaitingStore(Protocol):
    """Keeps the notes, one for each person and list."""

    def note(self, waiting: Waiting) -> None:
        """Takes the place of an older note of the same person and list."""
        ...

    def of_shard(self, shard: int, *, after: str | None = None) -> Iterator[tuple[str, Waiting]]:
        """The notes about a shard's people with their places, behind the place `after`."""
        ...

    def forget(self, waiting: Waiting) -> None:
        """Removes this very note; one that was written anew since stays."""
        ...


class DropService:
    """Starts the job."""

    def __init__(self, jobs: JobStore, job_queue: JobQueue, ids: Ids, clock: Clock) -> None:
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._clock = clock

    def start(self) -> Job:
        """Queues a run for the whole deployment."""
        job = Job(
            id=self._ids.new(JOB),
            workspace=EVERYWHERE,
            kind=JobKind.DROP_UNCONFIRMED,
            created_at=self._clock.now(),
            params={},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(EVERYWHERE, job.id)
        return job


class DropStep:
    """`JobStep` of `DROP_UNCONFIRMED`: what is over when the job was made. Cursor: a note's place.

    Progress: `looked_at` notes, `dropped` pending states, `removed` people.
    """

    def __init__(
        self,
        *,
        waiting: WaitingStore,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        removal: Removal,
        log: ConsentLog,
        kept: KeptFor,
    ) -> None:
        self._waiting = waiting
        self._subscribers = subscribers
        self._memberships = memberships
        self._removal = removal
        self._log = log
        self._kept = kept

    def run(self, job: Job) -> Job:
        """The next step.

        Raises:
            StaleWrite: others kept changing a person; do the step again.
        """
        shard, after = job.cursor.get("shard", 0), job.cursor.get("after")
        progress = {name: job.progress.get(name, 0) for name in ("looked_at", "dropped", "removed")}
        notes = list(islice(self._waiting.of_shard(shard, after=after), NOTES_PER_STEP))
        for _, waiting in notes:
            progress["looked_at"] += 1
            if waiting.until > job.created_at:
                continue
            dropped, removed = self._drop(waiting, job.created_at)
            progress["dropped"] += dropped
            progress["removed"] += removed
            self._waiting.forget(waiting)
        if len(notes) == NOTES_PER_STEP:
            return job.advanced(cursor={"shard": shard, "after": notes[-1][0]}, progress=progress)
        done = shard + 1 == SHARDS
        return job.advanced(cursor={"shard": shard + 1}, progress=progress, done=done)

    def _drop(self, waiting: Waiting, now: datetime) -> tuple[bool, bool]:
        """Takes her off the list, and removes her if that was all; which of both was done.

        Only of whom nothing is newer than that she was dropped: who was erased
        or deleted, or has come back since, is not for this job.
        """
        workspace = waiting.workspace
        present = present_id(self._subscribers, workspace, waiting.subscriber)
        try:
            dropped = self._leave(workspace, present, waiting.list_id, now)
        except NotFound:  # deleted or erased, or removed by this step before it was killed
            dropped = False
        records = list(self._log.of(workspace, present))
        if not records or records[-1][1].change is not ConsentChange.LAPSED:
            return dropped, False
        removed = self._removal.remove(workspace, present, _is_blank) is not None
        if not self._subscribers.get_many(workspace, [present]):
            until = now + timedelta(days=self._kept(workspace).erased_consent_days)
            for place, record in records:
                self._log.seal(place, record, until=until)
        return dropped, removed

    def _leave(self, workspace: str, subscriber_id: str, list_id: str, now: datetime) -> bool:
        """The index of the list forgets her after her own record has, as in `ConsentService`."""
        person = self._subscribers.get(workspace, subscriber_id)
        dropped = person.lists.get(list_id) is ListState.PENDING
        if dropped:
            change, lists = ConsentChange.LAPSED, (list_id,)
            self._log.append(ConsentRecord(workspace, subscriber_id, now, change, _IN_VAIN, lists))
            person = rewrite(
                self._subscribers,
                workspace,
                subscriber_id,
                lambda stored: _without(stored, list_id, now),
                known=person,
            )
        if list_id not in person.lists:
            self._memberships.remove(workspace, list_id, subscriber_id)
        return dropped


def _without(person: Subscriber, list_id: str, now: datetime) -> Subscriber:
    """Off a list where she is pending; one who has answered in the meantime stays."""
    if person.lists.get(list_id) is not ListState.PENDING:
        return person
    lists = {one: state for one, state in person.lists.items() if one != list_id}
    return replace(person, lists=lists, updated_at=now)


def _is_blank(person: Subscriber) -> bool:
    """Whether nothing is known of somebody but an address, as from a sign-up form."""
    known = (
        person.lists, person.attributes, person.tags, person.time_zone,
        person.imported_by, person.first_import, person.previous,
    )  # fmt: skip
    return not any(known)
