"""Sends through Postmark's /email/batch: up to 500 whole messages in one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.config import PostmarkProvider
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
from shared.providers.answers import (
    UNREADABLE,
    Failure,
    decode,
    deliver,
    encode,
    judge,
    post,
    scrub,
    too_large,
    unreadable,
)
from shared.providers.isolating import Refused
from shared.transport import Response, Transport

PATH = "/email/batch"
MAX_MESSAGES = 500
MAX_REQUEST_BYTES = 50_000_000
_FORBIDDEN = """
    vbs exe bin bat chm com cpl crt hlp hta inf ins isp jse lnk mdb pcd pif reg scr sct shs vbe vba
    wsf wsh wsl msc msi msp mst
"""
CAPACITY = Capacity(max_bytes=10_000_000, forbidden=frozenset(_FORBIDDEN.split()))
"""Of one message. https://postmarkapp.com/developer/user-guide/send-email-with-api"""

CODES: Mapping[int, Verdict] = {
    0: Verdict.ACCEPTED,
    10: Verdict.UNAVAILABLE,  # bad or missing server token
    100: Verdict.NOT_ACCEPTED,  # maintenance
    300: Verdict.REJECTED,  # invalid email request
    400: Verdict.SENDER_FAULT,  # sender signature not found
    401: Verdict.SENDER_FAULT,  # sender signature not confirmed
    402: Verdict.SENDER_FAULT,  # invalid JSON
    403: Verdict.SENDER_FAULT,  # incompatible JSON
    405: Verdict.UNAVAILABLE,  # not allowed to send
    406: Verdict.REJECTED,  # inactive recipient
    410: Verdict.SENDER_FAULT,  # more than 500 messages
    411: Verdict.REJECTED,  # forbidden attachment type
    412: Verdict.UNAVAILABLE,  # account is pending approval
    413: Verdict.UNAVAILABLE,  # account may not send
    429: Verdict.NOT_ACCEPTED,  # rate limit
}
"""Postmark's ErrorCode, of an item and of a request; it outranks the HTTP status."""

UNKNOWN_CODE = Verdict.NOT_ACCEPTED
"""An item with a code that is not in the table: only 0 says that it was accepted."""

_OK = 200


