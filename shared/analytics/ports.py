"""What analytics needs from the outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.analytics.model import CounterDelta, Engagement
from shared.paging import Page


class EngagementStore(Protocol):
    """Keeps events. The partition is the message's chunk; an index finds a person's."""

    def put_many(self, engagements: Iterable[Engagement]) -> None:
        """Writes events in batches; one that is there already stays as it is."""
        ...

    def of_chunk(self, workspace: str, campaign: str, chunk: int) -> list[Engagement]:
        """Every event of a chunk, by recipient and time; consistent."""
        ...

    def page_of_campaign(
        self, workspace: str, campaign: str, chunks: int, *, limit: int, cursor: str | None = None
    ) -> Page[Engagement]:
        """A campaign's events, chunk by chunk."""
        ...

    def page_of_subscriber(
        self,
        workspace: str,
        subscriber: str,
        *,
        limit: int,
        cursor: str | None = None,
        former: Sequence[str] = (),
    ) -> Page[Engagement]:
        """A person's events, newest first; `former` are ids of addresses she had before."""
        ...

    def remove(self, engagement: Engagement) -> None:
        """Removes an event; removing one that is gone changes nothing."""
        ...


class CounterStore(Protocol):
    """Keeps counters, each stream shard its own items."""

    def applied_up_to(self, workspace: str, campaign: str, stream_shard: str) -> str:
        """The last sequence number applied to this shard's item of a campaign, or `""`."""
        ...

    def apply(self, delta: CounterDelta) -> bool:
        """Adds if `delta.sequence` is beyond what the item holds; says whether it did."""
        ...

    def totals(self, workspace: str, campaign: str) -> Mapping[str, int]:
        """A campaign's counts, summed over stream shards."""
        ...

    def claim_firsts(self, engagements: Sequence[Engagement]) -> list[bool]:
        """Of each, whether it is the first event of its type for its message.

        Asking again for the same events gives the same answers, so a batch may
        be applied again after a crash. All events of a message must come
        through one worker at a time, in order, as those of a stream shard do.
        """
        ...

    def saw_events(self, provider: str, at: datetime) -> None:
        """Notes that this provider's events flow."""
        ...

    def last_events(self, providers: Sequence[str]) -> Mapping[str, datetime]:
        """When each provider's newest event was seen; providers without one are missing."""
        ...
