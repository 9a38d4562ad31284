"""Campaigns: written, launched, paused, reported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from shared import ids as kinds
from shared.analytics.ports import CounterStore
from shared.audience.segments.audiences import Audiences, audience_problems
from shared.audience.segments.model import Audience
from shared.clock import Clock
from shared.content.ports import TemplateStore
from shared.delivery.guarding import check_size
from shared.delivery.model import CHUNK_SIZE, Campaign
from shared.delivery.moving import move
from shared.delivery.pacing import FASTEST, SLOWEST
from shared.delivery.ports import CampaignStore, LedgerStore, SenderCheck, SettingsStore
from shared.delivery.report import report, totals_of
from shared.delivery.schedule import ANY_TIME, Schedule, check_schedule
from shared.delivery.states import CAMPAIGN_CHANGES, CampaignState, change
from shared.errors import (
    AlreadyExists,
    FieldProblem,
    InvalidInput,
    NotFound,
    StaleWrite,
    WrongState,
)
from shared.ids import Ids
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.mail import Mailbox
from shared.paging import Page

_MAX_NAME = 200
_MAX_LISTS = 50
_MAX_TAGS = 10
_MAX_SEED_WAIT = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """What a user says of a campaign: whom it is for by `list_ids` or by `audience`."""

    name: str
    sender: Mailbox
    template_id: str
    list_ids: tuple[str, ...] = ()
    audience: Audience | None = None
    reply_to: Mailbox | None = None
    tags: tuple[str, ...] = ()
    schedule: Schedule = ANY_TIME
    pace_per_hour: int | None = None
    seed_list: str | None = None
    seed_wait_minutes: int = 30


class CampaignService:
    """What the API does with campaigns."""

    def __init__(
        self,
        *,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        counters: CounterStore,
        templates: TemplateStore,
        audiences: Audiences,
        settings: SettingsStore,
        sender_check: SenderCheck,
        jobs: JobStore,
        job_queue: JobQueue,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._counters = counters
        self._templates = templates
        self._audiences = audiences
        self._settings = settings
        self._sender_check = sender_check
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._clock = clock

    def create(self, workspace: str, draft: CampaignDraft) -> Campaign:
        """A new campaign in state `draft`.

        Raises:
            InvalidInput: names each field at fault. The sender's domain may
                still be unverified, unless it is another workspace's.
        """
        check_draft(draft, self._clock.now())
        self._sender_check.check_not_foreign(workspace, draft.sender.address)
        campaign = Campaign(
            id=self._ids.new(kinds.CAMPAIGN),
            workspace=workspace,
            name=draft.name,
            sender=draft.sender,
            template_id=draft.template_id,
            list_ids=draft.list_ids,
            audience=draft.audience,
            reply_to=draft.reply_to,
            tags=draft.tags,
            schedule=draft.schedule,
            pace_per_hour=draft.pace_per_hour,
            seed_list=draft.seed_list,
            seed_wait_minutes=draft.seed_wait_minutes,
            created_at=self._clock.now(),
        )
        self._campaigns.create(campaign)
        return campaign

    def get(self, workspace: str, campaign_id: str) -> Campaign:
        """Raises NotFound."""
        return self._campaigns.get(workspace, campaign_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Campaign]:
        """The workspace's campaigns, newest first."""
        return self._campaigns.page(workspace, limit=limit, cursor=cursor)

    def update(self, workspace: str, campaign_id: str, draft: CampaignDraft) -> Campaign:
        """A draft with other content.

        Raises:
            WrongState: the campaign was launched.
            InvalidInput: as for `create`.
            StaleWrite: somebody else wrote it at the same moment.
        """
        check_draft(draft, self._clock.now())
        self._sender_check.check_not_foreign(workspace, draft.sender.address)
        campaign = self._campaigns.get(workspace, campaign_id)
        if campaign.state is not CampaignState.DRAFT:
            raise WrongState(f"the campaign is {campaign.state}; only a draft can be changed")
        return self._campaigns.save(
            replace(
                campaign,
                name=draft.name,
                sender=draft.sender,
                template_id=draft.template_id,
                list_ids=draft.list_ids,
                audience=draft.audience,
                reply_to=draft.reply_to,
                tags=draft.tags,
                schedule=draft.schedule,
                pace_per_hour=draft.pace_per_hour,
                seed_list=draft.seed_list,
                seed_wait_minutes=draft.seed_wait_minutes,
            )
        )

    def launch(
        self, workspace: str, campaign_id: str, confirmed_recipients: int | None = None
    ) -> Campaign:
        """Starts planning, now or at the start time; it sends as soon as that is done.

        Raises:
            WrongState: it was launched before, or cancelled.
            InvalidInput: the sender is not verified, the template, a list, a
                segment or a snapshot is unknown, nobody is in the audience, or
                its times cannot be kept.
            ConfirmationRequired: it would go to more people than the workspace
                lets pass without a number that was confirmed.
        """
        campaign = self._campaigns.get(workspace, campaign_id)
        if campaign.state is not CampaignState.DRAFT:
            raise WrongState(
                f"the campaign is {campaign.state} already; it was not launched a second time"
            )
        now = self._clock.now()
        settings = self._settings.get(workspace)
        schedule = campaign.schedule.with_defaults(settings.time_zone, settings.quiet_hours)
        campaign = replace(campaign, schedule=schedule)
        template_version, recipients = self._check_launch(campaign, now)
        check_size(recipients, settings.confirm_above, confirmed_recipients)
        job = Job(
            id=kinds.to_text(kinds.JOB, kinds.to_bytes(campaign.id)),
            workspace=workspace,
            kind=JobKind.PLAN_CAMPAIGN,
            created_at=now,
            params={"campaign": campaign.id},
        )
        with suppress(AlreadyExists):  # an earlier launch may have come this far and no further
            self._jobs.create(job)
        state = CampaignState.SCHEDULED if schedule.start_at else CampaignState.PLANNING
        try:
            launched = self._campaigns.save(
                replace(
                    campaign,
                    state=change(CAMPAIGN_CHANGES, campaign.state, state),
                    template_version=template_version,
                    launched_at=None if schedule.start_at else now,
                )
            )
        except StaleWrite as error:
            raise WrongState(
                "the campaign is being launched by another call; it was not launched a second time"
            ) from error
        if not schedule.start_at:
            self._job_queue.enqueue(workspace, job.id)
        return launched

    def unschedule(self, workspace: str, campaign_id: str) -> Campaign:
        """A scheduled campaign becomes a draft again. Raises WrongState unless it is scheduled."""
        campaign = self._campaigns.get(workspace, campaign_id)
        if campaign.state is not CampaignState.SCHEDULED:
            raise WrongState(f"the campaign is {campaign.state}, not scheduled")
        return move(self._campaigns, campaign, CampaignState.DRAFT)

    def pause(self, workspace: str, campaign_id: str) -> Campaign:
        """No further chunk is started. Raises WrongState unless it is sending."""
        campaign = self._campaigns.get(workspace, campaign_id)
        return move(self._campaigns, campaign, CampaignState.PAUSED, "paused by a user")

    def resume(self, workspace: str, campaign_id: str) -> Campaign:
        """Goes on where it was paused, or lets the rest follow the seeds.

        Raises:
            WrongState: it is neither paused nor waiting for its seeds.
        """
        campaign = self._campaigns.get(workspace, campaign_id)
        now = self._clock.now()
        if campaign.state is CampaignState.SENT:  # which only a retry may open again
            raise WrongState("the campaign is sent; a retry sends the failed ones again")
        if campaign.state not in {CampaignState.PAUSED, CampaignState.SENDING}:
            # From planning to sending is the plan job's step, with the number of its chunks.
            raise WrongState(f"the campaign is {campaign.state}; only a paused one can go on")
        if campaign.state is CampaignState.PAUSED:
            self._sender_check.check_sender(workspace, campaign.sender.address)
        if campaign.rest_after and campaign.rest_after > now:
            campaign = self._campaigns.save(replace(campaign, rest_after=now))
        return move(self._campaigns, campaign, CampaignState.SENDING)

    def cancel(self, workspace: str, campaign_id: str) -> Campaign:
        """Ends it for good; who was not mailed yet never is.

        Raises:
            WrongState: it is over already.
        """
        campaign = self._campaigns.get(workspace, campaign_id)
        return move(self._campaigns, campaign, CampaignState.CANCELLED, "cancelled by a user")

    def report(self, workspace: str, campaign_id: str) -> dict[str, Any]:
        """What became of every recipient, and the events so far."""
        campaign = self._campaigns.get(workspace, campaign_id)
        totals = campaign.totals or totals_of(self._ledger.outcomes(workspace, campaign_id))
        events = self._counters.totals(workspace, campaign_id)
        return {
            "id": campaign.id,
            "state": campaign.state.value,
            "state_reason": campaign.state_reason,
            **report(
                campaign.recipients,
                totals,
                events,
                cancelled=campaign.state is CampaignState.CANCELLED,
            ),
        }

    def _check_launch(self, campaign: Campaign, now: datetime) -> tuple[int, int]:
        """The newest version of the template, and about how many recipients.

        Raises InvalidInput.
        """
        self._sender_check.check_sender(campaign.workspace, campaign.sender.address)
        problems = check_schedule(campaign.schedule, now)
        version, recipients = 0, 0
        try:
            version = self._templates.get(campaign.workspace, campaign.template_id).version
        except NotFound:
            problems.append(
                FieldProblem("template", f"there is no template {campaign.template_id!r}")
            )
        if campaign.seed_list:
            seeds = self._audiences.members(campaign.workspace, [campaign.seed_list])
            if not 0 < sum(1 for _ in islice(seeds, CHUNK_SIZE + 1)) <= CHUNK_SIZE:
                reason = f"must be a list of 1 to {CHUNK_SIZE} members"
                problems.append(FieldProblem("seed_list", reason))
        try:
            recipients = self._recipients(campaign)
        except InvalidInput as error:
            problems += error.problems
        if problems:
            raise InvalidInput(problems)
        return version, recipients

    def _recipients(self, campaign: Campaign) -> int:
        """About how many there are. Raises InvalidInput if that is nobody, or unknown."""
        by_lists = campaign.audience is None
        at = "lists.{}" if by_lists else "audience.include.{}"
        chosen = self._audiences.choose(campaign.workspace, campaign.whom, at=at)
        counted = self._audiences.count(campaign.workspace, chosen)
        if counted.exact and not counted.people:
            raise InvalidInput(
                FieldProblem("lists", "have no members; add subscribers first")
                if by_lists
                else FieldProblem("audience", "has nobody in it now; a preview may show why")
            )
        if campaign.seed_list:
            seeded = replace(chosen, lists=(*chosen.lists, campaign.seed_list))
            counted = self._audiences.count(campaign.workspace, seeded)
        return counted.people


