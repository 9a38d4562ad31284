"""Chunks that the scheduler looks at: lost attempts, doubts, and what was never taken up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.analytics.ports import CounterStore, EngagementStore
from shared.clock import Clock
from shared.delivery.composing import OnDoubt
from shared.delivery.model import Attempt, ChunkOutcome, ChunkPlan, ChunkRecord, marker
from shared.delivery.outcomes import Change, changed, fresh, resent
from shared.delivery.ports import LedgerStore
from shared.delivery.searching import DoubtSearch
from shared.delivery.states import RecipientState
from shared.errors import StaleWrite
from shared.events import PROVES_ACCEPTANCE, EventType

DEADLINE = timedelta(minutes=60)
"""How long an event may take to settle a doubt, if the deployment does not say."""

FLOWING = timedelta(minutes=15)
"""A provider whose newest event is younger than this is heard from."""

FINDABLE = timedelta(minutes=2)
"""After a lease, in which a message that was taken can be found by a search.

Postmark documents no delay; it lists a message once it is queued. The lease is
two to four minutes, so that this makes it four at the least.
"""

PATIENCE = timedelta(minutes=10)
"""How long a search that does not answer holds up a message that is to be sent again."""

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
        search: DoubtSearch,
        clock: Clock,
        *,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._ledger = ledger
        self._engagements = engagements
        self._counters = counters
        self._search = search
        self._clock = clock
        self._deadline = deadline

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

    def begin(self) -> None:
        """A new minute begins: what may be asked of providers is counted anew."""
        self._search.begin()

    @property
    def search_errors(self) -> Mapping[str, str]:
        """Why a provider could not be asked this minute, by provider."""
        return self._search.errors

    def settle(self, record: ChunkRecord, outcome: ChunkOutcome) -> ChunkOutcome:
        """Settles what is in doubt: from events, from a provider's search, or after the deadline.

        Raises:
            StaleWrite: somebody else settled at the same moment.
        """
        doubtful = outcome.in_state(RecipientState.IN_DOUBT)
        if not doubtful:
            return outcome
        verdicts = dict(verdicts_of(self._engagements, record.plan))
        heard = self._counters.last_events(
            sorted({name for a in record.attempts for name in a.providers})
        )
        absent = False
        for i in doubtful:
            attempt = record.newest_attempt(i)
            if i in verdicts or attempt is None:
                continue
            found = self._found(record, attempt, i)
            if found:
                verdicts[i] = (RecipientState.ACCEPTED, "")
            elif self._presumed(attempt, i, found, heard):
                verdicts[i] = (RecipientState.FAILED, PRESUMED)
            else:
                absent = found is False
        changes = [Change(i, *verdicts[i]) for i in doubtful if i in verdicts]
        if not changes:
            return self._resend(record, outcome, absent=absent)
        return self._ledger.save_outcome(changed(outcome, changes, record.attempts))

    def _found(self, record: ChunkRecord, attempt: Attempt, index: int) -> bool | None:
        """What the search of the providers that were given this mail says; None is nothing.

        Of a message that was sent more than once, each such provider is asked:
        it was in doubt at them all.
        """
        now = self._clock.now()
        again = _resends(record)
        tried = [a.provider_of(index) for a in record.attempts] if again else []
        asked = [
            provider
            for provider in dict.fromkeys([attempt.provider_of(index), *tried])
            if provider and self._search.can_ask(provider)
        ]
        if not asked or now < attempt.lease_until:
            return None
        needed = again or now > attempt.lease_until + self._deadline
        answers = [self._search.has(name, record, index, now=needed) for name in asked]
        if any(answers):
            return True
        return None if None in answers else False

    def _presumed(
        self, attempt: Attempt, index: int, found: bool | None, heard: Mapping[str, datetime]
    ) -> bool:
        """Whether the message is taken for not accepted: its deadline is over, and no sign of it.

        A provider with a search must have said so. If it does not answer, and
        for all others, only the silence of a provider that is heard from says
        it; of one with a search after twice the time.
        """
        now = self._clock.now()
        provider = attempt.provider_of(index) or ""
        searched = self._search.can_ask(provider)
        if searched and found is False:
            return now > attempt.lease_until + self._deadline
        last = heard.get(provider)
        flows = last is not None and now - last < FLOWING
        patience = self._deadline * 2 if searched else self._deadline
        return flows and now > attempt.lease_until + patience

    def _resend(self, record: ChunkRecord, outcome: ChunkOutcome, *, absent: bool) -> ChunkOutcome:
        """A message in doubt is pending again if its sender asked for that.

        Not before the attempt's lease is over, which gives the events that
        would settle it two minutes and more; nor, if a provider can be asked
        for it, before that one had time to find it and said no. One that gives
        no answer holds it up for `PATIENCE`.
        """
        now = self._clock.now()
        if not _resends(record):
            return outcome
        newest = record.attempts[-1]
        resends = sum(attempt.owner == RESEND for attempt in record.attempts)
        wait = timedelta()
        if any(self._search.can_ask(name) for a in record.attempts for name in a.providers):
            wait = FINDABLE if absent else PATIENCE
        if resends >= MOST_RESENDS or now < newest.lease_until + wait:
            return outcome
        again = marker(record.plan.key, newest.number + 1, RESEND, now)
        if not self._ledger.begin(again):
            raise StaleWrite("somebody else has the message just now; look at it again")
        attempts = (*record.attempts, again)
        return self._ledger.save_outcome(resent(outcome, attempts, again.number))


def _resends(record: ChunkRecord) -> bool:
    return (record.plan.message or {}).get("on_doubt") == OnDoubt.RESEND


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
