"""The one vocabulary of what happens to a message after it was sent.

The types and reject reasons are django-anymail's, the field's common set. Three
points are stricter: a SendGrid `blocked` is a soft bounce, an SES
DeliveryDelay is `deferred`, and SES Subscription is `(un)subscribed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventType(StrEnum):
    """What happened, in the normalised vocabulary."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    FAILED = "failed"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    UNKNOWN = "unknown"


class RejectReason(StrEnum):
    """Why a message was rejected or bounced."""

    INVALID = "invalid"
    BOUNCED = "bounced"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    SPAM = "spam"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


class BounceKind(StrEnum):
    """Hard: the address is no good. Soft: it may work another time."""

    HARD = "hard"
    SOFT = "soft"


PROVES_ACCEPTANCE = frozenset(
    {
        EventType.SENT,
        EventType.DELIVERED,
        EventType.DEFERRED,
        EventType.BOUNCED,
        EventType.OPENED,
        EventType.CLICKED,
        EventType.COMPLAINED,
        EventType.AUTORESPONDED,
    }
)
"""An event of these types can only come for a message that the ESP had taken."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as an ESP reported it, normalised.

    `event_id` is the dedupe key: the same report, however often repeated, has
    the same one. `message_id` is ours and still unverified here. `address` is
    the recipient where the ESP names one; it is used to find the person and is
    not stored. `esp_type` keeps the ESP's own word. `url`, `user_agent` and
    `detail` are cut to a sane length.
    """

    type: EventType
    provider: str
    event_id: str
    occurred_at: datetime
    esp_type: str
    message_id: str | None = None
    provider_message_id: str | None = None
    address: str | None = None
    bounce: BounceKind | None = None
    reason: RejectReason | None = None
    detail: str = ""
    url: str = ""
    user_agent: str = ""
    ip: str = ""
    machine: bool = False


@dataclass(frozen=True, slots=True)
class EventReport:
    """What one webhook call or one queue message reported.

    `malformed` counts entries that are no event at all: not an object, or
    without a usable instant. `notice` tells an operator of a report that is
    about the subscription itself and not about mail.
    """

    events: tuple[Event, ...] = ()
    malformed: int = 0
    notice: str = ""
