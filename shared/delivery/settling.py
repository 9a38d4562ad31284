"""Chunks that the scheduler looks at: lost attempts, doubts, and what was never taken up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from shared.analytics.ports import CounterStore, EngagementStore
from shared.clock import Clock
from shared.delivery.composing import OnDoubt
from shared.delivery.model import Attempt, ChunkOutcome, ChunkPlan, ChunkRecord, marker
from shared.delivery.outcomes import Change, changed, fresh, resent
from shared.delivery.ports import LedgerStore
from shared.delivery.states import RecipientState
from shared.errors import StaleWrite
from shared.events import PROVES_ACCEPTANCE, EventType

DEADLINE = timedelta(minutes=60)
"""How long an event may take to settle a doubt."""

FLOWING = timedelta(minutes=15)
"""A provider whose newest event is younger than this is heard from."""

LOST = "attempt_lost"
PRESUMED = "presumed_not_accepted"

RESEND = "resend"
"""Owner of the marker that stands before each repetition of a message in doubt."""

MOST_RESENDS = 2
"""Of a message with `on_doubt: resend`; an outage that accepts and errs could go on for ever."""


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
            Change(i, RecipientState.IN_DOUBT, LOST)
            for i in attempt.indexes()
            if outcome.state_of(i) is RecipientState.PENDING
        ]
        return self._ledger.save_outcome(changed(outcome, changes, record.attempts, attempt.number))

    def settle(self, record: ChunkRecord, outcome: ChunkOutcome) -> ChunkOutcome:
        """Settles what is in doubt from events, or after the deadline by their absence.

        Raises:
            StaleWrite: somebody else settled at the same moment.
        """
        doubtful = outcome.in_state(RecipientState.IN_DOUBT)
        if not doubtful:
            return outcome
        seen = verdicts_of(self._engagements, record.plan)
        expired = self._expired(record)
        changes = []
        for i in doubtful:
            attempt = record.newest_attempt(i)
            if attempt is None:
                continue
            verdict = seen.get(i)
            if verdict is None and expired(attempt, i):
                verdict = (RecipientState.FAILED, PRESUMED)
            if verdict is not None:
                changes.append(Change(i, *verdict))
        if not changes:
            return self._resend(record, outcome)
        return self._ledger.save_outcome(changed(outcome, changes, record.attempts))

    def _resend(self, record: ChunkRecord, outcome: ChunkOutcome) -> ChunkOutcome:
        """A message in doubt is pending again if its sender asked for that.

        Not before the attempt's lease is over, which gives the events that
        would settle it two minutes and more.
        """
        now = self._clock.now()
        if (record.plan.message or {}).get("on_doubt") != OnDoubt.RESEND:
            return outcome
        resends = sum(attempt.owner == RESEND for attempt in record.attempts)
        if resends >= MOST_RESENDS or now < record.attempts[-1].lease_until:
            return outcome
        again = marker(record.plan.key, record.attempts[-1].number + 1, RESEND, now)
        if not self._ledger.begin(again):
            raise StaleWrite("somebody else has the message just now; look at it again")
        attempts = (*record.attempts, again)
        return self._ledger.save_outcome(resent(outcome, attempts, again.number))

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


def verdicts_of(
    engagements: EngagementStore, plan: ChunkPlan
) -> Mapping[int, tuple[RecipientState, str]]:
    """What a chunk's events say of its recipients: state and reason; who is missing, nothing."""
    key = plan.key
    verdicts: dict[int, tuple[RecipientState, str]] = {}
    for engagement in engagements.of_chunk(key.workspace, key.campaign, key.chunk):
        event, index = engagement.event, engagement.ref.index
        if event.type in PROVES_ACCEPTANCE:
            verdicts[index] = (RecipientState.ACCEPTED, "")
        elif plan.message is not None and engagement.subscriber != plan.subscribers[index]:
            continue  # it is about a copy of the message
        elif event.type in {EventType.REJECTED, EventType.FAILED}:
            reason = event.reason.value if event.reason else "rejected"
            verdicts.setdefault(index, (RecipientState.REJECTED, reason))
    return verdicts