def check_draft(draft: CampaignDraft, now: datetime) -> None:
    """What can be said of a draft by itself.

    Raises:
        InvalidInput: names each field at fault.
    """
    problems = []
    if not draft.name.strip() or len(draft.name) > _MAX_NAME or not draft.name.isprintable():
        problems.append(FieldProblem("name", f"must be one line of 1 to {_MAX_NAME} characters"))
    problems += check_mailbox("sender", draft.sender)
    if draft.reply_to:
        problems += check_mailbox("reply_to", draft.reply_to)
    problems += _whom_problems(draft)
    problems += check_tags(draft.tags)
    problems += check_schedule(draft.schedule, now)
    pace = draft.pace_per_hour
    if pace is not None and not SLOWEST <= pace <= FASTEST:
        problems.append(FieldProblem("pace_per_hour", f"must be {SLOWEST} to {FASTEST}"))
    if pace is not None and draft.schedule.local_time:
        reason = "cannot go with local_time: one of the two says when people are mailed"
        problems.append(FieldProblem("pace_per_hour", reason))
    if not 1 <= draft.seed_wait_minutes <= _MAX_SEED_WAIT:
        reason = f"must be 1 to {_MAX_SEED_WAIT}"
        problems.append(FieldProblem("seed_wait_minutes", reason))
    if problems:
        raise InvalidInput(problems)


