"""What was accepted, as rendered, and what happened to it since."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from local.sandbox.behaviour import PROVIDERS, Provider
from local.sandbox.faultlog import FaultLog
from local.sandbox.substitution import Part
from local.sandbox.wire import JsonObject
from shared.clock import Clock, to_iso

TIDEPOST_ID = "tidepost_id"
"""The custom argument, metadata field or tag that carries the sender's own message id."""

_OWN_ID_BYTES = 42
_CAMPAIGN_OF_ID = slice(1, 25)


class Kind(StrEnum):
    """What happens to a message after it was accepted."""

    SENT = "sent"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    HARD_BOUNCED = "hard_bounced"
    SOFT_BOUNCED = "soft_bounced"
    DROPPED = "dropped"
    FAILED = "failed"
    MACHINE_OPENED = "machine_opened"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"


_SUPPRESSING = frozenset({Kind.HARD_BOUNCED, Kind.COMPLAINED, Kind.UNSUBSCRIBED})


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as the recipient gets it. With a `content_id` it is inline."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""

    @classmethod
    def read(cls, name: object, kind: object, content: object, content_id: object = "") -> File:
        """From what an API was sent.

        Raises:
            ValueError: something is missing, or the content is not base64.
        """
        texts = (name, kind, content, content_id)
        if not all(isinstance(text, str) for text in texts) or not (name and kind and content):
            raise ValueError("an attachment needs a name, a type and content")
        return cls(
            str(name), str(kind), base64.b64decode(str(content), validate=True), str(content_id)
        )

    def facts(self) -> JsonObject:
        """All but the content, of which only size and digest are told."""
        return {
            "filename": self.name,
            "content_type": self.content_type,
            "content_id": self.content_id,
            "size": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }


@dataclass(slots=True, kw_only=True)
class Message:
    """One accepted message to one envelope recipient.

    `recipients` are all of the envelope, `cc` and `bcc` those of them that are copies.
    `custom` holds custom arguments, metadata or tags by name; `envelope` is
    shared by the recipients of the same message; `failure` says why the ESP
    could not render it. `stream` is Postmark's message stream, SES's
    configuration set, or the number of SendGrid's unsubscribe group.
    """

    provider: Provider
    provider_message_id: str
    envelope: str
    sender: str
    to: str
    recipients: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    attachments: Sequence[File] = ()
    subject: Part
    html: Part | None
    text: Part | None
    headers: Mapping[str, str]
    tags: Sequence[str]
    custom: Mapping[str, str]
    stream: str = ""
    tracks_opens: bool = True
    tracks_clicks: bool = True
    failure: str = ""
    id: str = ""
    accepted_at: datetime | None = None
    events: list[tuple[Kind, datetime]] = field(default_factory=list)

    @property
    def tidepost_id(self) -> str | None:
        """The sender's own id of the message, if it gave one."""
        return self.custom.get(TIDEPOST_ID)

    @property
    def key(self) -> str:
        """What decisions about the message hang on: its own id, else the address."""
        return self.tidepost_id or self.to.lower()

    @property
    def state(self) -> str:
        """The newest event, or `accepted`."""
        return self.events[-1][0].value if self.events else "accepted"

    def summary(self) -> JsonObject:
        """The message without its bodies."""
        return {
            "id": self.id,
            "provider": self.provider,
            "provider_message_id": self.provider_message_id,
            "tidepost_id": self.tidepost_id,
            "from": self.sender,
            "to": self.to,
            "cc": list(self.cc),
            "bcc": list(self.bcc),
            "attachments": [file.facts() for file in self.attachments],
            "subject": self.subject.text,
            "headers": dict(self.headers),
            "tags": list(self.tags),
            "custom": dict(self.custom),
            "stream": self.stream,
            "state": self.state,
            "accepted_at": to_iso(self.accepted_at) if self.accepted_at else None,
        }

    def details(self) -> JsonObject:
        """The whole message with its events."""
        return self.summary() | {
            "html": self.html.text if self.html else None,
            "text": self.text.text if self.text else None,
            "failure": self.failure,
            "events": [{"type": kind.value, "at": to_iso(at)} for kind, at in self.events],
        }


