"""Erasure as it is asked for: written in the journal, in force at once, carried out by a job.

The order lets a crash in between err on the side of erasing: the journal knows
of it first (so that it is done again after a restore), then the suppression
list (so that nobody mails her from then on), then the job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.audience.addresses import normalise
from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.model import SuppressionReason
from shared.audience.ports import SubscriberStore, SuppressionStore
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.writes import present_id
from shared.clock import Clock, from_iso, to_iso
from shared.errors import NotFound
from shared.ids import JOB, SUBSCRIBER, Ids, SubscriberIds, is_id
from shared.jobs import Job, JobKind, JobQueue, JobStore


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a person is to be erased: her ids, the present one first, and since when.

    A record that is newer than `at` is of somebody who has come back since, and
    stays.
    """

    workspace: str
    subscribers: tuple[str, ...]
    at: datetime
    by: str

    def params(self) -> dict[str, Any]:
        """For the job."""
        return {"subscribers": list(self.subscribers), "at": to_iso(self.at), "by": self.by}

    @classmethod
    def of(cls, job: Job) -> Erasure:
        """What the job is to do."""
        params = job.params
        ids, at = tuple(params["subscribers"]), from_iso(params["at"])
        return cls(job.workspace, ids, at, params["by"])


class ErasureJournal(Protocol):
    """Every erasure there was, in all workspaces; outside of what is restored from backups."""

    def append(self, erasure: Erasure) -> None:
        """Adds an erasure; the very same once more changes nothing."""
        ...

    def since(self, since: datetime, until: datetime) -> Iterator[Erasure]:
        """Those from `since` to `until`, oldest first; lazily."""
        ...


class ErasureService:
    """Takes erasures in."""

    def __init__(
        self,
        *,
        journal: ErasureJournal,
        subscribers: SubscriberStore,
        consent: ConsentService,
        suppressions: SuppressionStore,
        everywhere: EverywhereList,
        ids: SubscriberIds,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._subscribers = subscribers
        self._consent = consent
        self._suppressions = suppressions
        self._everywhere = everywhere
        self._ids = ids
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock

    def by_address(self, workspace: str, address: str, *, by: str) -> Job:
        """Erases whoever has that address, had it, or will be known by it.

        Raises:
            InvalidInput: that is no address.
            StaleWrite: somebody changed her at the same moment; ask again.
        """
        named = normalise(address)
        self._everywhere.forget(named)
        return self._start(workspace, self._ids.of(workspace, named), by)

    def by_id(self, workspace: str, subscriber_id: str, *, by: str) -> Job:
        """Erases the person of an id, of a former address's too, stored or no longer.

        Raises:
            NotFound: the text is no subscriber's id.
            StaleWrite: somebody changed her at the same moment; ask again.
        """
        if not is_id(SUBSCRIBER, subscriber_id):
            raise NotFound("subscriber", subscriber_id)
        return self._start(workspace, subscriber_id, by)

    def get(self, workspace: str, job_id: str) -> Job:
        """The erasure's job. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not JobKind.ERASE_SUBSCRIBER:
            raise NotFound("erasure", job_id)
        return job

    def _start(self, workspace: str, subscriber_id: str, by: str) -> Job:
        ids = self._all_ids(workspace, subscriber_id)
        erasure = Erasure(workspace, ids, self._clock.now(), by)
        self._journal.append(erasure)
        self._forget_everywhere(workspace, ids)
        for one in ids:
            self._consent.suppress(
                workspace,
                one,
                SuppressionReason.ERASURE,
                source=by,
                circumstances=Circumstances("erasure", actor=by),
            )
        return begin(erasure, self._jobs, self._job_queue, self._resource_ids, self._clock)

    def _forget_everywhere(self, workspace: str, ids: tuple[str, ...]) -> None:
        """Takes her addresses off the deployment's list, whose hashes go on to suppress.

        They are known as long as her records and entries are as they were.
        """
        records = self._subscribers.get_many(workspace, ids)
        entries = self._suppressions.get_many(workspace, ids)
        known = [*(one.address for one in records.values()), *(e.address for e in entries.values())]
        for address in dict.fromkeys(filter(None, known)):
            self._everywhere.forget(address)

    def _all_ids(self, workspace: str, subscriber_id: str) -> tuple[str, ...]:
        """Her present id, those of former addresses, and the one that was named.

        A former address that somebody else has taken since is not hers any more.
        """
        present = present_id(self._subscribers, workspace, subscriber_id)
        person = self._subscribers.get_many(workspace, [present]).get(present)
        former = person.previous if person else ()
        records = self._subscribers.get_many(workspace, former)
        hers = [one for one in former if one not in records or records[one].moved_to]
        return tuple(dict.fromkeys([present, *hers, subscriber_id]))


def begin(
    erasure: Erasure, jobs: JobStore, queue: JobQueue, resource_ids: Ids, clock: Clock
) -> Job:
    """Has a job carry an erasure out; for one that is in the journal already."""
    job = Job(
        id=resource_ids.new(JOB),
        workspace=erasure.workspace,
        kind=JobKind.ERASE_SUBSCRIBER,
        created_at=clock.now(),
        params=erasure.params(),
    )
    jobs.create(job)
    queue.enqueue(erasure.workspace, job.id)
    return job
