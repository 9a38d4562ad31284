"""Taking in events: only what the ledger says can be true becomes an engagement.

An event is trusted for what its account handled and no more. The provider
account is known from the verified report, the message id must carry our MAC,
and an attempt must say that this account was to send to that recipient.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.analytics.model import Engagement
from shared.analytics.ports import EngagementStore
from shared.delivery.model import Attempt, ChunkKey
from shared.delivery.ports import LedgerStore
from shared.errors import ForgedToken, NotFound
from shared.events import Event, EventReport
from shared.ids import NOBODY, MessageIds, MessageRef

CACHED_CHUNKS = 128
"""About 40 KB each at 500 recipients, so some 5 MB a container."""


class IntakeOutcome(StrEnum):
    """What became of one reported event."""

    STORED = "stored"
    REPEATED = "repeated"
    """The same event twice in one report; one of them was stored."""
    UNMATCHED = "unmatched"
    """It names no message of ours: mail that something else sent through the account."""
    FORGED = "forged"
    """Its message id does not carry our MAC."""
    UNKNOWN_MESSAGE = "unknown_message"
    """The id is ours, and the ledger has no such chunk or recipient (any more)."""
    ERASED = "erased"
    """The person has been erased; nothing more is kept of her."""
    WRONG_ACCOUNT = "wrong_account"
    """No attempt gave that message to the account that reports on it."""
    MALFORMED = "malformed"


IntakeSummary = Counter[IntakeOutcome]
"""Events by outcome; the sum is the number of events reported."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What the check needs of a chunk's record."""

    subscribers: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    copies: Mapping[str, str]
    """Of a transactional message: subscriber ids of cc and bcc by their address."""
    to: str = ""
    """Its recipient's address, if one of the copies was erased: another address is that one's."""

    def subscriber(self, ref: MessageRef, event: Event) -> str:
        """Whom an event is about: the recipient, unless it names one of the copies."""
        address = (event.address or "").lower()
        copy = self.copies.get(address) if address else None
        if copy is None and address and self.to and address != self.to:
            return NOBODY
        return copy or self.subscribers[ref.index]

    def attempt_by(self, provider: str, index: int) -> Attempt | None:
        """The newest attempt in which that account was to send to the recipient, if any."""
        for attempt in reversed(self.attempts):
            if attempt.provider_of(index) == provider:
                return attempt
        return None


class EventIntake:
    """Checks events against the ledger and stores what holds, in one write.

    Chunks are kept in a bounded cache, least recently used out first. Plans
    never change and attempts are only added, so a cached chunk can be too old
    but never wrong: before an event is turned away, its chunk is read again,
    at most once a report.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        engagements: EngagementStore,
        message_ids: MessageIds,
        *,
        cached_chunks: int = CACHED_CHUNKS,
    ) -> None:
        self._ledger = ledger
        self._engagements = engagements
        self._message_ids = message_ids
        self._cached_chunks = cached_chunks
        self._cache: OrderedDict[ChunkKey, _Chunk] = OrderedDict()

    def take(self, report: EventReport) -> IntakeSummary:
        """Stores a report's engagements and says what became of each event.

        Raises:
            DependencyUnavailable: nothing is lost if the report is delivered again.
        """
        summary: IntakeSummary = Counter()
        if report.malformed:
            summary[IntakeOutcome.MALFORMED] = report.malformed
        fresh: dict[ChunkKey, _Chunk | None] = {}
        found: dict[tuple[MessageRef, str], Engagement] = {}
        for event in report.events:
            checked = self._check(event, fresh)
            if isinstance(checked, IntakeOutcome):
                summary[checked] += 1
                continue
            name = checked.ref, event.event_id
            summary[IntakeOutcome.REPEATED if name in found else IntakeOutcome.STORED] += 1
            found.setdefault(name, checked)
        if found:
            self._engagements.put_many(found.values())
        return summary

    def _check(
        self, event: Event, fresh: dict[ChunkKey, _Chunk | None]
    ) -> Engagement | IntakeOutcome:
        """The engagement, or why there is none. `fresh` holds what this report has read."""
        if event.message_id is None:
            return IntakeOutcome.UNMATCHED
        try:
            ref = self._message_ids.parse(event.message_id)
        except ForgedToken:
            return IntakeOutcome.FORGED
        key = ChunkKey(ref.workspace, ref.campaign, ref.chunk)
        chunk = fresh[key] if key in fresh else self._cached(key)
        attempt = chunk.attempt_by(event.provider, ref.index) if chunk else None
        if attempt is None and key not in fresh:
            chunk = fresh[key] = self._read(key)
            attempt = chunk.attempt_by(event.provider, ref.index) if chunk else None
        if chunk is None or ref.index >= len(chunk.subscribers):
            return IntakeOutcome.UNKNOWN_MESSAGE
        if attempt is None:
            return IntakeOutcome.WRONG_ACCOUNT
        subscriber = chunk.subscriber(ref, event)
        if subscriber == NOBODY:
            return IntakeOutcome.ERASED
        # The ledger's group and not the event's address: not every event names
        # one, and the sums by group have to agree.
        group, posted_at = attempt.group_of(ref.index), attempt.posted_at_of(ref.index)
        return Engagement(event, ref, subscriber, group, posted_at)

    def _cached(self, key: ChunkKey) -> _Chunk | None:
        chunk = self._cache.get(key)
        if chunk is not None:
            self._cache.move_to_end(key)
        return chunk

    def _read(self, key: ChunkKey) -> _Chunk | None:
        try:
            record = self._ledger.record(key)
        except NotFound:
            return None
        message = record.plan.message or {}
        copies = {
            copy["address"]: copy["subscriber"]
            for kind in ("cc", "bcc")
            for copy in message.get(kind, ())
        }
        to = message["to"]["address"].lower() if NOBODY in copies.values() else ""
        chunk = _Chunk(record.plan.subscribers, record.attempts, copies, to)
        self._cache[key] = chunk
        self._cache.move_to_end(key)
        if len(self._cache) > self._cached_chunks:
            self._cache.popitem(last=False)
        return chunk