def _whom_problems(draft: CampaignDraft) -> list[FieldProblem]:
    problems = []
    if draft.audience:
        problems += audience_problems(draft.audience)
        if draft.list_ids:
            problems.append(FieldProblem("lists", "cannot go with audience: include them there"))
    elif not draft.list_ids:
        problems.append(FieldProblem("lists", "must name at least one list, or give an audience"))
    if len(draft.list_ids) > _MAX_LISTS or len(set(draft.list_ids)) < len(draft.list_ids):
        problems.append(FieldProblem("lists", f"must be at most {_MAX_LISTS}, each named once"))
    return problems


def check_mailbox(field: str, mailbox: Mailbox) -> list[FieldProblem]:
    """Problems of a From or Reply-To that would break or bend a header."""
    problems = []
    local, _, domain = mailbox.address.rpartition("@")
    if not local or "." not in domain or not mailbox.address.isprintable():
        problems.append(FieldProblem(f"{field}.email", "is not an email address"))
    if not mailbox.name.isprintable() or len(mailbox.name) > _MAX_NAME:
        problems.append(FieldProblem(f"{field}.name", "must be one line, without line breaks"))
    return problems


def check_tags(tags: Sequence[str]) -> list[FieldProblem]:
    """Tags go to the ESPs: few, short, and of characters that all of them take."""
    good = len(tags) <= _MAX_TAGS and all(
        0 < len(tag) <= 64 and tag.isascii() and tag.replace("-", "").replace("_", "").isalnum()  # noqa: PLR2004  the documented length
        for tag in tags
    )
    reason = f"must be at most {_MAX_TAGS}, each of 1 to 64 letters, digits, - and _"
    return [] if good else [FieldProblem("tags", reason)]
