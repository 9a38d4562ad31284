"""Sends through Postmark's /email/batch: up to 500 whole messages in one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.config import PostmarkProvider
from shared.mail import (
    Capacity,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Verdict,
)
from shared.providers.answers import (
    UNREADABLE,
    Failure,
    decode,
    deliver,
    judge,
    post,
    scrub,
    too_large,
    unreadable,
)
from shared.providers.isolating import Refused
from shared.providers.postmark.documents import Messages, mailbox
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
        messages = Messages(batch, self._fields(batch))
        return deliver(batch, _split, lambda part: self._post(part, messages))

    def _post(
        self, part: Sequence[OutgoingRecipient], messages: Messages
    ) -> list[SendOutcome] | Refused:
        body = messages.encode(part)
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

    def _fields(self, batch: OutgoingBatch) -> dict[str, Any]:
        tracked = batch.kind is MessageKind.CAMPAIGN
        fields: dict[str, Any] = {
            "From": mailbox(batch.sender),
            "MessageStream": self._streams[batch.kind],
            "TrackOpens": tracked,
            "TrackLinks": "HtmlAndText" if tracked else "None",
        }
        if batch.reply_to:
            fields["ReplyTo"] = mailbox(batch.reply_to)
        if batch.tags:
            fields["Tag"] = batch.tags[0]
        return fields


def _split(batch: OutgoingBatch) -> Iterator[Sequence[OutgoingRecipient]]:
    for start in range(0, len(batch.recipients), MAX_MESSAGES):
        yield batch.recipients[start : start + MAX_MESSAGES]


def _outcome(one: OutgoingRecipient, item: object) -> SendOutcome:
    match item:
        case {"ErrorCode": int(0), "MessageID": str(message_id)}:
            return SendOutcome(one.index, Verdict.ACCEPTED, "", "", message_id)
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
