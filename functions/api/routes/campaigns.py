"""Campaigns."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.audiences import AudienceAnswer, AudienceBody
from functions.api.endpoints import Endpoints
from functions.api.routes.events import EventPage
from functions.api.schedules import ScheduleAnswer, ScheduleBody
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
from shared.access.model import AuditAction, Scope
from shared.delivery.campaigns import CampaignDraft
from shared.delivery.model import Campaign
from shared.delivery.schedule import ANY_TIME
from shared.delivery.states import CampaignState

campaigns = Endpoints("campaigns", "/v1/campaigns")

_EXAMPLE: JsonDict = {
    "name": "December news",
    "sender": {"email": "news@example.com", "name": "Example"},
    "template": "tpl_06f2m1v5q0g4k8s2c7d0",
    "lists": ["lst_06f2m1v5q0g4k8s2c7d0"],
}

ListIds = Annotated[list[str], Field(min_length=1, max_length=50)]


PacePerHour = Annotated[
    int | None, Field(description="Messages an hour, spread over it; not one more goes out")
]
SeedList = Annotated[
    str | None, Field(description="A list of 1 to 500 members who get it before all others")
]
SeedWait = Annotated[int, Field(description="Minutes from the seeds to the rest; resume ends it")]


class CampaignBody(ScheduleBody):
    """A campaign to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    sender: MailboxBody = Field(description="Its domain must be a verified sender domain")
    template: str
    lists: ListIds | None = Field(
        default=None,
        description="Who is on several of them gets one mail. Give these or an `audience`",
    )
    audience: AudienceBody | None = None
    reply_to: MailboxBody | None = None
    tags: list[str] = Field(default_factory=list)
    pace_per_hour: PacePerHour = None
    seed_list: SeedList = None
    seed_wait_minutes: SeedWait = 30

    def draft(self) -> CampaignDraft:
        """As the domain has it."""
        return CampaignDraft(
            name=self.name,
            sender=self.sender.mailbox(),
            template_id=self.template,
            list_ids=tuple(self.lists or ()),
            audience=self.audience.audience() if self.audience else None,
            reply_to=self.reply_to.mailbox() if self.reply_to else None,
            tags=tuple(self.tags),
            schedule=self.schedule(ANY_TIME),
            pace_per_hour=self.pace_per_hour,
            seed_list=self.seed_list,
            seed_wait_minutes=self.seed_wait_minutes,
        )


class CampaignChanges(ScheduleBody):
    """What is to be changed; what is left out stays.

    Null takes away what a campaign need not have: its times, pace, seed list and `reply_to`.
    `lists` take the place of an `audience`, and the other way round.
    """

    name: Name | None = None
    sender: MailboxBody | None = None
    template: str | None = None
    lists: ListIds | None = None
    audience: AudienceBody | None = None
    reply_to: MailboxBody | None = None
    tags: list[str] | None = None
    pace_per_hour: PacePerHour = None
    seed_list: SeedList = None
    seed_wait_minutes: int | None = None

    def draft(self, campaign: Campaign) -> CampaignDraft:
        """The campaign's draft with the changes."""
        said = self.model_fields_set
        reply_to = self.reply_to.mailbox() if self.reply_to else None
        list_ids, audience = campaign.list_ids, campaign.audience
        if self.lists or self.audience:
            list_ids = tuple(self.lists or ())
            audience = self.audience.audience() if self.audience else None
        return CampaignDraft(
            name=self.name or campaign.name,
            sender=self.sender.mailbox() if self.sender else campaign.sender,
            template_id=self.template or campaign.template_id,
            list_ids=list_ids,
            audience=audience,
            reply_to=reply_to if "reply_to" in said else campaign.reply_to,
            tags=campaign.tags if self.tags is None else tuple(self.tags),
            schedule=self.schedule(campaign.schedule),
            pace_per_hour=(
                self.pace_per_hour if "pace_per_hour" in said else campaign.pace_per_hour
            ),
            seed_list=self.seed_list if "seed_list" in said else campaign.seed_list,
            seed_wait_minutes=(
                campaign.seed_wait_minutes
                if self.seed_wait_minutes is None
                else self.seed_wait_minutes
            ),
        )


