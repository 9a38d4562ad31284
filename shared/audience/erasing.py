"""The job that erases a person: place by place, in bounded steps, each of them repeatable.

Work of others that is under way may still hold her: a campaign that is being
planned, an import, an export. The places that find such work say so, and then
all is gone through once more after a pause, until there is none left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared.audience.erasure import Erasure
from shared.audience.ports import SubscriberStore
from shared.errors import WrongState
from shared.jobs import Job

PAUSE_S = 300
MOST_ROUNDS = 300
"""A day; no plan, import or export takes that long."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What one step did. `cursor` is where to go on, None if this place is done.

    `removed` counts by kind. `busy` says that somebody else's work may hold her
    still, so that this place must be looked at again.
    """

    cursor: Any = None
    removed: Mapping[str, int] = field(default_factory=dict)
    busy: bool = False


class Eraser(Protocol):
    """One place where something of a person may be."""

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """Does a bounded piece; `cursor` is None at the beginning."""
        ...


class EraseStep:
    """`JobStep` of `ERASE_SUBSCRIBER`. Cursor: `round`, `place`, `at`, `busy`, `ids`."""

    def __init__(self, subscribers: SubscriberStore, erasers: Sequence[Eraser]) -> None:
        self._subscribers = subscribers
        self._erasers = erasers

    def run(self, job: Job) -> Job:
        """The next step.

        Whoever has come back since is left alone, id by id.

        Raises:
            WrongState: others' work held her for a day; ask again.
        """
        erasure = Erasure.of(job)
        at = {"round": 0, "place": 0, "at": None, "busy": False, **job.cursor}
        if "ids" not in at:
            at["ids"] = self._still_hers(erasure)
        if not at["ids"]:
            return job.advanced(cursor=at, progress=job.progress, done=True)
        erasure = replace(erasure, subscribers=tuple(at["ids"]))
        done = self._erasers[at["place"]].erase(erasure, at["at"])
        progress = dict(Counter(job.progress) + Counter(done.removed))
        at |= {"at": done.cursor, "busy": at["busy"] or done.busy}
        if done.cursor is None:
            at["place"] += 1
        if at["place"] < len(self._erasers):
            return job.advanced(cursor=at, progress=progress)
        if not at["busy"]:
            return job.advanced(cursor=at, progress=progress, done=True)
        if at["round"] >= MOST_ROUNDS:
            raise WrongState(
                "a campaign, an import, an export or a snapshot has been under way for a day and"
                " may hold the person still: end it, then ask for the erasure again"
            )
        again = {"round": at["round"] + 1}
        return job.advanced(cursor=again, progress=progress, pause_s=PAUSE_S)

    def _still_hers(self, erasure: Erasure) -> list[str]:
        stored = self._subscribers.get_many(erasure.workspace, erasure.subscribers)
        return [
            one
            for one in erasure.subscribers
            if one not in stored or stored[one].created_at <= erasure.at
        ]
