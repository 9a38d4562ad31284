"""From stored events to counters, exactly once; and to suppressions, harmlessly often.

Each stream shard has its own counter items, and an item holds the last
sequence number applied to it. A batch is applied once per campaign: only its
records beyond that number count. So duplicates, other batch boundaries and a
crash in the middle all lead to the same counters.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.analytics.model import CounterDelta, Engagement
from shared.analytics.ports import CounterStore
from shared.events import BounceKind, EventType

_ONCE_A_PERSON = frozenset({EventType.OPENED, EventType.CLICKED})


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the stream: its sequence number (decimal digits) and the event."""

    sequence: str
    engagement: Engagement


class Suppressor(Protocol):
    """What an event means for the person."""

    def hard_bounced(self, engagement: Engagement) -> None:
        """The address does not exist."""
        ...

    def complained(self, engagement: Engagement) -> None:
        """The person called it spam."""
        ...

    def unsubscribed(self, engagement: Engagement) -> None:
        """The person unsubscribed at the ESP."""
        ...


class Listener(Protocol):
    """Wants to know what is heard of messages, to learn how the providers do."""

    def heard(self, engagements: Iterable[Engagement]) -> None:
        """Events of one batch that were not heard before, as far as that is known."""
        ...


class Aggregator:
    """Applies batches of one stream shard, in order."""

    def __init__(self, counters: CounterStore, suppressor: Suppressor, listener: Listener) -> None:
        self._counters = counters
        self._suppressor = suppressor
        self._listener = listener

    def apply(self, stream_shard: str, records: Sequence[Record]) -> int:
        """Applies a batch; returns how many events were new to the counters.

        Suppressions come first: they may be repeated, and a crash between the
        two then only repeats them. The listener comes last, with what was new
        to the counters and with all that is about transactional messages.

        Raises:
            DependencyUnavailable: the batch has to be given again.
        """
        by_campaign: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            self._consequences(record.engagement)
            ref = record.engagement.ref
            if not ref.transactional:
                by_campaign[ref.workspace, ref.campaign].append(record)
        new: list[Engagement] = []
        for (workspace, campaign), own in by_campaign.items():
            new += self._count(workspace, campaign, stream_shard, own)
        newest = {r.engagement.event.provider: r.engagement.event.occurred_at for r in records}
        for provider, at in newest.items():
            self._counters.saw_events(provider, at)
        engagements = [record.engagement for record in records]
        self._listener.heard([*new, *(e for e in engagements if e.ref.transactional)])
        return len(new)

    def _count(
        self, workspace: str, campaign: str, stream_shard: str, records: list[Record]
    ) -> list[Engagement]:
        applied = self._counters.applied_up_to(workspace, campaign, stream_shard)
        fresh = [r for r in records if number(r.sequence) > number(applied)]
        if not fresh:
            return []
        engagements = [record.engagement for record in fresh]
        people = [e for e in engagements if e.event.type in _ONCE_A_PERSON and not e.event.machine]
        firsts = {
            id(engagement)
            for engagement, first in zip(people, self._counters.claim_firsts(people), strict=True)
            if first
        }
        counts: Counter[str] = Counter()
        for engagement in engagements:
            counts.update(_words(engagement, first=id(engagement) in firsts))
        delta = CounterDelta(
            workspace=workspace,
            campaign=campaign,
            stream_shard=stream_shard,
            sequence=max((r.sequence for r in fresh), key=number),
            counts=counts,
        )
        return engagements if self._counters.apply(delta) else []

    def _consequences(self, engagement: Engagement) -> None:
        event = engagement.event
        if event.type is EventType.COMPLAINED:
            self._suppressor.complained(engagement)
        elif event.type is EventType.UNSUBSCRIBED:
            self._suppressor.unsubscribed(engagement)
        elif event.type is EventType.BOUNCED and event.bounce is BounceKind.HARD:
            self._suppressor.hard_bounced(engagement)


def _words(engagement: Engagement, *, first: bool) -> list[str]:
    event = engagement.event
    words = [event.type.value]
    if event.type in _ONCE_A_PERSON and event.machine:
        words = [f"machine_{event.type}"]
    elif first:
        words.append(f"{event.type}_first")
    elif event.type is EventType.BOUNCED and event.bounce is not None:
        words.append(f"{event.bounce}_bounced")
    return [f"{event.provider}|{engagement.group}|{word}" for word in words]


def number(sequence: str) -> int:
    """A sequence number as an integer; none yet is below all of them."""
    return int(sequence) if sequence else -1
