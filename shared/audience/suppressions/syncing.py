"""The job that brings our suppression lists and the providers' own to agree.

Three phases, each in bounded steps. *Pull*: each provider's list, from where it
was read to the last time, a page a step. *Gather*: hard bounces and complaints
that the webhooks brought into the workspaces' lists join the deployment's.
*Push*: each provider is told what the deployment knows and it does not.

What fails at one provider is noted, and the others go on. The next run begins
where that one stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from shared.audience.addresses import normalise
from shared.audience.consent import ConsentService
from shared.audience.ports import SubscriberStore, SuppressionStore
from shared.audience.suppressions.everywhere import Learning
from shared.audience.suppressions.exporting import with_addresses
from shared.audience.suppressions.ports import (
    EVERYWHERE,
    FACTS,
    KnownAddressStore,
    Listed,
    ProviderSuppressions,
    Workspaces,
)
from shared.clock import Clock
from shared.errors import DependencyUnavailable, InvalidInput, NotFound, TidepostError
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobStore

BEGINNING = datetime(2009, 1, 1, tzinfo=UTC)
"""From when on a list is read that never was: no provider's is older."""

OVERLAP = timedelta(days=1)
"""Read again each time: a list may show an entry later than it is dated."""

ENTRIES_PER_STEP = 500
PAUSES_S = (1.0, 5.0)
"""Before a provider's call is tried again; then it is given up for this run."""

Accounts = Callable[[], Mapping[str, Callable[[], ProviderSuppressions]]]
"""The accounts by name; each is made when it is needed, so that a bad secret stops no other."""

T = TypeVar("T")
_NOTHING = {"pulled": 0, "suppressed": 0, "left_alone": 0, "pushed": 0, "refused": 0, "error": ""}


