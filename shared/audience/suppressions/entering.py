"""Many entries at once, each with its copy on the person's record."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from shared.audience.consent import ConsentService
from shared.audience.model import Subscriber, Suppression
from shared.audience.ports import SubscriberStore, SuppressionStore
from shared.errors import NotFound


class Entering:
    """Puts entries on a workspace's list. Doing it again changes nothing.

    An entry costs a write unit, and another one if there is such a person; to
    find that it is there already costs two read units at most.
    """

    def __init__(
        self, subscribers: SubscriberStore, suppressions: SuppressionStore, consent: ConsentService
    ) -> None:
        self._subscribers = subscribers
        self._suppressions = suppressions
        self._consent = consent

    def enter(self, workspace: str, entries: Sequence[Suppression]) -> list[str]:
        """Puts entries of different subscriber ids; gives the ids of those that were new.

        New is one that there was none of, or one of a less grave reason.

        Raises:
            StaleWrite: others kept changing a person; do it again.
        """
        ids = [entry.subscriber for entry in entries]
        people = self._subscribers.get_many(workspace, ids)
        present = self._suppressions.get_many(workspace, ids)
        new = []
        for entry in entries:
            before = present.get(entry.subscriber)
            person = people.get(entry.subscriber)
            if before is None or entry.reason.covers(before.reason):
                new.append(entry.subscriber)
                self._put(entry, person)
            elif person and person.suppressed is not before.reason:
                self._tell(before, person)  # what was cut short the time before
        return new

    def _put(self, entry: Suppression, person: Subscriber | None) -> None:
        self._suppressions.put(entry)
        if person:
            self._tell(entry, person)

    def _tell(self, entry: Suppression, person: Subscriber) -> None:
        """Copies the entry to the person's record, or follows her to her present one."""
        workspace, one = entry.workspace, entry.subscriber
        if not person.deleted:
            with contextlib.suppress(NotFound):
                self._consent.copy_suppression(workspace, one, known=person)
                return
        self._consent.follow(workspace, one, entry.reason, source=entry.source)
