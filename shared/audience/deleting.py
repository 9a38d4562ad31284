"""The job that removes a person."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from shared.audience.model import Subscriber
from shared.audience.ports import MembershipStore, SubscriberStore
from shared.audience.segments.ports import EngagementReader
from shared.audience.writes import former_ids, rewrite
from shared.clock import to_iso
from shared.errors import NotFound
from shared.jobs import Job


class DeleteSubscriberStep:
    """`JobStep` of `DELETE_SUBSCRIBER`: off every list, then the records, in one step.

    The records of addresses that she had before are empty and go too.

    Her entry on the suppression list stays, with the address unless it is an
    erasure's. It keeps her from being mailed if she is imported again.
    """

    def __init__(
        self,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        engagement: EngagementReader,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._engagement = engagement

    def run(self, job: Job) -> Job:
        """Removes the person if she is still the one that was to be deleted.

        A job may be run again after it was done, and the same address may have
        been added again by then: that record has another `created_at`.

        Raises:
            StaleWrite: others kept changing the person; do the step again.
        """
        person = self._hide(job)
        if person:
            for list_id in person.lists:
                self._memberships.remove(job.workspace, list_id, person.id)
            for subscriber_id in (*former_ids(self._subscribers, person), person.id):
                self._engagement.forget(job.workspace, subscriber_id)
                self._subscribers.delete(job.workspace, subscriber_id)
        progress = {"deleted": job.progress.get("deleted", 0) + (person is not None)}
        return job.advanced(cursor={}, progress=progress, done=True)

    def _hide(self, job: Job) -> Subscriber | None:
        """Marks the person deleted, after which nobody writes her; returns the last record."""
        present = self._find(job)
        if present is None or present.deleted:
            return present
        with contextlib.suppress(NotFound):
            rewrite(
                self._subscribers,
                job.workspace,
                present.id,
                lambda stored: replace(stored, deleted=True),
                known=present,
            )
        return self._find(job)

    def _find(self, job: Job) -> Subscriber | None:
        subscriber_id = job.params["subscriber"]
        person = self._subscribers.get_many(job.workspace, [subscriber_id]).get(subscriber_id)
        if person is None or to_iso(person.created_at) != job.params["created_at"]:
            return None
        return person