class LaunchBody(Body):
    """Said of a launch that was refused with `confirmation-required`."""

    confirm_recipients: int | None = Field(
        default=None, ge=0, description="The number that was named; it may be off by a tenth"
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
    lists: list[str] = Field(description="As they were given; empty if an audience was")
    audience: AudienceAnswer = Field(description="Whom it is for, however that was given")
    tags: list[str]
    schedule: ScheduleAnswer
    pace_per_hour: int | None
    seed_list: str | None
    seed_wait_minutes: int
    rest_after: Instant | None = Field(description="When the rest follows the seeds")
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
            audience=AudienceAnswer.of(campaign.whom),
            tags=list(campaign.tags),
            schedule=ScheduleAnswer.of(campaign.schedule),
            pace_per_hour=campaign.pace_per_hour,
            seed_list=campaign.seed_list,
            seed_wait_minutes=campaign.seed_wait_minutes,
            rest_after=campaign.rest_after,
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
    made = call.services.campaigns.create(call.workspace, body.draft())
    call.record(AuditAction.CAMPAIGN_CREATE, made.id)
    return CampaignAnswer.of(made)


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
    call.record(AuditAction.CAMPAIGN_CHANGE, campaign_id)
    return CampaignAnswer.of(changed)


@campaigns.post("/<campaign_id>/launch", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.ACCEPTED)
def launch_campaign(
    campaign_id: str, call: CurrentCall, body: LaunchBody | None = None
) -> CampaignAnswer:
    """Launch a campaign, at once or for its start time.

    The sender, the template and the audience are checked, the template's version is frozen, and the
    campaign is planned and sent in the background. Launching it again is a 409 and sends nothing.
    If it would go to more people than the workspace's `confirm_above`, the answer is a 409
    `confirmation-required` that names the number; send that number to launch it.
    """
    confirmed = body.confirm_recipients if body else None
    launched = call.services.campaigns.launch(call.workspace, campaign_id, confirmed)
    call.record(AuditAction.CAMPAIGN_LAUNCH, campaign_id)
    return CampaignAnswer.of(launched)


@campaigns.post("/<campaign_id>/unschedule", scope=Scope.CAMPAIGNS_WRITE)
def unschedule_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Make a scheduled campaign a draft again, to change it or to launch it at another time."""
    draft = call.services.campaigns.unschedule(call.workspace, campaign_id)
    call.record(AuditAction.CAMPAIGN_UNSCHEDULE, campaign_id)
    return CampaignAnswer.of(draft)


@campaigns.post("/<campaign_id>/pause", scope=Scope.CAMPAIGNS_WRITE)
def pause_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Pause a campaign: nothing more is released until it is resumed."""
    paused = call.services.campaigns.pause(call.workspace, campaign_id)
    call.record(AuditAction.CAMPAIGN_PAUSE, campaign_id)
    return CampaignAnswer.of(paused)


@campaigns.post("/<campaign_id>/resume", scope=Scope.CAMPAIGNS_WRITE)
def resume_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Resume a paused campaign, or let the rest follow the seeds now."""
    resumed = call.services.campaigns.resume(call.workspace, campaign_id)
    call.record(AuditAction.CAMPAIGN_RESUME, campaign_id)
    return CampaignAnswer.of(resumed)


@campaigns.post("/<campaign_id>/cancel", scope=Scope.CAMPAIGNS_WRITE)
def cancel_campaign(campaign_id: str, call: CurrentCall) -> CampaignAnswer:
    """Cancel a campaign for good.

    Mail that an ESP has taken cannot be called back; everybody else is skipped.
    """
    cancelled = call.services.campaigns.cancel(call.workspace, campaign_id)
    call.record(AuditAction.CAMPAIGN_CANCEL, campaign_id)
    return CampaignAnswer.of(cancelled)


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