class Mailbox:
    """All accepted messages, their counts, the ESPs' suppression lists and faults. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._number = 0
        self.faults = FaultLog()
        self.clear()

    def clear(self) -> None:
        """Forgets all messages, counts and suppressions. Message numbers go on."""
        with self._lock:
            self._messages: dict[str, Message] = {}
            self._by_own_id: dict[str, list[Message]] = {}
            self._by_provider_id: dict[str, list[Message]] = {}
            self._reached: set[tuple[str, str]] = set()
            self._accepted: Counter[str] = Counter()
            self._duplicates = 0
            self._events: dict[str, Counter[str]] = {name: Counter() for name in PROVIDERS}
            self._suppressed: set[tuple[str, str]] = set()
            self.faults.clear()

    def accept(self, messages: Iterable[Message]) -> None:
        """Takes in messages: gives each its number and time, and counts duplicates."""
        now = self._clock.now()
        with self._lock:
            for message in messages:
                self._number += 1
                message.id = f"m{self._number}"
                message.accepted_at = now
                self._duplicates += self._is_duplicate(message)
                self._messages[message.id] = message
                self._by_provider_id.setdefault(message.provider_message_id, []).append(message)
                if message.tidepost_id:
                    self._by_own_id.setdefault(message.tidepost_id, []).append(message)
                self._accepted[message.provider] += 1

    def note(self, message: Message, kind: Kind, at: datetime) -> None:
        """Records an event. Counts are unique per message and kind."""
        with self._lock:
            counts = self._events[message.provider]
            before = {seen for seen, _ in message.events}
            if kind not in before:
                counts[kind.value] += 1
                if kind in _BOUNCES and not before & _BOUNCES:
                    counts["bounced"] += 1
                if kind in _OPENS and not before & _OPENS:
                    counts["opened_any"] += 1
            message.events.append((kind, at))
            if kind in _SUPPRESSING:
                self._suppressed.add((message.provider, message.to.lower()))

    def is_suppressed(self, provider: Provider, address: str) -> bool:
        """Whether the ESP will not mail that address because of an earlier event."""
        return (provider, address.lower()) in self._suppressed

    def get(self, message_id: str) -> Message | None:
        """The message of that number, or the first of that provider's or sender's own id."""
        with self._lock:
            found = self._messages.get(message_id)
            others = self._by_provider_id.get(message_id) or self._by_own_id.get(message_id)
            return found or (others[0] if others else None)

    def search(self, *, provider: str = "", to: str = "", tidepost_id: str = "") -> list[Message]:
        """Messages in the order of acceptance; `to` is matched as part of the address."""
        with self._lock:
            found = list(
                self._by_own_id.get(tidepost_id, []) if tidepost_id else self._messages.values()
            )
        part = to.lower()
        return [
            message
            for message in found
            if (not provider or message.provider == provider) and part in message.to.lower()
        ]

    def stats(self) -> JsonObject:
        """Counts: `accepted` and `events` by provider, and `duplicates`."""
        with self._lock:
            return {
                "accepted": {name: self._accepted[name] for name in PROVIDERS},
                "accepted_total": self._accepted.total(),
                "duplicates": self._duplicates,
                "events": {
                    name: {kind: counts[kind] for kind in _COUNTED}
                    for name, counts in self._events.items()
                },
            }

    def _is_duplicate(self, message: Message) -> bool:
        own_id = message.tidepost_id
        if own_id is None:
            return False
        earlier = self._by_own_id.get(own_id, [])
        person = campaign_of(own_id), message.to.lower()
        again = person in self._reached
        self._reached.add(person)
        return again or any(other.envelope != message.envelope for other in earlier)


_BOUNCES = frozenset({Kind.HARD_BOUNCED, Kind.SOFT_BOUNCED})
_OPENS = frozenset({Kind.OPENED, Kind.MACHINE_OPENED})
_COUNTED = (*(kind.value for kind in Kind), "bounced", "opened_any")


def campaign_of(tidepost_id: str) -> str:
    """What a message id says of workspace and campaign; an id of another make is its own.

    So the same person reached twice by one campaign is a duplicate even under two ids.
    """
    try:
        raw = base64.b64decode(tidepost_id.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return tidepost_id
    return raw[_CAMPAIGN_OF_ID].hex() if len(raw) == _OWN_ID_BYTES else tidepost_id
