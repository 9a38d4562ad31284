"""SendGrid's event webhook: the signature, and its events in the common vocabulary.

Wire format: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.analytics.machines import machine_sign
from shared.clock import Clock
from shared.errors import BadPayload, BadSignature, ConfigurationError
from shared.events import BounceKind, Event, EventReport, EventType, RejectReason
from shared.providers import fields

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"

_TYPES = {
    "processed": EventType.SENT,
    "deferred": EventType.DEFERRED,
    "delivered": EventType.DELIVERED,
    "bounce": EventType.BOUNCED,
    "dropped": EventType.REJECTED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "spamreport": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "group_unsubscribe": EventType.UNSUBSCRIBED,
    "group_resubscribe": EventType.SUBSCRIBED,
}
_REASONS = {
    EventType.COMPLAINED: RejectReason.SPAM,
    EventType.UNSUBSCRIBED: RejectReason.UNSUBSCRIBED,
}

# A rejection for what was sent, or by whom, or how fast, says nothing against the address.
_SOFT_CLASSES = {
    "Content": RejectReason.SPAM,
    "Frequency or Volume Too High": RejectReason.BLOCKED,
    "Reputation": RejectReason.BLOCKED,
    "Technical Failure": RejectReason.OTHER,
}
_DROP_WORDS = (
    ("unsubscribe", RejectReason.UNSUBSCRIBED),
    ("spam", RejectReason.SPAM),
    ("bounced", RejectReason.BOUNCED),
    ("smtpapi", RejectReason.OTHER),
    ("invalid", RejectReason.INVALID),
    ("blocked", RejectReason.BLOCKED),
)
"""Words in the `reason` of a drop, the first that is found decides."""

_MAILBOX_FULL = "5.2.2"
_EVENT_ID_LENGTH = 100


class SendGridEvents:
    """The event webhook of one SendGrid account (EventSource).

    `public_key` is base64 SPKI as SendGrid's settings show it. SendGrid does
    not document whether a retry is signed anew, so the signed timestamp is not
    held against a window: a replay changes nothing, since events are deduped.
    """

    def __init__(self, provider: str, public_key: str, clock: Clock) -> None:
        self.provider = provider
        self._key = _load_key(provider, public_key) if public_key else None
        self._clock = clock

    def verify_and_parse(self, headers: Mapping[str, str], body: bytes) -> EventReport:
        """As EventSource says."""
        self._verify(headers, body)
        entries = fields.decode(body)
        if not isinstance(entries, list):
            raise BadPayload("SendGrid posts a JSON array of events, and this is none")
        now = self._clock.now()
        found = [normalise(entry, self.provider, now) for entry in entries]
        events = tuple(event for event in found if event is not None)
        return EventReport(events, malformed=len(found) - len(events))

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        if self._key is None:
            raise BadSignature(
                f"provider {self.provider} has no webhook_public_key, so nothing it posts can be"
                " verified; set it in providers.json"
            )
        signed = headers.get(TIMESTAMP_HEADER, "").encode() + body
        try:
            signature = base64.b64decode(headers.get(SIGNATURE_HEADER, ""), validate=True)
            self._key.verify(signature, signed, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise BadSignature(
                "the SendGrid signature is missing, malformed or not of this account's key"
            ) from error


def normalise(entry: object, provider: str, now: datetime) -> Event | None:
    """One entry of the array; None if it is no event (no object, or no usable timestamp)."""
    if not isinstance(entry, dict):
        return None
    occurred_at = fields.instant_of_epoch(entry.get("timestamp"), now)
    if occurred_at is None:
        return None
    word = fields.text(entry.get("event"), fields.TYPE_LENGTH)
    kind = _TYPES.get(word, EventType.UNKNOWN)
    bounce: BounceKind | None = None
    reason = _REASONS.get(kind)
    agent = url = ""
    machine = False
    if kind is EventType.BOUNCED:
        bounce, reason = _bounce(entry)
    elif kind is EventType.REJECTED:
        reason = _drop_reason(entry)
    elif kind in {EventType.OPENED, EventType.CLICKED}:
        agent = fields.text(entry.get("useragent"), fields.AGENT_LENGTH)
        url = fields.scrubbed(entry.get("url"), fields.URL_LENGTH)
        machine = machine_sign(agent, flagged=entry.get("sg_machine_open") is True) is not None
    return Event(
        type=kind,
        provider=provider,
        event_id=_event_id(entry, word, occurred_at),
        occurred_at=occurred_at,
        esp_type=word,
        message_id=fields.identifier(entry.get(fields.MESSAGE_ID_KEY)),
        provider_message_id=fields.identifier(entry.get("sg_message_id")),
        address=fields.address(entry.get("email")),
        bounce=bounce,
        reason=reason,
        detail=fields.scrubbed(entry.get("reason") or entry.get("response"), fields.DETAIL_LENGTH),
        url=url,
        user_agent=agent,
        ip=fields.text(entry.get("ip"), fields.IP_LENGTH),
        machine=machine,
    )


def _event_id(entry: Mapping[str, Any], word: str, occurred_at: datetime) -> str:
    given = entry.get("sg_event_id")
    if isinstance(given, str) and given:
        fits = len(given) <= _EVENT_ID_LENGTH and given.isascii()
        return given if fits else fields.digest(fields.text(given, len(given)))
    return fields.digest(
        word,
        fields.text(entry.get("sg_message_id"), fields.ID_LENGTH),
        fields.text(entry.get(fields.MESSAGE_ID_KEY), fields.ID_LENGTH),
        fields.text(entry.get("email"), fields.ADDRESS_LENGTH),
        str(int(occurred_at.timestamp())),
        fields.text(entry.get("url"), 2 * fields.URL_LENGTH),
    )


def _bounce(entry: Mapping[str, Any]) -> tuple[BounceKind, RejectReason]:
    """Hard only where the address itself is at fault."""
    classification = fields.text(entry.get("bounce_classification"), fields.TYPE_LENGTH)
    if entry.get("type") == "blocked":
        return BounceKind.SOFT, RejectReason.BLOCKED
    if classification == "Invalid Address":
        return BounceKind.HARD, RejectReason.INVALID
    if classification in _SOFT_CLASSES:
        return BounceKind.SOFT, _SOFT_CLASSES[classification]
    status = fields.text(entry.get("status"), fields.TYPE_LENGTH)
    said = status or fields.text(entry.get("reason"), fields.TYPE_LENGTH)
    soft = said.startswith(("4", _MAILBOX_FULL))
    return (BounceKind.SOFT if soft else BounceKind.HARD), RejectReason.BOUNCED


def _drop_reason(entry: Mapping[str, Any]) -> RejectReason:
    said = fields.text(entry.get("reason"), fields.DETAIL_LENGTH).lower()
    return next((reason for word, reason in _DROP_WORDS if word in said), RejectReason.OTHER)


def _load_key(provider: str, public_key: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(_bad_key(provider)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigurationError(_bad_key(provider))
    return key


def _bad_key(provider: str) -> str:
    return (
        f"the webhook_public_key of provider {provider} in providers.json is no base64 SPKI of an"
        " elliptic curve key; copy it again from SendGrid's Signature Verification settings"
    )
