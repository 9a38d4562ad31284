"""Changing a campaign's state, whoever else writes it at the same time."""

from __future__ import annotations

from dataclasses import replace

from shared.delivery.model import Campaign
from shared.delivery.ports import CampaignStore
from shared.delivery.states import CAMPAIGN_CHANGES, CampaignState, change
from shared.errors import StaleWrite

_TRIES = 5


def move(
    campaigns: CampaignStore, campaign: Campaign, state: CampaignState, reason: str = ""
) -> Campaign:
    """The campaign in its new state, saved. Moving to the state it has changes nothing.

    Raises:
        WrongState: the table of states does not allow it.
        StaleWrite: others wrote the campaign five times in a row.
    """
    for _ in range(_TRIES):
        if campaign.state is state:
            return campaign
        change(CAMPAIGN_CHANGES, campaign.state, state)
        try:
            return campaigns.save(replace(campaign, state=state, state_reason=reason))
        except StaleWrite:
            campaign = campaigns.get(campaign.workspace, campaign.id)
    raise StaleWrite("the campaign is being written by others; try again")


def pause(campaigns: CampaignStore, campaign: Campaign, reason: str) -> None:
    """Pauses a campaign that is sending; one in any other state stays as it is."""
    current = campaigns.get(campaign.workspace, campaign.id)
    if current.state is CampaignState.SENDING:
        move(campaigns, current, CampaignState.PAUSED, reason)
