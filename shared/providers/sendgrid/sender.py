"""Sends through SendGrid v3 mail/send: one body, and per recipient only what differs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.config import SendGridProvider
from shared.mail import (
    Attachment,
    Capacity,
    Extras,
    Mailbox,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Skeleton,
    Verdict,
)
from shared.providers.answers import Failure, decode, deliver, encode, judge, post, too_large
from shared.providers.isolating import Refused
from shared.transport import Response, Transport

PATH = "/v3/mail/send"
MAX_RECIPIENTS = 1000
MAX_SUBSTITUTION_BYTES = 10_000
"""Of one personalization, tags and values together."""
MAX_REQUEST_BYTES = 30_000_000
MAX_CATEGORIES = 10
CAPACITY = Capacity(max_bytes=MAX_REQUEST_BYTES)
"""SendGrid documents a size and forbids no kind of file."""

METADATA_PREFIX = "meta_"
"""Before a metadata name: custom arguments stand among the fields of SendGrid's own events."""

_MAX_UTF8 = 4
"""Bytes of a character."""

ACCEPTED_STATUSES = frozenset({200, 202})

SENDER_FIELDS = ("from", "reply_to")
"""An error whose `field` is, or lies under, one of these is the sender's fault."""

_NAMED = re.compile(r"personalizations(?:\.|\[)(\d+)\b")


class SendGridSender:
    """One SendGrid account.

    `new_tag` gives eight random hexadecimal digits: slot tags are different in
    every request, so that nobody's value can be substituted once more.
    """

    max_batch = MAX_RECIPIENTS

    def __init__(
        self,
        config: SendGridProvider,
        api_key: str,
        transport: Transport,
        new_tag: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self.provider = config.name
        self._transport = transport
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
        }
        self._new_tag = new_tag

    def cannot_take(self, address: str) -> str:  # noqa: ARG002 - the port's; SendGrid takes all
        """Always empty: no form of address is known that SendGrid never takes."""
        return ""

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        """One outcome per recipient, in the batch's order. Never raises for what happens there."""
        common = _common(batch)
        return deliver(batch, self._split, lambda part: self._post(batch, common, part))

    def _split(self, batch: OutgoingBatch) -> Iterator[Sequence[OutgoingRecipient]]:
        """Whole requests first, then singly those with more text than substitutions may hold."""
        slots = _slots(batch)
        room = MAX_SUBSTITUTION_BYTES - len(slots) * len(_tag("0" * 8, max(slots, default=0)))
        together: Sequence[OutgoingRecipient] = batch.recipients
        alone: list[OutgoingRecipient] = []
        if _MAX_UTF8 * _longest(batch.recipients, slots) > room:
            fits = {one.index: _size(one, slots) <= room for one in batch.recipients}
            together = [one for one in batch.recipients if fits[one.index]]
            alone = [one for one in batch.recipients if not fits[one.index]]
        for start in range(0, len(together), MAX_RECIPIENTS):
            yield together[start : start + MAX_RECIPIENTS]
        for one in alone:
            yield [one]

    def _post(
        self, batch: OutgoingBatch, common: Mapping[str, Any], part: Sequence[OutgoingRecipient]
    ) -> list[SendOutcome] | Refused:
        body = self._body(batch, common, part)
        if isinstance(body, Refused):
            return body
        if len(body) > MAX_REQUEST_BYTES:
            return too_large(MAX_REQUEST_BYTES)

        def read(answer: Response) -> list[SendOutcome] | Failure | Refused:
            if answer.status not in ACCEPTED_STATUSES:
                return _judged(answer)
            message_id = answer.headers.get("x-message-id")
            return [SendOutcome(one.index, Verdict.ACCEPTED, "", "", message_id) for one in part]

        return post(self._transport, PATH, body, self._headers, part=part, read=read)

    def _body(
        self, batch: OutgoingBatch, common: Mapping[str, Any], part: Sequence[OutgoingRecipient]
    ) -> bytes | Refused:
        slots = _slots(batch)
        if len(part) == 1 or not slots:
            values = part[0].values
            people = [_personalization(one) for one in part]
            if batch.extras:
                people[0] |= _copies(batch.extras)
            return encode({"personalizations": people, **common, **_content(batch, values)})
        # A tag must stand for its slot alone. Counting its prefix in the finished
        # body is one C call, where a search of each value would be many.
        tagged = sum(len(skeleton.slots) for skeleton in _skeletons(batch))
        expected = tagged + len(slots) * len(part)
        while True:
            prefix = self._new_tag()
            tags = [_tag(prefix, slot) for slot in range(max(slots) + 1)]
            used = [(tags[slot], slot) for slot in slots]
            people = [
                {
                    **_personalization(one),
                    "substitutions": {tag: one.values[slot] for tag, slot in used},
                }
                for one in part
            ]
            body = encode({"personalizations": people, **common, **_content(batch, tags)})
            if isinstance(body, Refused) or body.count(_tag(prefix).encode()) == expected:
                return body


