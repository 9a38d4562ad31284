"""Events that come after a person was erased: webhooks report for days.

Most are turned away at intake, where the plan names nobody any more. What gets
through (a plan that was read before the erasure and is still cached) is
removed here, at the price of one read of half a unit a person and batch. It
has been counted by then: totals are numbers and name nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Protocol

from shared.analytics.model import Engagement
from shared.analytics.ports import EngagementStore
from shared.ids import NOBODY


class ErasedPeople(Protocol):
    """Who has been erased."""

    def among(self, workspace: str, subscribers: Collection[str]) -> Collection[str]:
        """Those of `subscribers` who were."""
        ...


class LateEvents:
    """Removes events of people who were erased."""

    def __init__(self, engagements: EngagementStore, erased: ErasedPeople) -> None:
        self._engagements = engagements
        self._erased = erased

    def drop(self, engagements: Sequence[Engagement]) -> list[Engagement]:
        """The events that may be kept; the others are removed. Doing it again changes nothing."""
        people: defaultdict[str, set[str]] = defaultdict(set)
        for one in engagements:
            people[one.ref.workspace].add(one.subscriber)
        gone = {
            (workspace, one)
            for workspace, subscribers in people.items()
            for one in (*self._erased.among(workspace, subscribers), NOBODY)
        }
        for one in engagements:
            if (one.ref.workspace, one.subscriber) in gone:
                self._engagements.remove(one)
        return [one for one in engagements if (one.ref.workspace, one.subscriber) not in gone]
