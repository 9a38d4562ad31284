"""Removing a person: all of her records, and the job that does only that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from shared.audience.model import Subscriber
from shared.audience.ports import MembershipStore, SubscriberStore
from shared.audience.segments.ports import EngagementReader
from shared.audience.writes import former_ids, rewrite
from shared.clock import to_iso
from shared.errors import NotFound
from shared.jobs import Job


class Removal:
    """Takes people off every list, then removes their records and engagement states."""

    def __init__(
        self,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        engagement: EngagementReader,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._engagement = engagement

    def remove(
        self, workspace: str, subscriber_id: str, is_meant: Callable[[Subscriber], bool]
    ) -> Subscriber | None:
        """Removes the person of an id if `is_meant`; gives the last record, None if there is none.

        Raises:
            StaleWrite: others kept changing the person; do it again.
        """
        person = self._hide(workspace, subscriber_id, is_meant)
        if person:
            for list_id in person.lists:
                self._memberships.remove(workspace, list_id, person.id)
            for one in (*former_ids(self._subscribers, person), person.id):
                self._engagement.forget(workspace, one)
                self._subscribers.delete(workspace, one)
        return person

    def _hide(
        self, workspace: str, subscriber_id: str, is_meant: Callable[[Subscriber], bool]
    ) -> Subscriber | None:
        """Marks the person deleted, after which nobody writes her; returns the last record."""
        present = self._find(workspace, subscriber_id, is_meant)
        if present is None or present.deleted:
            return present
        with contextlib.suppress(NotFound):
            rewrite(
                self._subscribers,
                workspace,
                present.id,
                lambda stored: replace(stored, deleted=True),
                known=present,
            )
        return self._find(workspace, subscriber_id, is_meant)

    def _find(
        self, workspace: str, subscriber_id: str, is_meant: Callable[[Subscriber], bool]
    ) -> Subscriber | None:
        person = self._subscribers.get_many(workspace, [subscriber_id]).get(subscriber_id)
        return person if person and is_meant(person) else None


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
        self._removal = Removal(subscribers, memberships, engagement)

    def run(self, job: Job) -> Job:
        """Removes the person if she is still the one that was to be deleted.

        A job may be run again after it was done, and the same address may have
        been added again by then: that record has another `created_at`.

        Raises:
            StaleWrite: others kept changing the person; do the step again.
        """
        created_at = job.params["created_at"]
        person = self._removal.remove(
            job.workspace,
            job.params["subscriber"],
            lambda stored: to_iso(stored.created_at) == created_at,
        )
        progress = {"deleted": job.progress.get("deleted", 0) + (person is not None)}
        return job.advanced(cursor={}, progress=progress, done=True)