def _tag(prefix: str, slot: int | None = None) -> str:
    return f"%tp{prefix}." if slot is None else f"%tp{prefix}.{slot}%"


def _longest(recipients: Sequence[OutgoingRecipient], slots: Sequence[int]) -> int:
    """Characters that nobody's values have more of: the longest value of each slot, together."""
    return sum(max(map(len, [one.values[slot] for one in recipients])) for slot in slots)


def _size(one: OutgoingRecipient, slots: Sequence[int]) -> int:
    """Bytes of a recipient's values."""
    return len("".join([one.values[slot] for slot in slots]).encode("utf-8", "replace"))


def _skeletons(batch: OutgoingBatch) -> list[Skeleton]:
    return [part for part in (batch.subject, batch.text, batch.html) if part is not None]


def _slots(batch: OutgoingBatch) -> list[int]:
    """The places in a recipient's values that the mail uses, ascending."""
    return sorted({slot for skeleton in _skeletons(batch) for slot in skeleton.slots})


def _common(batch: OutgoingBatch) -> dict[str, Any]:
    """What is the same in every request of the batch."""
    tracked = batch.kind is MessageKind.CAMPAIGN
    common: dict[str, Any] = {
        "from": _mailbox(batch.sender),
        "tracking_settings": {
            "click_tracking": {"enable": tracked, "enable_text": tracked},
            "open_tracking": {"enable": tracked},
            "subscription_tracking": {"enable": False},
        },
    }
    if batch.reply_to:
        common["reply_to"] = _mailbox(batch.reply_to)
    if batch.headers:
        common["headers"] = dict(batch.headers)
    if batch.tags:
        common["categories"] = list(batch.tags[:MAX_CATEGORIES])
    if batch.extras and batch.extras.metadata:
        metadata = batch.extras.metadata.items()
        common["custom_args"] = {METADATA_PREFIX + name: value for name, value in metadata}
    if batch.extras and batch.extras.attachments:
        common["attachments"] = [_attachment(file) for file in batch.extras.attachments]
    return common


def _attachment(file: Attachment) -> dict[str, str]:
    attachment = {
        "content": file.content,
        "type": file.content_type,
        "filename": file.filename,
        "disposition": "inline" if file.content_id else "attachment",
    }
    if file.content_id:
        attachment["content_id"] = file.content_id
    return attachment


def _copies(extras: Extras) -> dict[str, list[dict[str, str]]]:
    copies = {"cc": extras.cc, "bcc": extras.bcc}
    return {kind: [_mailbox(one) for one in people] for kind, people in copies.items() if people}


def _content(batch: OutgoingBatch, values: Sequence[str]) -> dict[str, Any]:
    """Subject and bodies with each slot filled: with a person's text, or with the slots' tags."""
    content = []
    if batch.text is not None:
        content.append({"type": "text/plain", "value": batch.text.fill(values)})
    if batch.html is not None:
        content.append({"type": "text/html", "value": batch.html.fill(values)})
    return {"subject": batch.subject.fill(values), "content": content}


def _personalization(one: OutgoingRecipient) -> dict[str, Any]:
    to = {"email": one.to.address}
    if one.to.name:
        to["name"] = one.to.name
    person: dict[str, Any] = {"to": [to], "custom_args": {"tidepost_id": one.message_id}}
    if one.headers:
        person["headers"] = one.headers
    return person


def _mailbox(mailbox: Mailbox) -> dict[str, str]:
    if mailbox.name:
        return {"email": mailbox.address, "name": mailbox.name}
    return {"email": mailbox.address}


def _judged(answer: Response) -> Failure | Refused:
    """SendGrid's code is the `field` of its errors: it says who or what is at fault."""
    document = decode(answer.body)
    errors = document.get("errors") if isinstance(document, dict) else None
    entries = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    fields = [str(entry.get("field") or "") for entry in entries]
    found = [match for match in map(_NAMED.match, fields) if match]
    blamed = any(field.split(".")[0] in SENDER_FIELDS for field in fields)
    return judge(
        answer,
        code=str(answer.status),
        detail="; ".join(str(entry.get("message") or "") for entry in entries),
        verdict=Verdict.SENDER_FAULT if blamed else None,
        named=frozenset(int(match[1]) for match in found),
    )
