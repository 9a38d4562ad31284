"""Postmark's webhooks: one event a POST, HTTP basic auth, no signature."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote, urlsplit

from local.sandbox.behaviour import Webhook
from local.sandbox.happenings import Happening
from local.sandbox.mailbox import Kind, Message
from local.sandbox.poster import Poster
from local.sandbox.webhooks import Outgoing
from local.sandbox.wire import JsonObject
from shared.clock import to_iso

_SERVER_ID = 23
_GEO = {
    "CountryISOCode": "DE",
    "Country": "Germany",
    "RegionISOCode": "BE",
    "Region": "Land Berlin",
    "City": "Berlin",
    "Zip": "10115",
    "Coords": "52.532,13.384",
    "IP": "192.0.2.20",  # RFC 5737: for documentation
}
_BOUNCES: dict[Kind, tuple[str, int, str, str]] = {
    Kind.HARD_BOUNCED: ("HardBounce", 1, "Hard bounce", "550 5.1.1 User unknown"),
    Kind.SOFT_BOUNCED: ("SoftBounce", 4096, "Soft bounce", "452 4.2.2 Mailbox full"),
    Kind.DEFERRED: ("Transient", 2, "Message delayed/Undeliverable", "451 4.7.1 Greylisted"),
    Kind.COMPLAINED: ("SpamComplaint", 100001, "Spam complaint", ""),
}


class PostmarkChannel:
    """Six POSTs at a time."""

    workers = 2
    flush_s = 0.0
    max_tries = 6

    def __init__(self, user: str, password: str) -> None:
        self._credential = f"{user}:{password}"

    def batch_size(self, target: Webhook) -> int:  # noqa: ARG002 -- the same for every target
        """Always one."""
        return 1

    def event(
        self, message: Message, happening: Happening, event_id: str, at: datetime
    ) -> JsonObject | None:
        """The event as Postmark describes it."""
        common = {
            "ServerID": _SERVER_ID,
            "MessageStream": message.stream,
            "MessageID": message.provider_message_id,
            "Tag": message.tags[0] if message.tags else "",
            "Metadata": dict(message.custom),
        }
        special = _particulars(message, happening, event_id, to_iso(at))
        return None if special is None else special | common

    def encode(self, outgoing: Outgoing, target: Webhook) -> bytes:  # noqa: ARG002 -- not needed
        """The body of the POST."""
        return json.dumps(outgoing.payload, ensure_ascii=False).encode()

    def greetings(self) -> Sequence[Outgoing]:
        """Postmark says nothing first."""
        return ()

    def open(
        self,
        target: Webhook,  # noqa: ARG002 -- no handshake
        poster: Poster,  # noqa: ARG002 -- no handshake
        stopping: threading.Event,  # noqa: ARG002 -- no handshake
    ) -> bool:
        """Always open."""
        return True

    def deliver(self, target: Webhook, bodies: Sequence[bytes], poster: Poster) -> bool:
        """One POST; the URL's own credential goes before the configured one."""
        parts = urlsplit(target.url)
        credential = self._credential
        if parts.username is not None:
            credential = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Postmark",
            "Authorization": "Basic " + base64.b64encode(credential.encode()).decode("ascii"),
        }
        return all(200 <= poster.post(target.url, body, headers) < 300 for body in bodies)


def _particulars(
    message: Message, happening: Happening, event_id: str, at: str
) -> JsonObject | None:
    match happening.kind:
        case Kind.DELIVERED:
            return {
                "RecordType": "Delivery",
                "Recipient": message.to,
                "DeliveredAt": at,
                "Details": "smtp;250 2.0.0 OK",
            }
        case Kind.HARD_BOUNCED | Kind.SOFT_BOUNCED | Kind.DEFERRED | Kind.COMPLAINED as kind:
            return _bounce(message, kind, event_id, at)
        case Kind.OPENED | Kind.MACHINE_OPENED:
            earlier = {kind for kind, _ in message.events}
            return _engagement(message, happening, at) | {
                "RecordType": "Open",
                "FirstOpen": not earlier & {Kind.OPENED, Kind.MACHINE_OPENED},
                "ReadSeconds": 0 if happening.kind is Kind.MACHINE_OPENED else 7,
            }
        case Kind.CLICKED:
            return _engagement(message, happening, at) | {
                "RecordType": "Click",
                "ClickLocation": "HTML",
                "OriginalLink": happening.url,
            }
        case Kind.UNSUBSCRIBED:
            return {
                "RecordType": "SubscriptionChange",
                "Recipient": message.to,
                "ChangedAt": at,
                "Origin": "Recipient",
                "SuppressSending": True,
                "SuppressionReason": "ManualSuppression",
            }
        case _:
            return None


def _bounce(message: Message, kind: Kind, event_id: str, at: str) -> JsonObject:
    name, code, title, details = _BOUNCES[kind]
    final = kind in (Kind.HARD_BOUNCED, Kind.COMPLAINED)
    return {
        "RecordType": "SpamComplaint" if kind is Kind.COMPLAINED else "Bounce",
        "ID": int(event_id[:15], 16),  # fits into an int64
        "Type": name,
        "TypeCode": code,
        "Name": title,
        "Description": f"{title}.",
        "Details": details,
        "Email": message.to,
        "From": message.sender,
        "BouncedAt": at,
        "DumpAvailable": False,
        "Inactive": final,
        "CanActivate": kind is Kind.HARD_BOUNCED,
        "Subject": message.subject.text,
    }


def _engagement(message: Message, happening: Happening, at: str) -> JsonObject:
    agent = happening.user_agent
    return {
        "Recipient": message.to,
        "ReceivedAt": at,
        "Platform": "Mobile" if "Mobile" in agent else "Desktop",
        "Client": {"Name": "Chrome 142", "Company": "Google", "Family": "Chrome"}
        if "Chrome" in agent
        else {},
        "OS": {"Name": "Windows 10", "Company": "Microsoft Corporation", "Family": "Windows"}
        if "Windows" in agent
        else {},
        "UserAgent": agent,
        "Geo": dict(_GEO),
    }
