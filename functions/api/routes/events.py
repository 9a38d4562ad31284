"""Events as the API shows them, of a campaign and of a subscriber."""

from __future__ import annotations

from pydantic import Field

from functions.api.schema import Answer, Instant, PageAnswer
from shared.analytics.model import Engagement
from shared.events import BounceKind, EventType, RejectReason
from shared.ids import MessageIds
from shared.paging import Page


class EventAnswer(Answer):
    """One event. Which address it was about is known by the subscriber alone."""

    type: EventType
    at: Instant
    message: str
    subscriber: str
    campaign: str | None = Field(description="null for a transactional message")
    provider: str
    esp_type: str = Field(description="The ESP's own word")
    bounce: BounceKind | None
    reason: RejectReason | None
    detail: str
    url: str
    machine: bool = Field(description="Opened or clicked by a machine, not by a person")

    @classmethod
    def of(cls, engagement: Engagement, message: str) -> EventAnswer:
        """From the domain's value."""
        event, ref = engagement.event, engagement.ref
        return cls(
            type=event.type,
            at=event.occurred_at,
            message=message,
            subscriber=engagement.subscriber,
            campaign=None if ref.transactional else ref.campaign,
            provider=event.provider,
            esp_type=event.esp_type,
            bounce=event.bounce,
            reason=event.reason,
            detail=event.detail,
            url=event.url,
            machine=event.machine,
        )


class EventPage(PageAnswer[EventAnswer]):
    """A page of events."""

    @classmethod
    def of(cls, page: Page[Engagement], ids: MessageIds) -> EventPage:
        """From the store's page."""
        items = [EventAnswer.of(item, ids.make(item.ref)) for item in page.items]
        return cls(items=items, cursor=page.cursor)
