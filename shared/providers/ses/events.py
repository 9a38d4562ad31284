"""Amazon SES's events, published through SNS, in the common vocabulary.

Wire format:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.analytics.machines import machine_sign
from shared.clock import Clock
from shared.errors import BadPayload
from shared.events import BounceKind, Event, EventReport, EventType, RejectReason
from shared.providers import fields
from shared.providers.ses import sns
from shared.providers.ses.handshake import Confirm


@dataclass(frozen=True, slots=True)
class _Kind:
    """Which object of the report holds what this type adds, and what it means."""

    part: str
    type: EventType
    reason: RejectReason | None = None


_KINDS = {
    "Send": _Kind("send", EventType.SENT),
    "Delivery": _Kind("delivery", EventType.DELIVERED),
    "Bounce": _Kind("bounce", EventType.BOUNCED),
    "Complaint": _Kind("complaint", EventType.COMPLAINED, RejectReason.SPAM),
    "Reject": _Kind("reject", EventType.REJECTED, RejectReason.OTHER),
    "Rendering Failure": _Kind("failure", EventType.FAILED, RejectReason.OTHER),
    "DeliveryDelay": _Kind("deliveryDelay", EventType.DEFERRED),
    "Open": _Kind("open", EventType.OPENED),
    "Click": _Kind("click", EventType.CLICKED),
    "Subscription": _Kind("subscription", EventType.SUBSCRIBED),
}
_BOUNCE_REASONS = {
    "NoEmail": RejectReason.INVALID,
    "ContentRejected": RejectReason.SPAM,
    "AttachmentRejected": RejectReason.SPAM,
}
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
_DETAILS = ("smtpResponse", "reason", "errorMessage", "delayType", "complaintFeedbackType")


class SesEvents:
    """The events of one SES account and region (EventSource), inside SNS envelopes."""

    def __init__(
        self, provider: str, verifier: sns.SnsVerifier, confirm: Confirm, clock: Clock
    ) -> None:
        self.provider = provider
        self._verifier = verifier
        self._confirm = confirm
        self._clock = clock

    def verify_and_parse(
        self,
        headers: Mapping[str, str],  # noqa: ARG002 - all of SNS's proof is in the body
        body: bytes,
    ) -> EventReport:
        """As EventSource says. A subscription to an allowed topic is confirmed at once."""
        envelope = sns.read_envelope(body)
        self._verifier.verify(envelope)
        if envelope.type == sns.SUBSCRIPTION_CONFIRMATION:
            self._confirm(envelope.topic_arn, envelope.token)
            return EventReport(notice="subscription confirmed")
        if envelope.type == sns.UNSUBSCRIBE_CONFIRMATION:
            return EventReport(notice="subscription ended; its events come no more")
        if not envelope.message.lstrip().startswith("{"):
            return EventReport(notice="a plain text message of the topic was ignored")
        try:
            report = fields.decode(envelope.message.encode("utf-8", "replace"))
        except BadPayload:
            return EventReport(malformed=1)
        event = normalise(report, self.provider, self._clock.now())
        return EventReport((event,)) if event else EventReport(malformed=1)


def normalise(report: object, provider: str, now: datetime) -> Event | None:
    """One report; None if it is no object or has no usable time.

    SES reports by message and not by recipient. Tidepost sends one message a
    recipient, so `mail.destination` names the person where the event does not.
    """
    report = fields.mapping(report)
    mail = fields.mapping(report.get("mail"))
    word = fields.text(
        report.get("eventType") or report.get("notificationType"), fields.TYPE_LENGTH
    )
    kind = _KINDS.get(word, _Kind("", EventType.UNKNOWN))
    part = fields.mapping(report.get(kind.part))
    occurred_at = fields.instant_of_iso(part.get("timestamp") or mail.get("timestamp"), now)
    if occurred_at is None:
        return None
    recipient = _recipient(part)
    address = fields.address(recipient.get("emailAddress") or fields.first(mail.get("destination")))
    meaning, bounce, reason = _meaning(kind, part)
    message = fields.text(mail.get("messageId"), fields.ID_LENGTH)
    agent = fields.text(part.get("userAgent"), fields.AGENT_LENGTH)
    watched = meaning in {EventType.OPENED, EventType.CLICKED}
    return Event(
        type=meaning,
        provider=provider,
        event_id=fields.digest(
            word,
            message,
            address or "",
            occurred_at.isoformat(),
            fields.text(part.get("link"), 2 * fields.URL_LENGTH),
        ),
        occurred_at=occurred_at,
        esp_type=word,
        message_id=fields.identifier(
            fields.first(fields.mapping(mail.get("tags")).get(fields.MESSAGE_ID_KEY))
        ),
        provider_message_id=message or None,
        address=address,
        bounce=bounce,
        reason=reason,
        detail=_detail(part, recipient),
        url=fields.scrubbed(part.get("link"), fields.URL_LENGTH),
        user_agent=agent,
        ip=fields.text(part.get("ipAddress"), fields.IP_LENGTH),
        machine=watched and machine_sign(agent) is not None,
    )


def _meaning(
    kind: _Kind, part: Mapping[str, Any]
) -> tuple[EventType, BounceKind | None, RejectReason | None]:
    if kind.type is EventType.BOUNCED:
        hard = part.get("bounceType") == "Permanent"
        subtype = fields.text(part.get("bounceSubType"), fields.TYPE_LENGTH)
        reason = _BOUNCE_REASONS.get(subtype, RejectReason.BOUNCED)
        return kind.type, BounceKind.HARD if hard else BounceKind.SOFT, reason
    if kind.type is EventType.COMPLAINED and part.get("complaintFeedbackType") == "not-spam":
        # The recipient took a message out of the spam folder: the opposite of a complaint.
        return EventType.UNKNOWN, None, None
    if kind.type is EventType.SUBSCRIBED and _opted_out(part):
        return EventType.UNSUBSCRIBED, None, RejectReason.UNSUBSCRIBED
    return kind.type, None, kind.reason


def _opted_out(part: Mapping[str, Any]) -> bool:
    """Whether the preferences changed to less mail: from everything, or from some topic."""
    new = fields.mapping(part.get("newTopicPreferences"))
    old = fields.mapping(part.get("oldTopicPreferences"))
    return new.get("unsubscribeAll") is True or bool(_topics_out(new) - _topics_out(old))


def _topics_out(preferences: Mapping[str, Any]) -> set[str]:
    statuses = preferences.get("topicSubscriptionStatus")
    topics = map(fields.mapping, statuses if isinstance(statuses, list) else [])
    return {
        fields.text(topic.get("topicName"), fields.ID_LENGTH)
        for topic in topics
        if topic.get("subscriptionStatus") == "OptOut"
    }


def _recipient(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipient that a bounce, complaint or delay names."""
    found = (fields.first(part.get(name)) for name in _RECIPIENTS)
    return next((fields.mapping(one) for one in found if one), {})


def _detail(part: Mapping[str, Any], recipient: Mapping[str, Any]) -> str:
    said = [recipient.get("diagnosticCode"), *(part.get(name) for name in _DETAILS)]
    return next(
        (text for text in (fields.scrubbed(s, fields.DETAIL_LENGTH) for s in said) if text), ""
    )
