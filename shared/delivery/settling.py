"""Chunks that the scheduler looks at: lost attempts, doubts, and what was never taken up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.analytics.ports import CounterStore, EngagementStore
from shared.clock import Clock
from shared.delivery.model import Attempt, ChunkKey, ChunkOutcome, ChunkRecord
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.ports import LedgerStore
from shared.delivery.states import RecipientState
from shared.events import PROVES_ACCEPTANCE, EventType

DEADLINE = timedelta(minutes=60)
"""How long an event may take to settle a doubt."""

FLOWING = timedelta(minutes=15)
"""A provider whose newest event is younger than this is heard from."""

LOST = "attempt_lost"
PRESUMED = "presumed_not_accepted"


class Settler:
    """Settles doubts. All it writes goes through the table of states, under a version."""

    def __init__(
        self,
        ledger: LedgerStore,
        engagements: EngagementStore,
        counters: CounterStore,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._engagements = engagements
        self._counters = counters
        self._clock = clock

    def take_for_lost(self, record: ChunkRecord, attempt: Attempt) -> ChunkOutcome:
        """Records an attempt past its lease as in doubt: who of it was mailed is unknown.

        Raises:
            StaleWrite: the worker recorded its outcome after all.
        """
        outcome = record.outcome or fresh(record.plan.key, len(record.plan.subscribers))
        changes = [
            Change(
                index=i,
                state=RecipientState.IN_DOUBT,
                reason=LOST,
                provider=attempt.provider_of(i) or "",
                group=attempt.group_of(i),
            )
            for i in attempt.indexes()
            if outcome.state_of(i) is RecipientState.PENDING
        ]
        return self._ledger.save_outcome(changed(outcome, changes, attempt.number))

    def settle(self, record: ChunkRecord, outcome: ChunkOutcome) -> ChunkOutcome:
        """Settles what is in doubt from events, or after the deadline by their absence.

        Raises:
            StaleWrite: somebody else settled at the same moment.
        """
        doubtful = outcome.in_state(RecipientState.IN_DOUBT)
        if not doubtful:
            return outcome
        key = record.plan.key
        seen = self._seen(key)
        attempts = {i: _newest_attempt(record, i) for i in doubtful}
        expired = self._expired(record)
        changes = []
        for i in doubtful:
            attempt = attempts[i]
            if attempt is None:
                continue
            verdict = seen(i)
            if verdict is None and expired(attempt, i):
                verdict = (RecipientState.FAILED, PRESUMED)
            if verdict is not None:
                provider = attempt.provider_of(i) or ""
                changes.append(Change(i, *verdict, provider, attempt.group_of(i)))
        return self._ledger.save_outcome(changed(outcome, changes)) if changes else outcome

    def _seen(self, key: ChunkKey) -> Callable[[int], tuple[RecipientState, str] | None]:
        verdicts: dict[int, tuple[RecipientState, str]] = {}
        for engagement in self._engagements.of_chunk(key.workspace, key.campaign, key.chunk):
            event, index = engagement.event, engagement.ref.index
            if event.type in PROVES_ACCEPTANCE:
                verdicts[index] = (RecipientState.ACCEPTED, "")
            elif event.type in {EventType.REJECTED, EventType.FAILED}:
                reason = event.reason.value if event.reason else "rejected"
                verdicts.setdefault(index, (RecipientState.REJECTED, reason))
        return verdicts.get

    def _expired(self, record: ChunkRecord) -> Callable[[Attempt, int], bool]:
        """Whether silence means no: the deadline is over and the provider is heard from."""
        now = self._clock.now()
        providers = sorted({name for a in record.attempts for name in a.providers})
        heard = self._counters.last_events(providers)

        def expired(attempt: Attempt, index: int) -> bool:
            provider = attempt.provider_of(index) or ""
            last: datetime | None = heard.get(provider)
            flows = last is not None and now - last < FLOWING
            return flows and now > attempt.lease_until + DEADLINE

        return expired


def _newest_attempt(record: ChunkRecord, index: int) -> Attempt | None:
    return next((a for a in reversed(record.attempts) if a.provider_of(index)), None)
