"""What the scheduler's minute watches: starts, ends, brakes, and providers that fall silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.analytics.ports import CounterStore
from shared.clock import Clock
from shared.delivery.brake import standing, tripped
from shared.delivery.breaker import BreakerState
from shared.delivery.model import Campaign
from shared.delivery.ports import CampaignStore, HealthStore, RateStore, SettingsStore
from shared.delivery.silence import silent
from shared.delivery.states import CAMPAIGN_CHANGES, CampaignState, change
from shared.errors import StaleWrite
from shared.ids import JOB, to_bytes, to_text
from shared.jobs import JobQueue

END_PASSED = "its end time has come; who was not mailed yet is skipped"

_CLOCKS_APART = timedelta(minutes=1)
"""A paused campaign is woken that much after its end: by then no worker's clock is before it."""


class CampaignWatch:
    """Starts, stops and ends campaigns by themselves. A write that loses is tried next minute."""

    def __init__(
        self,
        campaigns: CampaignStore,
        settings: SettingsStore,
        counters: CounterStore,
        job_queue: JobQueue,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._settings = settings
        self._counters = counters
        self._job_queue = job_queue
        self._clock = clock

    def start(self, campaign: Campaign) -> bool:
        """Begins planning a scheduled campaign whose time has come; says whether it did.

        Its job was made when it was launched. If this dies before the job is
        enqueued, the scheduler finds the campaign planning and its job waiting.
        """
        now = self._clock.now()
        start_at = campaign.schedule.start_at
        if campaign.state is not CampaignState.SCHEDULED or (start_at and now < start_at):
            return False
        if not self._move(campaign, CampaignState.PLANNING, "", launched_at=now):
            return False
        job_id = to_text(JOB, to_bytes(campaign.id))
        self._job_queue.enqueue(campaign.workspace, job_id)
        return True

    def wake(self, campaign: Campaign) -> bool:
        """Lets a paused campaign whose end has passed run out; says whether it did.

        The dispatcher sends nothing of it any more and skips who is left.
        """
        ended = campaign.schedule.ended(self._clock.now() - _CLOCKS_APART)
        if campaign.state is not CampaignState.PAUSED or not ended:
            return False
        return self._move(campaign, CampaignState.SENDING, END_PASSED)

    def brake(self, campaign: Campaign, totals: Mapping[str, Any]) -> bool:
        """Pauses a campaign that bounces or is complained of too much; says whether it did."""
        events = self._counters.totals(campaign.workspace, campaign.id)
        now = standing(totals, events)
        why = tripped(now, campaign.brake_base, self._settings.get(campaign.workspace))
        return bool(why) and self._move(campaign, CampaignState.PAUSED, why, brake_base=now)

    def _move(
        self, campaign: Campaign, state: CampaignState, reason: str, **fields: object
    ) -> bool:
        state = change(CAMPAIGN_CHANGES, campaign.state, state)
        moved = replace(campaign, state=state, state_reason=reason, **fields)  # type: ignore[arg-type]  # fields of a Campaign
        try:
            self._campaigns.save(moved)
        except StaleWrite:
            return False
        return True


class ProviderWatch:
    """Says which providers report nothing, and which need an operator."""

    def __init__(
        self,
        rates: RateStore,
        counters: CounterStore,
        health: HealthStore,
        providers: Sequence[str],
        clock: Clock,
    ) -> None:
        self._rates = rates
        self._counters = counters
        self._health = health
        self._providers = providers
        self._clock = clock

    def silent(self) -> list[str]:
        """See `silence.silent`."""
        states = {provider: self._rates.load(provider) for provider in self._providers}
        return silent(states, self._counters.last_events(self._providers), self._clock.now())

    def out_of_service(self) -> dict[str, str]:
        """Providers whose accounts are paused or refuse us, with the ESP's codes."""
        breakers = self._health.load().breakers
        return {
            provider: breakers[provider].because
            for provider in self._providers
            if provider in breakers and breakers[provider].state is BreakerState.OUT_OF_SERVICE
        }