class SyncService:
    """Starts runs and reports on them."""

    def __init__(
        self, jobs: JobStore, job_queue: JobQueue, resource_ids: Ids, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._clock = clock

    def start(self, workspace: str = EVERYWHERE) -> Job:
        """Queues a run for the whole deployment; `workspace` is who may read how it went."""
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=JobKind.SYNC_SUPPRESSIONS,
            created_at=self._clock.now(),
            params={},
            progress={"gathered": 0, "providers": {}},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        return job

    def get(self, workspace: str, job_id: str) -> Job:
        """A run's job. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not JobKind.SYNC_SUPPRESSIONS:
            raise NotFound("sync", job_id)
        return job


class SyncStep:
    """`JobStep` of `SYNC_SUPPRESSIONS`.

    Cursor: `phase`, then `provider` or `workspace` (its number in the order of
    names or ids) and `page`, the place in its list.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        known: KnownAddressStore,
        learning: Learning,
        subscribers: SubscriberStore,
        suppressions: SuppressionStore,
        consent: ConsentService,
        workspaces: Workspaces,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accounts = accounts
        self._known = known
        self._learning = learning
        self._subscribers = subscribers
        self._suppressions = suppressions
        self._consent = consent
        self._workspaces = workspaces
        self._sleep = sleep

    def run(self, job: Job) -> Job:
        """The next step.

        Raises:
            StaleWrite, DependencyUnavailable: of our own stores; do the step again.
        """
        phase = job.cursor.get("phase", "pull")
        if phase == "pull":
            return self._pull(job)
        return self._gather(job) if phase == "gather" else self._push(job)

    def _pull(self, job: Job) -> Job:
        number, place = job.cursor.get("provider", 0), job.cursor.get("page", "")
        names = sorted(self._accounts())
        if number >= len(names):
            return job.advanced(cursor={"phase": "gather"}, progress=job.progress)
        name = names[number]
        read_until = self._known.read_until(name)
        since = read_until - OVERLAP if read_until else BEGINNING

        def pull(account: ProviderSuppressions) -> tuple[Sequence[Listed], str]:
            pulled = account.pull(since, job.created_at, place)
            return pulled.entries, pulled.cursor

        found, error = self._ask(name, pull)
        if found is None:
            progress = _noted(job, name, error=error)
            return job.advanced(cursor={"phase": "pull", "provider": number + 1}, progress=progress)
        entries, following = found
        progress = self._take(job, name, entries, read_until or BEGINNING)
        if not following:
            self._known.set_read_until(name, job.created_at)
            number += 1
        cursor = {"phase": "pull", "provider": number, "page": following}
        return job.advanced(cursor=cursor, progress=progress)

    def _take(
        self, job: Job, name: str, entries: Sequence[Listed], since: datetime
    ) -> dict[str, Any]:
        """Takes a page in. Of two entries about one address the graver counts."""
        listed: dict[str, Listed] = {}
        for entry in entries:
            try:
                address = normalise(entry.address)
            except InvalidInput:
                continue  # nobody of that address can be a subscriber
            before = listed.get(address)
            if before is None or entry.reason.covers(before.reason):
                listed[address] = replace(entry, address=address)
        source = f"sync:{name}"
        facts = [entry for entry in listed.values() if entry.reason in FACTS]
        made = self._learning.learn(facts, source=source, provider=name)
        wishes = [e for e in listed.values() if e.reason not in FACTS and e.at >= since]
        left, alone = self._unsubscribe(wishes, name)
        return _noted(job, name, pulled=len(entries), suppressed=made + left, left_alone=alone)

    def _unsubscribe(self, wishes: Sequence[Listed], name: str) -> tuple[int, int]:
        """Unsubscribes whom only one workspace knows: whose mail she left is certain then.

        What we placed on the list ourselves is no wish of hers.
        """
        if not wishes:
            return 0, 0
        addresses = [entry.address for entry in wishes]
        ours = self._learning.placed(addresses, name)
        where = self._learning.where([one for one in addresses if one not in ours])
        left = [places[0] for places in where.values() if len(places) == 1]
        for workspace, one in left:
            self._consent.unsubscribe(workspace, one, None, source=f"sync:{name}")
        return len(left), sum(len(places) > 1 for places in where.values())

    def _gather(self, job: Job) -> Job:
        after, place = job.cursor.get("workspace", ""), job.cursor.get("page")
        workspace = after if place else next((w for w in self._workspaces.ids() if w > after), "")
        if not workspace:
            return job.advanced(cursor={"phase": "push"}, progress=job.progress)
        page = self._suppressions.page(
            workspace, limit=ENTRIES_PER_STEP, cursor=place, source="webhook"
        )
        seen = [entry for entry in page.items if entry.reason in FACTS]
        by_source: dict[str, list[Listed]] = {}
        for entry in with_addresses(self._subscribers, workspace, seen):
            if entry.address:
                fact = Listed(entry.address, entry.reason, entry.at)
                by_source.setdefault(entry.source, []).append(fact)
        made = 0
        for source, facts in by_source.items():
            # Who reported it has it on its own list.
            provider = source.partition(":")[2]
            made += self._learning.learn(facts, source=source, provider=provider)
        progress = {**job.progress, "gathered": job.progress["gathered"] + made}
        cursor = {"phase": "gather", "workspace": workspace, "page": page.cursor}
        return job.advanced(cursor=cursor, progress=progress)

    def _push(self, job: Job) -> Job:
        number, place = job.cursor.get("provider", 0), job.cursor.get("page")
        names = sorted(self._accounts())
        if number >= len(names):
            return job.advanced(cursor={}, progress=job.progress, done=True)
        name = names[number]
        following = {"phase": "push", "provider": number + 1}
        if job.progress["providers"].get(name, _NOTHING)["error"]:
            return job.advanced(cursor=following, progress=job.progress)
        most, error = self._ask(name, lambda account: account.most)
        if most is None:
            return job.advanced(cursor=following, progress=_noted(job, name, error=error))
        page = self._known.page(limit=most, cursor=place, lacking=name)
        refused: frozenset[str] | None = frozenset()
        if page.items:
            refused, error = self._ask(name, lambda account: account.place(page.items))
        if refused is None:
            return job.advanced(cursor=following, progress=_noted(job, name, error=error))
        placed = [entry for entry in page.items if entry.id not in refused]
        for entry in placed:
            self._known.put(replace(entry, placed=entry.placed | {name}))
        if page.cursor:
            following = {"phase": "push", "provider": number, "page": page.cursor}
        progress = _noted(job, name, pushed=len(placed), refused=len(refused))
        return job.advanced(cursor=following, progress=progress)

    def _ask(self, name: str, ask: Callable[[ProviderSuppressions], T]) -> tuple[T | None, str]:
        return asked(self._accounts()[name], ask, self._sleep)


def asked(
    account: Callable[[], ProviderSuppressions],
    ask: Callable[[ProviderSuppressions], T],
    sleep: Callable[[float], None],
) -> tuple[T | None, str]:
    """What the provider answers, or None and what was wrong."""
    for pause in (*PAUSES_S, None):
        try:
            return ask(account()), ""
        except DependencyUnavailable as error:
            if pause is None:
                return None, str(error)
            sleep(pause)
        except TidepostError as error:
            return None, str(error)
    raise AssertionError  # the last round returns


def _noted(job: Job, name: str, *, error: str = "", **counts: int) -> dict[str, Any]:
    """The progress with one provider's counts added to."""
    before = job.progress["providers"].get(name, _NOTHING)
    after = {**before, "error": error or before["error"]}
    for count, number in counts.items():
        after[count] += number
    return {**job.progress, "providers": {**job.progress["providers"], name: after}}
