"""SendGrid's event webhook: JSON arrays, signed with ECDSA over timestamp and raw body."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from local.sandbox.behaviour import Webhook
from local.sandbox.happenings import Happening
from local.sandbox.mailbox import Kind, Message
from local.sandbox.poster import Poster
from local.sandbox.webhooks import Outgoing
from local.sandbox.wire import JsonObject
from shared.clock import Clock

_IP = "192.0.2.10"  # RFC 5737: for documentation
_NAMES = {
    Kind.SENT: "processed",
    Kind.DEFERRED: "deferred",
    Kind.DELIVERED: "delivered",
    Kind.HARD_BOUNCED: "bounce",
    Kind.SOFT_BOUNCED: "bounce",
    Kind.DROPPED: "dropped",
    Kind.MACHINE_OPENED: "open",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
    Kind.UNSUBSCRIBED: "unsubscribe",
    Kind.COMPLAINED: "spamreport",
}


class SendGridChannel:
    """Posts events in arrays of up to 500, or after half a second."""

    workers = 2
    flush_s = 0.5
    max_tries = 6

    def __init__(self, key: ec.EllipticCurvePrivateKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def batch_size(self, target: Webhook) -> int:  # noqa: ARG002 -- the same for every target
        """Events per POST: about 350 KB, well below the documented 768 KB."""
        return 500

    def event(
        self, message: Message, happening: Happening, event_id: str, at: datetime
    ) -> JsonObject | None:
        """The event as SendGrid describes it; custom arguments stand at the top level."""
        name = _NAMES.get(happening.kind)
        if name is None:
            return None
        categories = list(message.tags)
        common = {
            "email": message.to,
            "timestamp": int(at.timestamp()),
            "smtp-id": f"<{message.provider_message_id.partition('.')[0]}@geopod-ismtpd-1>",
            "event": name,
            "sg_event_id": base64.urlsafe_b64encode(bytes.fromhex(event_id)).decode().rstrip("="),
            "sg_message_id": message.provider_message_id,
        }
        if categories:
            common["category"] = categories[0] if len(categories) == 1 else categories
        if message.stream:
            common["asm_group_id"] = int(message.stream)
            if happening.kind is Kind.UNSUBSCRIBED:
                common["event"] = "group_unsubscribe"
        return {**message.custom, **common, **_particulars(happening)}

    def encode(self, outgoing: Outgoing, target: Webhook) -> bytes:  # noqa: ARG002 -- not needed
        """One element of the array."""
        return json.dumps(outgoing.payload, ensure_ascii=False, separators=(",", ":")).encode()

    def greetings(self) -> Sequence[Outgoing]:
        """SendGrid says nothing first."""
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
        """One signed POST. The body ends in CR LF, which the signature covers."""
        body = b"[" + b",\r\n".join(bodies) + b"]\r\n"
        stamp = str(int(self._clock.now().timestamp()))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "SendGrid Event API",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode("ascii"),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        }
        return 200 <= poster.post(target.url, body, headers) < 300


def _particulars(happening: Happening) -> JsonObject:  # noqa: PLR0911 -- a table
    match happening.kind:
        case Kind.DEFERRED:
            return {"response": "451 4.7.1 Greylisted, please try again later", "attempt": "1"}
        case Kind.DELIVERED:
            return {"response": "250 2.0.0 OK", "ip": _IP, "tls": 1}
        case Kind.HARD_BOUNCED:
            return {
                "type": "bounce",
                "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
                "status": "5.1.1",
                "bounce_classification": "Invalid Address",
                "ip": _IP,
                "tls": 1,
            }
        case Kind.SOFT_BOUNCED:
            return {
                "type": "blocked",
                "reason": "452 4.2.2 The email account that you tried to reach is over quota.",
                "status": "4.2.2",
                "bounce_classification": "Mailbox Unavailable",
                "ip": _IP,
                "tls": 1,
            }
        case Kind.DROPPED:
            reason = "Bounced Address" if happening.suppressed else "Invalid"
            return {"reason": reason, "status": "5.0.0"}
        case Kind.OPENED | Kind.MACHINE_OPENED:
            return {
                "useragent": happening.user_agent,
                "ip": _IP,
                "sg_machine_open": happening.kind is Kind.MACHINE_OPENED,
            }
        case Kind.CLICKED:
            return {
                "url": happening.url,
                "url_offset": {"index": happening.link, "type": "html"},
                "useragent": happening.user_agent,
                "ip": _IP,
            }
        case _:
            return {}
