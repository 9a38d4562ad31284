"""Handing a campaign's chunks to the queue, no more at a time than may be in flight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from shared.clock import Clock
from shared.delivery.model import CHUNK_SIZE, Campaign, ChunkKey, DueItem
from shared.delivery.pacing import slice_size
from shared.delivery.ports import CampaignStore, ChunkQueue, DueStore
from shared.delivery.rates import Limits
from shared.delivery.states import CampaignState
from shared.delivery.switches import Switches
from shared.errors import StaleWrite

IN_FLIGHT = 200
"""Chunks of a deployment that may be released and not settled, at the most; 100,000 recipients.

All workspaces share them; the scheduler says who gets how many.
"""

LEAST = 10
"""Of these for a workspace, however many others there are."""

FIRST = 20
"""What a campaign may release when it is planned, before the scheduler has shared anything out."""

SEED_CHUNKS = 1
"""Seeds are one chunk, the first."""

LOOK_AFTER = timedelta(minutes=3)
"""When the scheduler looks whether a released chunk was taken up."""


_MINUTES = 2
"""Of the providers' mail that is in flight: the scheduler fills it up every minute."""


def in_flight(limits: Iterable[Limits]) -> int:
    """How many chunks the deployment's providers have use for at a time.

    More would only wait in the queue, and be received for nothing.
    """
    messages = 0.0
    for one in limits:
        windows: list[float] = [n for n in (one.per_hour, one.per_day) if n is not None]
        if one.per_second is not None:
            windows.append(one.per_second * 60 * _MINUTES)
        if not windows:
            return IN_FLIGHT
        messages += min(windows)
    return min(IN_FLIGHT, max(LEAST, -int(-messages // CHUNK_SIZE)))


class Releaser:
    """Releases chunks in order of their numbers."""

    def __init__(
        self,
        campaigns: CampaignStore,
        queue: ChunkQueue,
        due: DueStore,
        switches: Switches,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._queue = queue
        self._due = due
        self._switches = switches
        self._clock = clock

    def release(self, campaign: Campaign, settled: int, share: int) -> Campaign:
        """Fills up its share of what may be in flight; `settled` chunks have a final outcome.

        A look by the scheduler is booked before the chunks are sent, so that
        a crash between the two only delays them.
        """
        count = self._count(campaign, settled, share)
        if count <= 0 or self._switches.off(campaign.workspace):
            return campaign
        first = campaign.released
        keys = [
            ChunkKey(campaign.workspace, campaign.id, number)
            for number in range(first, first + count)
        ]
        now = self._clock.now()
        self._due.add([DueItem(now + LOOK_AFTER, key) for key in keys])
        released = replace(campaign, released=first + count)
        if campaign.seed_list and first == 0:
            wait = timedelta(minutes=campaign.seed_wait_minutes)
            released = replace(released, rest_after=now + wait)
        try:
            saved = self._campaigns.save(released)
        except StaleWrite:
            return self._campaigns.get(campaign.workspace, campaign.id)
        self._queue.send(keys)
        return saved

    def _count(self, campaign: Campaign, settled: int, share: int) -> int:
        """How many chunks may be released now."""
        if campaign.state is not CampaignState.SENDING:
            return 0
        left = campaign.chunks - campaign.released
        now = self._clock.now()
        if campaign.schedule.ended(now):
            return min(left, share)  # the dispatcher skips them
        if campaign.seed_list and campaign.released == 0:
            return min(left, SEED_CHUNKS)
        if campaign.rest_after and now < campaign.rest_after:
            return 0
        if campaign.schedule.by_recipient:
            return min(left, share)  # a chunk that waits for the hour keeps no other from going
        return min(left, wanted(campaign, settled, share) - (campaign.released - settled))


def wanted(campaign: Campaign, settled: int, share: int) -> int:
    """How many of `share` chunks in flight a campaign has use for."""
    most = min(share, campaign.chunks - settled)
    if campaign.pace_per_hour is None or campaign.schedule.by_recipient:
        return most
    # Those that one slice of its pace feeds, and one to follow.
    return min(most, 1 + -(-slice_size(campaign.pace_per_hour) // CHUNK_SIZE))
