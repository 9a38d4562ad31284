"""What a transactional message may hold, and whether any provider can take it. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.audience.addresses import normalise
from shared.content.compiled import Rendered
from shared.delivery.campaigns import check_mailbox, check_tags
from shared.delivery.routing import Candidate
from shared.errors import FieldProblem, InvalidInput
from shared.mail import TOO_LARGE, Attachment, Load, Mailbox

MAX_RECIPIENTS = 50
"""In to, cc and bcc together: Postmark's and SES's limit for one message."""

MAX_AHEAD = timedelta(days=28)
"""Of `send_at`. Content in S3 is kept for 30 days, and a message may be tried for two."""

MAX_ATTACHMENTS = 20
MAX_HEADERS = 10
"""SES takes 15 headers in all."""

MAX_METADATA = 9
"""Postmark takes ten fields, and one of them is our message id."""

_MAX_METADATA_VALUE = 80
_MAX_HEADER = 996
"""Name and value together: SES's limit, and a line's in RFC 5322."""

_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_METADATA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,19}")
_TYPE = re.compile(r"(?=.{3,78}\Z)[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._@+-]{1,78}")
_FILENAME = re.compile(r"[^/\\\"<>:|?*\x00-\x1f\x7f-\x9f\u2028\u2029]{1,255}")

_NAMES = """
    from to cc bcc sender reply-to subject date message-id received return-path delivered-to
    authentication-results x-smtpapi
