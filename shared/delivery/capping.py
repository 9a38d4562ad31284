"""The frequency cap at the moment of sending: a place for each message before it is posted.

A run of a chunk takes places for those whom it is about to post to, keeps them
over its rounds, and gives back those of whom it surely did not mail. A worker
that dies leaves its places behind: as with all that is in doubt, they count as
sent. Without a cap nothing is read or written but the workspace's settings,
once in `BELIEVED_FOR`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.frequency import Place, Taken
from shared.delivery.model import ChunkPlan
from shared.delivery.outcomes import Change
from shared.delivery.ports import FrequencyStore, SettingsStore
from shared.delivery.recording import Run
from shared.delivery.states import RecipientState
from shared.delivery.workspace import FrequencyCap
from shared.mail import MessageKind, SendOutcome, Verdict

FREQUENCY_CAP = "frequency_cap"
"""The reason of who is skipped for it."""

BELIEVED_FOR = timedelta(seconds=10)
"""How long a worker goes by the settings that it has read."""

_KEPT = 1000
_MESSAGE_BYTES, _OWNER_BYTES = 6, 3
_MAY_HAVE_GONE = frozenset({Verdict.ACCEPTED, Verdict.IN_DOUBT})


class Places:
    """The places that one run of a chunk takes, keeps over its rounds, and gives back."""

    def __init__(
        self,
        plan: ChunkPlan,
        cap: FrequencyCap | None,
        place: Place,
        *,
        store: FrequencyStore,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._cap = cap
        self._place = place
        self._store = store
        self._executor = executor
        self._clock = clock
        self._taken: set[int] = set()
        self._gone: set[int] = set()
        self._reached: list[int] = []
        self._held: dict[int, datetime] = {}

    def admit(self, indexes: Iterable[int]) -> Collection[int]:
        """Those of them who may be posted to, since they have a place now; all without a cap.

        Raises:
            DependencyUnavailable: the store did not answer for one of them.
        """
        asked = list(indexes)
        cap = self._cap
        if cap is None:
            return asked
        new = [i for i in asked if i not in self._taken]

        def take(index: int) -> Taken:
            return self._store.take(*self._whom(index), cap, self._place, self._clock.now())

        for i, taken in zip(new, self._executor.map(take, new), strict=True):
            if taken.given:
                self._taken.add(i)
            elif taken.wait_until is None:
                self._reached.append(i)
            else:
                self._held[i] = taken.wait_until
        return self._taken.intersection(asked)

    def settle(self, run: Run) -> list[Change]:
        """Skips who has had enough; whose message another worker has waits until it is done."""
        changes = [Change(i, RecipientState.SKIPPED, FREQUENCY_CAP) for i in self._reached]
        run.waiting.update(self._held)
        for at in self._held.values():
            run.retry_at = min(run.retry_at or at, at)
        self._reached, self._held = [], {}
        return changes

    def posted(self, outcomes: Iterable[tuple[str, SendOutcome]]) -> None:
        """Whoever was mailed, or may have been, keeps the place."""
        if self._cap is not None:
            self._gone.update([o.index for _, o in outcomes if o.verdict in _MAY_HAVE_GONE])

    def give_back(self) -> None:
        """Frees the places of all others, when the run is over: nothing more is posted under them.

        Raises:
            DependencyUnavailable: the store did not answer for one of them.
        """
        cap = self._cap
        if cap is None:
            return

        def give_back(index: int) -> None:
            self._store.give_back(*self._whom(index), cap, self._place)

        list(self._executor.map(give_back, sorted(self._taken - self._gone)))

    def _whom(self, index: int) -> tuple[str, str]:
        return self._plan.key.workspace, self._plan.subscribers[index]


class FrequencyCaps:
    """The caps as one worker sees them. `executor` bounds how many places are taken at once."""

    def __init__(
        self, settings: SettingsStore, store: FrequencyStore, executor: Executor, clock: Clock
    ) -> None:
        self._settings = settings
        self._store = store
        self._executor = executor
        self._clock = clock
        self._known: dict[str, tuple[datetime, Sequence[FrequencyCap]]] = {}

    def places(self, plan: ChunkPlan, kind: MessageKind, until: datetime, owner: str) -> Places:
        """The places for one run of a chunk, which posts nothing at `until` or after.

        `owner` is a name that no other run has.

        Raises:
            DependencyUnavailable: the settings could not be read.
        """
        caps = self._caps(plan.key.workspace)
        cap = next((one for one in caps if one.kind is kind), None)
        whole = until.replace(microsecond=0) + timedelta(seconds=until.microsecond > 0)
        message = _digest(plan.key.campaign, _MESSAGE_BYTES)
        place = Place(whole, _digest(owner, _OWNER_BYTES), message)
        return Places(
            plan, cap, place, store=self._store, executor=self._executor, clock=self._clock
        )

    def _caps(self, workspace: str) -> Sequence[FrequencyCap]:
        now = self._clock.now()
        known = self._known.get(workspace)
        if known and timedelta() <= now - known[0] < BELIEVED_FOR:
            return known[1]
        if len(self._known) >= _KEPT:
            self._known.clear()
        caps = self._settings.get(workspace).frequency_cap
        self._known[workspace] = now, caps
        return caps


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