class PostmarkSender:
    """One Postmark server."""

    max_batch = MAX_MESSAGES

    def __init__(self, config: PostmarkProvider, server_token: str, transport: Transport) -> None:
        self.provider = config.name
        self._transport = transport
        self._streams = {
            MessageKind.CAMPAIGN: config.campaign_stream,
            MessageKind.TRANSACTIONAL: config.transactional_stream,
        }
        self._headers = {
            "X-Postmark-Server-Token": server_token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def cannot_take(self, address: str) -> str:  # noqa: ARG002 - the port's; Postmark takes all
        """Always empty: no form of address is known that Postmark never takes."""
        return ""

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        """One outcome per recipient, in the batch's order. Never raises for what happens there."""
        common = self._common(batch)
        slotted = [(field, part) for field, part in _parts(batch) if part.slots]

        def post_part(part: Sequence[OutgoingRecipient]) -> list[SendOutcome] | Refused:
            headers = batch.headers
            messages = [_message(common, slotted, headers, one) for one in part]
            if batch.extras:
                _add_extras(messages[0], batch.extras)
            return self._post(part, messages)

        return deliver(batch, _split, post_part)

    def _post(
        self, part: Sequence[OutgoingRecipient], messages: list[dict[str, Any]]
    ) -> list[SendOutcome] | Refused:
        body = encode(messages)
        if isinstance(body, Refused):
            return body
        if len(body) > MAX_REQUEST_BYTES:
            return too_large(MAX_REQUEST_BYTES)

        def read(answer: Response) -> list[SendOutcome] | Failure | Refused:
            document = decode(answer.body)
            if answer.status == _OK and isinstance(document, list) and len(document) == len(part):
                return [_outcome(one, item) for one, item in zip(part, document, strict=True)]
            return _judged(answer, document)

        return post(self._transport, PATH, body, self._headers, part=part, read=read)

    def _common(self, batch: OutgoingBatch) -> dict[str, Any]:
        tracked = batch.kind is MessageKind.CAMPAIGN
        common: dict[str, Any] = {
            "From": _mailbox(batch.sender),
            "MessageStream": self._streams[batch.kind],
            "TrackOpens": tracked,
            "TrackLinks": "HtmlAndText" if tracked else "None",
        }
        if batch.reply_to:
            common["ReplyTo"] = _mailbox(batch.reply_to)
        if batch.tags:
            common["Tag"] = batch.tags[0]
        for field, skeleton in _parts(batch):
            if not skeleton.slots:
                common[field] = skeleton.fill(())
        return common


def _split(batch: OutgoingBatch) -> Iterator[Sequence[OutgoingRecipient]]:
    for start in range(0, len(batch.recipients), MAX_MESSAGES):
        yield batch.recipients[start : start + MAX_MESSAGES]


def _parts(batch: OutgoingBatch) -> Iterator[tuple[str, Skeleton]]:
    yield "Subject", batch.subject
    if batch.text is not None:
        yield "TextBody", batch.text
    if batch.html is not None:
        yield "HtmlBody", batch.html


def _message(
    common: Mapping[str, Any],
    slotted: Sequence[tuple[str, Skeleton]],
    headers: Mapping[str, str],
    one: OutgoingRecipient,
) -> dict[str, Any]:
    message = {**common, "To": _mailbox(one.to), "Metadata": {"tidepost_id": one.message_id}}
    for field, skeleton in slotted:
        message[field] = skeleton.fill(one.values)
    own = {**headers, **one.headers}
    if own:
        message["Headers"] = [{"Name": name, "Value": value} for name, value in own.items()]
    return message


def _add_extras(message: dict[str, Any], extras: Extras) -> None:
    message["Metadata"] |= extras.metadata
    for field, people in (("Cc", extras.cc), ("Bcc", extras.bcc)):
        if people:
            message[field] = ", ".join(map(_mailbox, people))
    if extras.attachments:
        message["Attachments"] = [_attachment(file) for file in extras.attachments]


def _attachment(file: Attachment) -> dict[str, str]:
    attachment = {
        "Name": file.filename,
        "Content": file.content,
        "ContentType": file.content_type,
    }
    if file.content_id:
        attachment["ContentID"] = f"cid:{file.content_id}"
    return attachment


def _mailbox(mailbox: Mailbox) -> str:
    """`"Name" <address>`, the name as an RFC 5322 quoted string; Postmark takes UTF-8 in it."""
    if not mailbox.name:
        return mailbox.address
    quoted = mailbox.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{mailbox.address}>'


def _outcome(one: OutgoingRecipient, item: object) -> SendOutcome:
    code = item.get("ErrorCode") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(code, int):
        return SendOutcome(
            one.index, Verdict.IN_DOUBT, UNREADABLE, "Postmark's answer has no ErrorCode"
        )
    verdict = CODES.get(code, UNKNOWN_CODE)
    if verdict is Verdict.ACCEPTED:
        return SendOutcome(one.index, verdict, "", "", item.get("MessageID"))
    return SendOutcome(one.index, verdict, str(code), scrub(str(item.get("Message") or "")))


def _judged(answer: Response, document: object) -> Failure | Refused:
    code = document.get("ErrorCode") if isinstance(document, dict) else None
    verdict = CODES.get(code) if isinstance(code, int) and code != 0 else None
    if answer.status == _OK and verdict is None:
        return unreadable(answer)
    return judge(
        answer,
        code=str(code) if code else str(answer.status),
        detail=str(document.get("Message") or "") if isinstance(document, dict) else "",
        verdict=verdict,
    )