"""
_RESERVED = frozenset(_NAMES.split())
_RESERVED_FAMILIES = (
    *("list-unsubscribe", "dkim-", "domainkey-", "arc-", "received-", "resent-"),
    *("mime-", "content-", "x-sg-", "x-ses-", "x-pm-", "x-tidepost-"),
)
"""Beginnings of names that Tidepost, the ESPs or the mail system itself write."""


class OnDoubt(StrEnum):
    """What to do about a message that may or may not have been accepted."""

    HOLD = "hold"
    """Wait for proof. At worst the message does not go out."""
    RESEND = "resend"
    """Send it again. At worst it goes out twice."""


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """One transactional message: a template's id, or the parts themselves.

    `to` is the one whom the message is accounted to; `cc` and `bcc` get copies.
    """

    to: Mailbox
    sender: Mailbox
    template_id: str | None = None
    subject: str = ""
    html: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    reply_to: Mailbox | None = None
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    send_at: datetime | None = None
    on_doubt: OnDoubt = OnDoubt.HOLD


def checked(request: MessageRequest, now: datetime) -> MessageRequest:
    """The request with its recipients in stored form.

    Raises:
        InvalidInput: names each field at fault, without looking anything up.
    """
    request, problems = _recipients(request)
    problems += check_mailbox("sender", request.sender) + check_tags(request.tags)
    if request.reply_to:
        problems += check_mailbox("reply_to", request.reply_to)
    if bool(request.template_id) == bool(request.subject or request.html or request.text):
        problems.append(
            FieldProblem("template", "give either a template or subject with html or text")
        )
    if request.send_at is not None:
        problems += _schedule(request.send_at, now)
    problems += _headers(request.headers)
    problems += _attachments(request.attachments)
    problems += _metadata(request.metadata)
    if problems:
        raise InvalidInput(problems)
    return request


def load_of(request: MessageRequest, rendered: Rendered) -> Load:
    """What the message weighs: Postmark and SES count it once its files are base64 in lines."""
    texts = (rendered.subject, rendered.html or "", rendered.text or "")
    files = sum(len(file.content) * 78 // 76 for file in request.attachments)
    return Load(
        sum(len(text.encode("utf-8", "replace")) for text in texts) + files,
        tuple(file.filename for file in request.attachments),
    )


def fitting(
    candidates: Sequence[Candidate], load: Load, addresses: Sequence[str]
) -> tuple[Candidate, ...]:
    """The providers as this message finds them: who cannot take all of it takes nobody."""

    def narrowed(candidate: Candidate) -> Candidate:
        why = candidate.capacity.refusal(load)
        why = why or next(filter(None, map(candidate.cannot_take, addresses)), "")
        return replace(candidate, cannot_take=lambda _: why) if why else candidate

    return tuple(map(narrowed, candidates))


def check_fit(request: MessageRequest, load: Load, candidates: Sequence[Candidate]) -> None:
    """Returns if some provider with a weight can take the message.

    Raises:
        InvalidInput: none ever could; names the attachments or the address.
    """
    usable = [c for c in candidates if c.weight]
    refusals = {c.name: c.capacity.refusal(load) for c in usable}
    able = [c for c in usable if not refusals[c.name]]
    if not able:
        reason = "too large for every provider"
        if set(refusals.values()) != {TOO_LARGE}:
            told = ", ".join(f"{name}: {why}" for name, why in refusals.items())
            reason = f"no provider takes them ({told})"
        raise InvalidInput(FieldProblem("attachments", reason))
    named = list(_named(request))
    if any(all(not c.cannot_take(box.address) for _, box in named) for c in able):
        return
    problems = []
    for name, box in named:
        whys = [c.cannot_take(box.address) for c in able]
        if all(whys):
            problems.append(
                FieldProblem(f"{name}.email", f"no provider can take the address ({whys[0]})")
            )
    raise InvalidInput(
        problems or FieldProblem("cc", "no provider can take all of the recipients in one message")
    )


def _named(request: MessageRequest) -> Iterator[tuple[str, Mailbox]]:
    yield "to", request.to
    yield from ((f"cc.{place}", box) for place, box in enumerate(request.cc))
    yield from ((f"bcc.{place}", box) for place, box in enumerate(request.bcc))


def _recipients(request: MessageRequest) -> tuple[MessageRequest, list[FieldProblem]]:
    count = 1 + len(request.cc) + len(request.bcc)
    if count > MAX_RECIPIENTS:
        name = "bcc" if len(request.bcc) > len(request.cc) else "cc"
        reason = f"a message has at most {MAX_RECIPIENTS} recipients in to, cc and bcc, not {count}"
        return request, [FieldProblem(name, reason)]
    problems: list[FieldProblem] = []
    found: dict[str, Mailbox] = {}
    seen: set[str] = set()
    for name, box in _named(request):
        if not box.name.isprintable():
            problems.append(FieldProblem(f"{name}.name", "must be one line, without line breaks"))
        try:
            address = normalise(box.address)
        except InvalidInput as error:
            problems += [FieldProblem(f"{name}.email", p.reason) for p in error.problems]
            continue
        if address in seen:
            problems.append(FieldProblem(f"{name}.email", "is among the recipients already"))
        seen.add(address)
        found[name] = Mailbox(address, box.name)
    if problems:
        return request, problems
    cc = tuple(found[f"cc.{place}"] for place in range(len(request.cc)))
    bcc = tuple(found[f"bcc.{place}"] for place in range(len(request.bcc)))
    return replace(request, to=found["to"], cc=cc, bcc=bcc), []


def _schedule(send_at: datetime, now: datetime) -> list[FieldProblem]:
    if send_at.tzinfo is None:
        return [FieldProblem("send_at", "must say its time zone, such as 2026-11-24T08:00:00Z")]
    if send_at <= now:
        return [FieldProblem("send_at", "is in the past; leave it out to send at once")]
    if send_at > now + MAX_AHEAD:
        return [FieldProblem("send_at", f"is more than {MAX_AHEAD.days} days ahead")]
    return []


def _headers(headers: Mapping[str, str]) -> Iterator[FieldProblem]:
    if len(headers) > MAX_HEADERS:
        yield FieldProblem("headers", f"must be at most {MAX_HEADERS}")
        return
    seen: set[str] = set()
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            reason = "have a name that is not 1 to 126 printable ASCII characters without a colon"
            yield FieldProblem("headers", reason)
            continue
        lower = name.lower()
        where = f"headers.{name}"
        if lower in _RESERVED or lower.startswith(_RESERVED_FAMILIES):
            yield FieldProblem(where, "is reserved: Tidepost or the provider writes it")
        elif lower in seen:
            yield FieldProblem(where, "is given twice, in different case")
        if not _HEADER_VALUE.fullmatch(value) or len(name) + len(value) > _MAX_HEADER:
            yield FieldProblem(where, "must be one line of 1 to 995 printable ASCII characters")
        seen.add(lower)


def _attachments(attachments: Sequence[Attachment]) -> Iterator[FieldProblem]:
    if len(attachments) > MAX_ATTACHMENTS:
        yield FieldProblem("attachments", f"must be at most {MAX_ATTACHMENTS}")
        return
    content_ids: set[str] = set()
    for place, file in enumerate(attachments):
        where = f"attachments.{place}"
        if not _FILENAME.fullmatch(file.filename) or not file.filename.strip(". "):
            reason = 'must be 1 to 255 characters without control characters and / \\ " < > : | ? *'
            yield FieldProblem(f"{where}.filename", reason)
        if not _TYPE.fullmatch(file.content_type):
            reason = "must be a media type such as application/pdf, without parameters"
            yield FieldProblem(f"{where}.content_type", reason)
        if not _is_base64(file.content):
            yield FieldProblem(f"{where}.content", "must be base64, without line breaks")
        if file.content_id and not _CONTENT_ID.fullmatch(file.content_id):
            reason = "must be 1 to 78 letters, digits and . _ @ + -"
            yield FieldProblem(f"{where}.content_id", reason)
        elif file.content_id in content_ids:
            yield FieldProblem(f"{where}.content_id", "is another attachment's already")
        if file.content_id:
            content_ids.add(file.content_id)


def _is_base64(content: str) -> bool:
    try:
        return bool(base64.b64decode(content.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error):
        return False


def _metadata(metadata: Mapping[str, str]) -> Iterator[FieldProblem]:
    if len(metadata) > MAX_METADATA:
        yield FieldProblem("metadata", f"must be at most {MAX_METADATA} entries")
        return
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name):
            reason = "has a name that is not a letter and up to 19 letters, digits, _ and -"
            yield FieldProblem("metadata", reason)
        elif name.lower() == "tidepost_id":
            yield FieldProblem(f"metadata.{name}", "is reserved: it carries the message's id")
        elif not value.isprintable() or not 0 < len(value) <= _MAX_METADATA_VALUE:
            reason = f"must be one line of 1 to {_MAX_METADATA_VALUE} characters"
            yield FieldProblem(f"metadata.{name}", reason)
