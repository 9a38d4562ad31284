"""The suppression list as the API has it: look, add by hand, and let somebody go."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from shared.audience.addresses import normalise
from shared.audience.consent import ConsentService
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.ports import SubscriberStore, SuppressionStore
from shared.audience.suppressions.entering import Entering
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.suppressions.ports import FACTS
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import JOB, SUBSCRIBER, Ids, SubscriberIds, is_id
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.paging import Page

MAX_AT_ONCE = 1000

_HER_OWN_WISH = frozenset({SuppressionReason.COMPLAINT, SuppressionReason.UNSUBSCRIBED})


@dataclass(frozen=True, slots=True)
class Added:
    """What a call added: the ids that are new on the list, and how many were there already."""

    ids: tuple[str, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Removed:
    """An entry that is gone, and the job that tells the providers, if there is any to tell."""

    entry: Suppression
    job: str


class SuppressionService:
    """One workspace's list."""

    def __init__(
        self,
        *,
        suppressions: SuppressionStore,
        subscribers: SubscriberStore,
        consent: ConsentService,
        everywhere: EverywhereList,
        jobs: JobStore,
        job_queue: JobQueue,
        ids: SubscriberIds,
        resource_ids: Ids,
        clock: Clock,
    ) -> None:
        self._suppressions = suppressions
        self._subscribers = subscribers
        self._consent = consent
        self._entering = Entering(subscribers, suppressions, consent)
        self._everywhere = everywhere
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._resource_ids = resource_ids
        self._clock = clock

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        cursor: str | None = None,
        reason: SuppressionReason | None = None,
        source: str = "",
    ) -> Page[Suppression]:
        """As `SuppressionStore.page`. Raises InvalidInput for a cursor that is none."""
        return self._suppressions.page(
            workspace, limit=limit, cursor=cursor, reason=reason, source=source
        )

    def get(self, workspace: str, subscriber_id: str) -> Suppression:
        """Raises NotFound if nobody of that id is suppressed."""
        entry = self._suppressions.get(workspace, subscriber_id)
        if entry is None:
            raise NotFound("suppression", subscriber_id)
        return entry

    def find(self, workspace: str, email: str) -> Suppression | None:
        """The entry of an address. Raises InvalidInput if it is none."""
        return self._suppressions.get(workspace, self._ids.of(workspace, normalise(email)))

    def add(
        self, workspace: str, *, emails: Sequence[str], subscriber_ids: Sequence[str], source: str
    ) -> Added:
        """Suppresses by hand; who is suppressed already stays as she is. All or none is taken.

        Raises:
            InvalidInput: names `emails.<i>` or `subscribers.<i>`, or there are too many.
            StaleWrite: others kept changing a person; calling again is safe.
        """
        addresses = self._addresses(workspace, emails, subscriber_ids)
        now = self._clock.now()
        entries = [
            Suppression(workspace, one, SuppressionReason.MANUAL, now, source, address)
            for one, address in addresses.items()
        ]
        new = self._entering.enter(workspace, entries)
        return Added(tuple(new), len(entries) - len(new))

    def remove(
        self, workspace: str, subscriber_id: str, *, confirmed: bool, at_providers: bool
    ) -> Removed:
        """Lets the address be mailed again by this workspace.

        If the fact was known to the deployment, a job takes it off the lists on
        which we placed it and, with `at_providers`, off the providers' own.

        Raises:
            NotFound: nobody of that id is suppressed.
            WrongState: it is an erasure, or a complaint or an unsubscription
                that was not `confirmed`.
            StaleWrite: somebody else changed the entry or the person; try again.
        """
        entry = self.get(workspace, subscriber_id)
        if entry.reason is SuppressionReason.ERASURE:
            raise WrongState("an erasure cannot be undone: the person must ask for mail anew")
        if entry.reason in _HER_OWN_WISH and not confirmed:
            raise WrongState(
                f"this is a person's own wish ({entry.reason}): remove it only if she has asked"
                " for mail again, and say so with confirm=true"
            )
        if not self._suppressions.remove(workspace, subscriber_id, only=entry.reason):
            raise StaleWrite("the entry has another reason now: read it again, then decide")
        with contextlib.suppress(NotFound):
            self._consent.copy_suppression(workspace, subscriber_id)
        return Removed(entry, self._lift(entry, at_providers=at_providers))

    def removal(self, workspace: str, job_id: str) -> Job:
        """The job that tells the providers of a removal. Raises NotFound for other jobs too."""
        job = self._jobs.get(workspace, job_id)
        if job.kind is not JobKind.LIFT_SUPPRESSION:
            raise NotFound("removal", job_id)
        return job

    def _lift(self, entry: Suppression, *, at_providers: bool) -> str:
        """Queues the job that tells the providers; empty if none knows."""
        known = None
        if entry.reason in FACTS and entry.address:
            known = self._everywhere.find(entry.address)
        if known is None:
            return ""
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=entry.workspace,
            kind=JobKind.LIFT_SUPPRESSION,
            created_at=self._clock.now(),
            params={"known": known.id, "at_providers": at_providers},
            progress={"lifted": [], "errors": {}, "held_elsewhere": False},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(job.workspace, job.id)
        return job.id

    def _addresses(
        self, workspace: str, emails: Sequence[str], subscriber_ids: Sequence[str]
    ) -> dict[str, str]:
        """Subscriber id to address; blank where the id is of nobody that we know."""
        count = len(emails) + len(subscriber_ids)
        if not 0 < count <= MAX_AT_ONCE:
            reason = f"and subscribers together must be 1 to {MAX_AT_ONCE}"
            raise InvalidInput(FieldProblem("emails", reason))
        problems = []
        found = {}
        for number, email in enumerate(emails):
            try:
                address = normalise(email)
            except InvalidInput as error:
                problems.append(FieldProblem(f"emails.{number}", error.problems[0].reason))
            else:
                found[self._ids.of(workspace, address)] = address
        people = self._subscribers.get_many(workspace, subscriber_ids)
        for number, one in enumerate(subscriber_ids):
            if not is_id(SUBSCRIBER, one):
                problems.append(FieldProblem(f"subscribers.{number}", "is no subscriber's id"))
            elif one not in found:
                found[one] = people[one].address if one in people else ""
        if problems:
            raise InvalidInput(problems)
        return found
