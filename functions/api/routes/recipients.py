"""The recipients of a campaign: who is in which state, and sending the failed ones again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body as BodyOf
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.routes.campaigns import CampaignAnswer
from functions.api.schema import Answer, Body, Cursor, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.delivery.recipients import Recipient
from shared.delivery.retrying import MAX_REASONS
from shared.delivery.states import RecipientState

recipients = Endpoints("campaigns", "/v1/campaigns")

StateWord = Literal["pending", "accepted", "rejected", "failed", "skipped", "in_doubt"]


class RecipientAnswer(Answer):
    """What became of one recipient. Which address it is, the subscriber alone knows."""

    subscriber: str
    message: str = Field(description="Its id; /v1/messages/{message_id} tells the whole story")
    state: StateWord
    reason: str = Field(description="A code, where the state alone does not say why")
    provider: str | None = Field(description="Of the newest attempt; null if there was none")
    attempt: int = Field(
        description="Number of the newest attempt of the recipient's chunk; 0: none"
    )
    routing: dict[str, Any] = Field(description="Why that provider was chosen")

    @classmethod
    def of(cls, recipient: Recipient) -> RecipientAnswer:
        """From the domain's value."""
        return cls.model_validate(
            {
                "subscriber": recipient.subscriber,
                "message": recipient.message,
                "state": recipient.state.word,
                "reason": recipient.reason,
                "provider": recipient.provider,
                "attempt": recipient.attempt,
                "routing": dict(recipient.routing),
            }
        )


class RecipientPage(PageAnswer[RecipientAnswer]):
    """A page of recipients."""


class RetryBody(Body):
    """Whom to send to again, if not to all who failed."""

    reasons: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list,
        max_length=MAX_REASONS,
        description="Only who failed for one of these reason codes",
        examples=[["presumed_not_accepted"]],
    )


@recipients.get("/<campaign_id>/recipients", scope=Scope.CAMPAIGNS_READ)
def list_campaign_recipients(
    campaign_id: str,
    call: CurrentCall,
    state: Annotated[StateWord | None, Query(description="Only who is in this state")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RecipientPage:
    """List a campaign's recipients, with state, reason, provider, attempt and routing.

    A page may hold fewer than `limit`, or none, and not be the last: go on while there is a cursor.
    """
    page = call.services.recipients.page(
        call.workspace,
        campaign_id,
        state=RecipientState[state.upper()] if state else None,
        limit=limit,
        cursor=cursor,
    )
    items = [RecipientAnswer.of(recipient) for recipient in page.items]
    return RecipientPage(items=items, cursor=page.cursor)


@recipients.post("/<campaign_id>/retry", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.ACCEPTED)
def retry_campaign(
    campaign_id: str, call: CurrentCall, body: Annotated[RetryBody | None, BodyOf()] = None
) -> CampaignAnswer:
    """Send a campaign to its failed recipients again, and only to those.

    While it is sending, paused or sent. A campaign that was sent is sending again until everybody
    is accounted for. 409 if nobody has failed, or while an earlier retry is under way. Whoever an
    event has meanwhile shown to be mailed becomes accepted instead.
    """
    reasons = body.reasons if body else []
    campaign = call.services.retries.retry(call.workspace, campaign_id, reasons)
    call.record(
        AuditAction.CAMPAIGN_RETRY, campaign_id, reasons=list(reasons), job=campaign.retry_job
    )
    return CampaignAnswer.of(campaign)
