"""Handing a campaign's chunks to the queue, no more at a time than may be in flight."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.clock import Clock
from shared.delivery.model import Campaign, ChunkKey, DueItem
from shared.delivery.ports import CampaignStore, ChunkQueue, DueStore
from shared.delivery.states import CampaignState
from shared.errors import StaleWrite

IN_FLIGHT = 200
"""Chunks of a campaign that may be released and not settled; 100,000 recipients."""

LOOK_AFTER = timedelta(minutes=3)
"""When the scheduler looks whether a released chunk was taken up."""


class Releaser:
    """Releases chunks in order of their numbers."""

    def __init__(
        self, campaigns: CampaignStore, queue: ChunkQueue, due: DueStore, clock: Clock
    ) -> None:
        self._campaigns = campaigns
        self._queue = queue
        self._due = due
        self._clock = clock

    def release(self, campaign: Campaign, settled: int) -> Campaign:
        """Fills up what may be in flight; `settled` chunks have a final outcome.

        A look by the scheduler is booked before the chunks are sent, so that
        a crash between the two only delays them.
        """
        room = IN_FLIGHT - (campaign.released - settled)
        count = min(room, campaign.chunks - campaign.released)
        if campaign.state is not CampaignState.SENDING or count <= 0:
            return campaign
        first = campaign.released
        keys = [
            ChunkKey(campaign.workspace, campaign.id, number)
            for number in range(first, first + count)
        ]
        at = self._clock.now() + LOOK_AFTER
        self._due.add([DueItem(at, key) for key in keys])
        try:
            saved = self._campaigns.save(replace(campaign, released=first + count))
        except StaleWrite:
            return self._campaigns.get(campaign.workspace, campaign.id)
        self._queue.send(keys)
        return saved
