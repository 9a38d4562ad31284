"""Postmark's webhooks: the credential, and its events in the common vocabulary.

Wire format: https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.analytics.machines import machine_sign
from shared.clock import Clock
from shared.errors import BadPayload, BadSignature
from shared.events import BounceKind, Event, EventReport, EventType, RejectReason
from shared.providers import fields


@dataclass(frozen=True, slots=True)
class _Meaning:
    type: EventType
    bounce: BounceKind | None = None
    reason: RejectReason | None = None


_HARD, _SOFT = BounceKind.HARD, BounceKind.SOFT
_UNKNOWN = _Meaning(EventType.UNKNOWN)
_UNSUBSCRIBED = _Meaning(EventType.UNSUBSCRIBED, None, RejectReason.UNSUBSCRIBED)
_COMPLAINED = _Meaning(EventType.COMPLAINED, None, RejectReason.SPAM)
_AUTORESPONDED = _Meaning(EventType.AUTORESPONDED)
_DEFERRED = _Meaning(EventType.DEFERRED)

_BOUNCES: Mapping[str, _Meaning] = {
    "HardBounce": _Meaning(EventType.BOUNCED, _HARD, RejectReason.BOUNCED),
    "BadEmailAddress": _Meaning(EventType.BOUNCED, _HARD, RejectReason.INVALID),
    "SoftBounce": _Meaning(EventType.BOUNCED, _SOFT, RejectReason.BOUNCED),
    "Blocked": _Meaning(EventType.BOUNCED, _SOFT, RejectReason.BLOCKED),
    "DMARCPolicy": _Meaning(EventType.BOUNCED, _SOFT, RejectReason.BLOCKED),
    "VirusNotification": _Meaning(EventType.BOUNCED, _SOFT, RejectReason.OTHER),
    "Transient": _DEFERRED,
    "DnsError": _DEFERRED,
    "OpenRelayTest": _DEFERRED,
    "SpamNotification": _COMPLAINED,
    "SpamComplaint": _COMPLAINED,
    "AutoResponder": _AUTORESPONDED,
    "AddressChange": _AUTORESPONDED,
    "ChallengeVerification": _AUTORESPONDED,
    "Unsubscribe": _UNSUBSCRIBED,
    "Subscribe": _Meaning(EventType.SUBSCRIBED),
    "ManuallyDeactivated": _Meaning(EventType.REJECTED, None, RejectReason.BLOCKED),
    "Unconfirmed": _Meaning(EventType.REJECTED, None, RejectReason.OTHER),
    "SMTPApiError": _Meaning(EventType.FAILED, None, RejectReason.OTHER),
    "InboundError": _UNKNOWN,
    "Unknown": _UNKNOWN,
}
"""Keyed on `Type`; sources disagree on the numbers of `TypeCode`."""

_TIMES = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}


class PostmarkEvents:
    """The webhooks of one Postmark server (EventSource), guarded by HTTP basic auth."""

    def __init__(self, provider: str, user: str, password: str, clock: Clock) -> None:
        self.provider = provider
        self._credential = f"{user}:{password}".encode() if user and password else b""
        self._clock = clock

    def verify_and_parse(self, headers: Mapping[str, str], body: bytes) -> EventReport:
        """As EventSource says."""
        self._verify(headers)
        entry = fields.decode(body)
        if not isinstance(entry, dict):
            raise BadPayload("Postmark posts one JSON object, and this is none")
        event = normalise(entry, self.provider, self._clock.now())
        return EventReport((event,)) if event else EventReport(malformed=1)

    def _verify(self, headers: Mapping[str, str]) -> None:
        if not self._credential:
            raise BadSignature(
                f"the secret of provider {self.provider} lacks webhook_user or webhook_password,"
                " so nothing it posts can be trusted; add them"
            )
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadSignature("the Authorization header is malformed") from error
        # compare_digest comes first and always runs.
        if not hmac.compare_digest(given, self._credential) or scheme.lower() != "basic":
            raise BadSignature("the webhook's user or password is missing or wrong")


def normalise(entry: Mapping[str, Any], provider: str, now: datetime) -> Event | None:
    """One report; None if it has no usable time."""
    record = fields.text(entry.get("RecordType"), fields.TYPE_LENGTH)
    occurred_at = _occurred_at(entry, record, now)
    if occurred_at is None:
        return None
    meaning, word = _meaning(entry, record)
    recipient = entry.get("Recipient") or entry.get("Email")
    message = fields.text(entry.get("MessageID"), fields.ID_LENGTH)
    given = entry.get("ID")
    event_id = fields.digest(
        record,
        message,
        fields.text(recipient, fields.ADDRESS_LENGTH),
        occurred_at.isoformat(),
        fields.text(entry.get("OriginalLink"), 2 * fields.URL_LENGTH),
        str(given) if isinstance(given, int) else "",
    )
    agent = fields.text(entry.get("UserAgent"), fields.AGENT_LENGTH)
    watched = meaning.type in {EventType.OPENED, EventType.CLICKED}
    return Event(
        type=meaning.type,
        provider=provider,
        event_id=event_id,
        occurred_at=occurred_at,
        esp_type=word,
        message_id=fields.identifier(
            fields.mapping(entry.get("Metadata")).get(fields.MESSAGE_ID_KEY)
        ),
        provider_message_id=message or None,
        address=fields.address(recipient),
        bounce=meaning.bounce,
        reason=meaning.reason,
        detail=fields.scrubbed(
            entry.get("Details") or entry.get("Description"), fields.DETAIL_LENGTH
        ),
        url=fields.scrubbed(entry.get("OriginalLink"), fields.URL_LENGTH),
        user_agent=agent,
        ip=fields.text(fields.mapping(entry.get("Geo")).get("IP"), fields.IP_LENGTH),
        machine=watched and machine_sign(agent) is not None,
    )


def _meaning(entry: Mapping[str, Any], record: str) -> tuple[_Meaning, str]:
    """What it is in the vocabulary, and Postmark's own word for it."""
    if record in {"Bounce", "SpamComplaint"}:
        word = fields.text(entry.get("Type"), fields.TYPE_LENGTH) or record
        return _BOUNCES.get(word, _UNKNOWN), word
    if record == "SubscriptionChange":
        return _subscription(entry), record
    kinds = {
        "Delivery": EventType.DELIVERED,
        "Open": EventType.OPENED,
        "Click": EventType.CLICKED,
    }
    return _Meaning(kinds.get(record, EventType.UNKNOWN)), record


def _subscription(entry: Mapping[str, Any]) -> _Meaning:
    if entry.get("SuppressSending") is False:
        return _Meaning(EventType.SUBSCRIBED)
    reason = entry.get("SuppressionReason")
    if isinstance(reason, str) and reason in {"HardBounce", "SpamComplaint"}:
        # Postmark's own consequence of a bounce or complaint that it reports by itself.
        return _UNKNOWN
    return _UNSUBSCRIBED if entry.get("SuppressSending") is True else _UNKNOWN


def _occurred_at(entry: Mapping[str, Any], record: str, now: datetime) -> datetime | None:
    if record in _TIMES:
        return fields.instant_of_iso(entry.get(_TIMES[record]), now)
    # A record of a kind unknown today: any of the names that Postmark gives a time.
    found = (fields.instant_of_iso(entry.get(name), now) for name in dict.fromkeys(_TIMES.values()))
    return next((moment for moment in found if moment), None)
