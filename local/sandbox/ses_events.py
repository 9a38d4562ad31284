"""SES events as event publishing writes them, inside SNS envelopes; over HTTPS or SQS."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from local.sandbox.behaviour import Webhook
from local.sandbox.happenings import Happening
from local.sandbox.mailbox import Kind, Message
from local.sandbox.poster import Poster
from local.sandbox.sns import Topic
from local.sandbox.webhooks import Outgoing
from local.sandbox.wire import JsonObject
from shared.clock import Clock, to_iso

_SUBJECT = "Amazon SES Email Event Notification"
_VALIDATED = "Successfully validated SNS topic for Amazon SES event publishing."
_ACCOUNT = "000000000000"
_IP = "192.0.2.30"  # RFC 5737: for documentation
_MTA = "a8-50.smtp-out.amazonses.com"
_NAMES = {
    Kind.SENT: "Send",
    Kind.DEFERRED: "DeliveryDelay",
    Kind.DELIVERED: "Delivery",
    Kind.HARD_BOUNCED: "Bounce",
    Kind.SOFT_BOUNCED: "Bounce",
    Kind.DROPPED: "Reject",
    Kind.FAILED: "Rendering Failure",
    Kind.MACHINE_OPENED: "Open",
    Kind.OPENED: "Open",
    Kind.CLICKED: "Click",
    Kind.UNSUBSCRIBED: "Subscription",
    Kind.COMPLAINED: "Complaint",
}


class SesChannel:
    """One notification an event: a POST each, or ten in an SQS request."""

    workers = 4
    flush_s = 0.1
    max_tries = 4  # SNS: the first and three retries

    def __init__(self, topic: Topic, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock

    def batch_size(self, target: Webhook) -> int:
        """Ten messages fit into one SendMessageBatch."""
        return 10 if target.mode == "sqs" else 1

    def event(
        self, message: Message, happening: Happening, event_id: str, at: datetime
    ) -> JsonObject | None:
        """The event as SES describes it."""
        field, special = _particulars(message, happening, event_id, at)
        return {"eventType": _NAMES[happening.kind], "mail": _mail(message), field: special}

    def encode(self, outgoing: Outgoing, target: Webhook) -> bytes:
        """The signed SNS envelope."""
        payload = outgoing.payload
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        return self._topic.notification(
            text,
            subject=_SUBJECT,
            message_id=outgoing.event_id,
            at=outgoing.at,
            version=target.signature_version,
        )

    def greetings(self) -> Sequence[Outgoing]:
        """The plain text that SES sends when event publishing is set up."""
        at = self._clock.now()
        return (Outgoing(self._topic.new_id(), at, _VALIDATED),)

    def open(self, target: Webhook, poster: Poster, stopping: threading.Event) -> bool:
        """Subscribes to an HTTPS endpoint by the SNS handshake; an SQS queue needs none."""
        return target.mode == "sqs" or self._topic.subscribe(target, poster, stopping)

    def deliver(self, target: Webhook, bodies: Sequence[bytes], poster: Poster) -> bool:
        """Puts envelopes into the queue, or posts each."""
        if target.mode == "sqs":
            return self._topic.enqueue(target, bodies)
        return all(self._topic.post(target, body, poster) for body in bodies)


def _mail(message: Message) -> JsonObject:
    _, _, domain = message.sender.rpartition("@")
    return {
        "timestamp": to_iso(message.accepted_at) if message.accepted_at else "",
        "source": message.sender,
        "sourceArn": f"arn:aws:ses:us-east-1:{_ACCOUNT}:identity/{domain.rstrip('>')}",
        "sendingAccountId": _ACCOUNT,
        "messageId": message.provider_message_id,
        "destination": list(message.recipients),
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": message.sender},
            {"name": "To", "value": ", ".join(message.recipients)},
            {"name": "Subject", "value": message.subject.text},
            *({"name": name, "value": value} for name, value in message.headers.items()),
        ],
        "commonHeaders": {
            "from": [message.sender],
            "to": list(message.recipients),
            "messageId": message.provider_message_id,
            "subject": message.subject.text,
        },
        "tags": {
            "ses:configuration-set": [message.stream or "default"],
            "ses:source-ip": [_IP],
            "ses:from-domain": [domain.rstrip(">")],
            "ses:caller-identity": ["tidepost"],
            **{name: [value] for name, value in message.custom.items()},
        },
    }


def _particulars(  # noqa: PLR0911 -- a table of payloads
    message: Message, happening: Happening, event_id: str, at: datetime
) -> tuple[str, JsonObject]:
    when = {"timestamp": to_iso(at)}
    seen = {"ipAddress": _IP, "userAgent": happening.user_agent, **when}
    match happening.kind:
        case Kind.DEFERRED:
            return "deliveryDelay", {
                **when,
                "delayType": "TransientCommunicationFailure",
                "expirationTime": to_iso(at + timedelta(hours=12)),
                "delayedRecipients": [
                    {
                        "emailAddress": message.to,
                        "status": "4.4.1",
                        "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host",
                    }
                ],
            }
        case Kind.DELIVERED:
            return "delivery", {
                **when,
                "processingTimeMillis": 546,
                "recipients": [message.to],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": _MTA,
            }
        case Kind.HARD_BOUNCED | Kind.SOFT_BOUNCED:
            return "bounce", _bounce(message, happening) | when | {"feedbackId": event_id}
        case Kind.DROPPED:
            return "reject", {"reason": "Bad content"}
        case Kind.FAILED:
            return "failure", {"templateName": "inline", "errorMessage": message.failure}
        case Kind.OPENED | Kind.MACHINE_OPENED:
            return "open", seen
        case Kind.CLICKED:
            return "click", {**seen, "link": happening.url, "linkTags": None}
        case Kind.UNSUBSCRIBED:
            return "subscription", {
                **when,
                "contactList": "everybody",
                "source": "UnsubscribeHeader",
                "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
                "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": []},
            }
        case Kind.COMPLAINED:
            return "complaint", {
                **when,
                "feedbackId": event_id,
                "complainedRecipients": [{"emailAddress": message.to}],
                "complaintSubType": None,
                "complaintFeedbackType": "abuse",
                "userAgent": "Yahoo!-Mail-Feedback/2.0",
                "arrivalDate": to_iso(at),
            }
        case _:
            return "send", {}


def _bounce(message: Message, happening: Happening) -> JsonObject:
    hard = happening.kind is Kind.HARD_BOUNCED
    subtype = "MailboxFull"
    if hard:
        subtype = "OnAccountSuppressionList" if happening.suppressed else "General"
    code = "550 5.1.1 user unknown" if hard else "452 4.2.2 mailbox full"
    return {
        "bounceType": "Permanent" if hard else "Transient",
        "bounceSubType": subtype,
        "bouncedRecipients": [
            {
                "emailAddress": message.to,
                "action": "failed",
                "status": "5.1.1" if hard else "4.2.2",
                "diagnosticCode": f"smtp; {code}",
            }
        ],
        "reportingMTA": f"dns; {_MTA}",
    }
