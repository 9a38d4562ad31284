"""Campaigns."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.routes.events import EventPage
from functions.api.schema import (
    Answer,
    Body,
    Cursor,
    Instant,
    Limit,
    MailboxAnswer,
    MailboxBody,
    Name,
    PageAnswer,
)
from functions.api.visit import CurrentCall
from shared.access.model import Scope
from shared.delivery.campaigns import CampaignDraft
from shared.delivery.model import Campaign
from shared.delivery.states import CampaignState

campaigns = Endpoints("campaigns", "/v1/campaigns")

_EXAMPLE: JsonDict = {
    "name": "December news",
    "sender": {"email": "news@example.com", "name": "Example"},
    "template": "tpl_06f2m1v5q0g4k8s2c7d0",
    "lists": ["lst_06f2m1v5q0g4k8s2c7d0"],
}

ListIds = Annotated[list[str], Field(min_length=1, max_length=50)]


class CampaignBody(Body):
    """A campaign to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    sender: MailboxBody = Field(description="Its domain must be a verified sender domain")
    template: str
    lists: ListIds = Field(description="Who is on several of them gets one mail")
    reply_to: MailboxBody | None = None
    tags: list[str] = Field(default_factory=list)

    def draft(self) -> CampaignDraft:
        """As the domain has it."""
        return CampaignDraft(
            name=self.name,
            sender=self.sender.mailbox(),
            template_id=self.template,
            list_ids=tuple(self.lists),
            reply_to=self.reply_to.mailbox() if self.reply_to else None,
            tags=tuple(self.tags),
        )


class CampaignChanges(Body):
    """What is to be changed; what is left out stays, and null takes `reply_to` away."""

    name: Name | None = None
    sender: MailboxBody | None = None
    template: str | None = None
    lists: ListIds | None = None
    reply_to: MailboxBody | None = None
    tags: list[str] | None = None

    def draft(self, campaign: Campaign) -> CampaignDraft:
        """The campaign's draft with the changes."""
        says_reply_to = "reply_to" in self.model_fields_set
        reply_to = self.reply_to.mailbox() if self.reply_to else None
        return CampaignDraft(
            name=self.name or campaign.name,
            sender=self.sender.mailbox() if self.sender else campaign.sender,
            template_id=self.template or campaign.template_id,
            list_ids=tuple(self.lists or campaign.list_ids),
            reply_to=reply_to if says_reply_to else campaign.reply_to,
            tags=campaign.tags if self.tags is None else tuple(self.tags),
        )


class CampaignAnswer(Answer):
    """A campaign."""

    id: str
    name: str
    state: CampaignState
    state_reason: str = Field(description="Why it is in this state, where that is not plain")
    sender: MailboxAnswer
    reply_to: MailboxAnswer | None
    template: str
    template_version: int | None = Field(description="Frozen at launch")
    lists: list[str]
    tags: list[str]
    recipients: int = Field(description="Known once planning is done")
    created_at: Instant
    launched_at: Instant | None
    finished_at: Instant | None

    @classmethod
    def of(cls, campaign: Campaign) -> CampaignAnswer:
        """From the domain's value."""
        return cls(
            id=campaign.id,
            name=campaign.name,
            state=campaign.state,
            state_reason=campaign.state_reason,
            sender=MailboxAnswer.of(campaign.sender),
            reply_to=MailboxAnswer.of(campaign.reply_to) if campaign.reply_to else None,
            template=campaign.template_id,
            template_version=campaign.template_version or None,
            lists=list(campaign.list_ids),
            tags=list(campaign.tags),
            recipients=campaign.recipients,
            created_at=campaign.created_at,
            launched_at=campaign.launched_at,
            finished_at=campaign.finished_at,
        )


class CampaignPage(PageAnswer[CampaignAnswer]):
    """A page of campaigns."""


@campaigns.post("", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.CREATED)
def create_campaign(body: CampaignBody, call: CurrentCall) -> CampaignAnswer:
    """Create a campaign as a draft; nothing is sent before it is launched."""
    return CampaignAnswer.of(call.services.campaigns.create(call.workspace, body.draft()))


@campaigns.get("", scope=Scope.CAMPAIGNS_READ)
def list_campaigns(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> CampaignPage:
    """List the campaigns, newest first."""
    page = call.services.campaigns.page(call.workspace, limit=limit, cursor=cursor)
    return CampaignPage(items=[CampaignAnswer.of(item) for item in page.items], cursor=page.cursor)


@campaigns.get("/<campaign_id>", scope=Scope.CAMPAIGNS_READ)
def get_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Get a campaign."""
    return CampaignAnswer.of(call.services.campaigns.get(call.workspace, campaign_id))


@campaigns.patch("/<campaign_id>", scope=Scope.CAMPAIGNS_WRITE)
def update_campaign(campaign_id: str, body: CampaignChanges, call: CurrentCall) -> CampaignAnswer:
    """Change a campaign while it is a draft."""
    present = call.services.campaigns.get(call.workspace, campaign_id)
    changed = call.services.campaigns.update(call.workspace, campaign_id, body.draft(present))
    return CampaignAnswer.of(changed)


@campaigns.post("/<campaign_id>/launch", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.ACCEPTED)
def launch_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Launch a campaign.

    The sender, the template and the lists are checked, the template's version is frozen, and the
    campaign is planned and sent in the background. Launching it again is a 409 and sends nothing.
    """
    return CampaignAnswer.of(call.services.campaigns.launch(call.workspace, campaign_id))


@campaigns.post("/<campaign_id>/pause", scope=Scope.CAMPAIGNS_WRITE)
def pause_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Pause a campaign: nothing more is released until it is resumed."""
    return CampaignAnswer.of(call.services.campaigns.pause(call.workspace, campaign_id))


@campaigns.post("/<campaign_id>/resume", scope=Scope.CAMPAIGNS_WRITE)
def resume_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Resume a paused campaign."""
    return CampaignAnswer.of(call.services.campaigns.resume(call.workspace, campaign_id))


@campaigns.post("/<campaign_id>/cancel", scope=Scope.CAMPAIGNS_WRITE)
def cancel_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Cancel a campaign for good.

    Mail that an ESP has taken cannot be called back; everybody else is skipped.
    """
    return CampaignAnswer.of(call.services.campaigns.cancel(call.workspace, campaign_id))


@campaigns.get("/<campaign_id>/report", scope=Scope.CAMPAIGNS_READ)
def get_campaign_report(campaign_id: str, call: CurrentCall) -> dict[str, Any]:
    """Get a campaign's figures.

    Recipients are always accounted for: recipients = accepted + rejected + failed + skipped +
    in doubt + those still to come, in all and per provider and mailbox group, beside the counted
    events.
    """
    return call.services.campaigns.report(call.workspace, campaign_id)


@campaigns.get("/<campaign_id>/events", scope=Scope.EVENTS_READ)
def list_campaign_events(
    campaign_id: str, call: CurrentCall, limit: Limit = 50, cursor: Cursor = None
) -> EventPage:
    """List a campaign's events, chunk by chunk."""
    campaign = call.services.campaigns.get(call.workspace, campaign_id)
    page = call.services.engagements.page_of_campaign(
        call.workspace, campaign.id, campaign.chunks, limit=limit, cursor=cursor
    )
    return EventPage.of(page, call.services.message_ids)
