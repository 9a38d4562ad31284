"""Amazon SES v2: SendEmail and SendBulkEmail."""

from __future__ import annotations

import base64
import binascii
import email.message
import email.policy
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local.sandbox import sigv4
from local.sandbox.addresses import is_valid, parse_one, shown
from local.sandbox.identity import AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
from local.sandbox.mailbox import TIDEPOST_ID, File, Message
from local.sandbox.reception import Reception, ended
from local.sandbox.ses_files import read_files
from local.sandbox.substitution import Cut, Part, cut_at
from local.sandbox.wire import Answer, JsonObject, Refused, Request, json_answer
from shared.clock import Clock

PATHS = ("/v2/email/outbound-emails", "/v2/email/outbound-bulk-emails")

_MAX_BYTES = 40 * 1024 * 1024
_MAX_BULK = 50
_MAX_RECIPIENTS = 50
_MAX_HEADERS = 15
_MAX_TAGS = 50
_MAX_TEMPLATE_BYTES = 500 * 1024
_MAX_DATA = 262_144
_KINDS = ("ToAddresses", "CcAddresses", "BccAddresses")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_MERGE_TAG = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_RESERVED_HEADERS = frozenset(
    {
        *("to", "from", "cc", "bcc", "subject", "date", "message-id", "reply-to", "sender"),
        *("mime-version", "content-type", "content-transfer-encoding", "return-path"),
        "dkim-signature",
    }
)
_STATUS_OF_ERROR = {"TooManyRequestsException": 429, "NotFoundException": 404}


class _Problem(Exception):
    """A fault found; `code` is the exception of SendEmail, `status` that of a bulk entry."""

    def __init__(self, code: str, status: str, message: str) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Content:
    """What is to be rendered. Without `data` nothing is substituted."""

    subject: Cut
    html: Cut | None
    text: Cut | None
    headers: Mapping[str, str]
    data: Mapping[str, str]
    template: str = ""
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class _Envelope:
    sender: str
    configuration_set: str
    reply_to: Sequence[str]
    tags: Mapping[str, str]


class SesApi:
    """SES in one account and region."""

    def __init__(self, reception: Reception, clock: Clock) -> None:
        self._reception = reception
        self._clock = clock

    def handle(self, request: Request, path: str) -> Answer:
        """Answers a request to one of `PATHS`; `path` is without any prefix.

        Raises:
            Refused: it is not accepted.
        """
        secrets = {AWS_ACCESS_KEY_ID: AWS_SECRET_ACCESS_KEY}
        try:
            sigv4.check(request, "ses", secrets, self._clock.now())
        except sigv4.BadAuthorization as error:
            raise _refusal(403, error.code, str(error)) from None
        if request.method != "POST":
            raise _refusal(405, "MethodNotAllowedException", "Only POST is answered here.")
        if len(request.body) > _MAX_BYTES:
            raise _refusal(413, "RequestEntityTooLargeException", "The request is too large.")
        try:
            body = json.loads(request.body)
            if path == PATHS[0]:
                return self._send(body)
            return self._send_bulk(body)
        except _Problem as error:
            status = _STATUS_OF_ERROR.get(error.code, 400)
            raise _refusal(status, error.code, str(error)) from None
        except (ValueError, AttributeError, TypeError, KeyError):  # no JSON, or quite another type
            raise _refusal(
                400, "SerializationException", "The body is not what was expected."
            ) from (None)

    def _send(self, body: JsonObject) -> Answer:
        envelope = self._envelope(body, body.get("EmailTags"))
        content, everyone = _content(body.get("Content") or {}), _everyone(body)
        copies = _copies(body)
        if self._reception.is_suspended("ses"):
            raise _Problem("AccountSuspendedException", "", "The account's sending is suspended.")
        messages = self._messages(envelope, content, everyone, copies)
        self._let_through(messages)
        fault = self._reception.disturb(
            "ses", [(message.key, message.to) for message in messages], _broken()
        )
        self._reception.accept(messages)
        return ended(json_answer(200, {"MessageId": messages[0].provider_message_id}), fault)

    def _send_bulk(self, body: JsonObject) -> Answer:
        entries = body.get("BulkEmailEntries") or []
        if not 1 <= len(entries) <= _MAX_BULK:
            raise _bad(f"There must be 1 to {_MAX_BULK} bulk email entries.")
        envelope = self._envelope(body, body.get("DefaultEmailTags"))
        default = body.get("DefaultContent") or {}
        if set(default) != {"Template"}:
            raise _bad("DefaultContent must be a Template.")
        content = _content(default)
        accepted: list[Message] = []
        results: list[JsonObject] = []
        for entry in entries:
            try:
                messages = self._entry(envelope, content, entry)
                self._let_through(messages)
            except _Problem as error:
                results.append({"Status": error.status, "Error": str(error)})
                continue
            accepted += messages
            results.append({"Status": "SUCCESS", "MessageId": messages[0].provider_message_id})
        fault = self._reception.disturb(
            "ses", [(message.key, message.to) for message in accepted], _broken()
        )
        self._reception.accept(accepted)
        return ended(json_answer(200, {"BulkEmailEntryResults": results}), fault)

    def _entry(self, envelope: _Envelope, content: _Content, entry: JsonObject) -> list[Message]:
        if self._reception.is_suspended("ses"):
            raise _Problem("", "ACCOUNT_SUSPENDED", "The account's sending is suspended.")
        template = (entry.get("ReplacementEmailContent") or {}).get("ReplacementTemplate") or {}
        own = _Content(
            content.subject,
            content.html,
            content.text,
            _checked_headers({**content.headers, **_headers(entry.get("ReplacementHeaders"))}),
            {**content.data, **_data(template.get("ReplacementTemplateData"))},
            content.template,
        )
        tags = {**envelope.tags, **_tags(entry.get("ReplacementTags"))}
        addressed = _Envelope(envelope.sender, envelope.configuration_set, envelope.reply_to, tags)
        return self._messages(addressed, own, _everyone(entry), _copies(entry))

    def _envelope(self, body: JsonObject, tags: Any) -> _Envelope:
        given = str(body.get("FromEmailAddress") or "")
        name, sender = parse_one(given)
        if not given.isascii() or not is_valid(sender, ascii_only=True):
            raise _bad("FromEmailAddress must be ASCII; encode a display name by RFC 2047.")
        if not self._reception.knows_sender("ses", sender):
            raise _Problem(
                "MessageRejected",
                "MESSAGE_REJECTED",
                "Email address is not verified. The following identities failed the check.",
            )
        return _Envelope(
            shown(name, sender),
            body.get("ConfigurationSetName") or "",
            body.get("ReplyToAddresses") or (),
            _tags(tags),
        )

    def _messages(
        self,
        envelope: _Envelope,
        content: _Content,
        everyone: Sequence[str],
        copies: Mapping[str, Sequence[str]],
    ) -> list[Message]:
        key = envelope.tags.get(TIDEPOST_ID)
        if any(self._reception.refuses("ses", key or to.lower(), to) for to in everyone):
            raise _Problem("MessageRejected", "MESSAGE_REJECTED", "The message was rejected.")
        if any(self._reception.disowns("ses", key or to.lower(), to) for to in everyone):
            raise _bad("An address is invalid.")
        raw = self._reception.random_bytes(16)
        message_id = f"010001{raw[:5].hex()}-{uuid.UUID(bytes=raw, version=4)}-000000"
        failure = ""
        try:
            parts = [
                cut.fill(content.data) if cut else None
                for cut in (content.subject, content.html, content.text)
            ]
        except KeyError as error:
            parts = [Part.plain(""), None, None]
            failure = f"Attribute '{error.args[0]}' is not present in the rendering data."
        headers = dict(content.headers)
        if envelope.reply_to:
            headers["Reply-To"] = ", ".join(envelope.reply_to)
        return [
            Message(
                provider="ses",
                provider_message_id=message_id,
                envelope=message_id,
                sender=envelope.sender,
                to=address,
                recipients=everyone,
                cc=copies["CcAddresses"],
                bcc=copies["BccAddresses"],
                attachments=content.files,
                subject=parts[0] or Part.plain(""),
                html=parts[1],
                text=parts[2],
                headers=headers,
                tags=[],
                custom=envelope.tags,
                stream=envelope.configuration_set,
                failure=failure,
            )
            for address in everyone
        ]

    def _let_through(self, messages: Sequence[Message]) -> None:
        if self._reception.lets_through("ses", len(messages)) < len(messages):
            raise _Problem(
                "TooManyRequestsException", "ACCOUNT_THROTTLED", "Maximum sending rate exceeded."
            )


def _bad(message: str) -> _Problem:
    return _Problem("BadRequestException", "INVALID_PARAMETER", message)


def _refusal(status: int, code: str, message: str) -> Refused:
    return Refused(json_answer(status, {"message": message}, {"x-amzn-ErrorType": code}))


def _broken() -> Answer:
    code = {"x-amzn-ErrorType": "InternalServiceErrorException"}
    return json_answer(500, {"message": "Internal failure."}, code)


def _everyone(entry: JsonObject) -> list[str]:
    destination = entry.get("Destination") or {}
    everyone = []
    for kind in _KINDS:
        for text in destination.get(kind) or ():
            name, address = parse_one(text)
            if not is_valid(address, ascii_only=True):
                raise _bad("An address is malformed or has a local part that is not ASCII.")
            if name and not text.isascii():
                raise _bad("A display name must be encoded by RFC 2047.")
            everyone.append(address)
    if not 1 <= len(everyone) <= _MAX_RECIPIENTS:
        raise _bad(f"A message has 1 to {_MAX_RECIPIENTS} recipients.")
    return everyone


def _copies(entry: JsonObject) -> Mapping[str, Sequence[str]]:
    destination = entry.get("Destination") or {}
    kinds = ("CcAddresses", "BccAddresses")
    return {kind: [parse_one(text)[1] for text in destination.get(kind) or ()] for kind in kinds}


def _content(content: JsonObject) -> _Content:
    kinds = set(content)
    if kinds == {"Simple"}:
        simple = content["Simple"]
        body = simple.get("Body") or {}
        subject = (simple.get("Subject") or {}).get("Data")
        html, text = ((body.get(kind) or {}).get("Data") for kind in ("Html", "Text"))
        plain = _plain(subject, html, text, _headers(simple.get("Headers")))
        try:
            return replace(plain, files=read_files(simple.get("Attachments")))
        except ValueError as error:
            raise _bad(f"Attachments: {error}.") from None
    if kinds == {"Raw"}:
        return _raw(content["Raw"].get("Data"))
    if kinds == {"Template"}:
        return _template(content["Template"])
    raise _bad("Content must be one of Simple, Raw and Template.")


def _plain(subject: Any, html: Any, text: Any, headers: Mapping[str, str]) -> _Content:
    if not all(isinstance(part, str | None) for part in (subject, html, text)):
        raise _bad("Subject and bodies must be strings.")
    if not subject or not (html or text):
        raise _bad("A message needs a subject and a body.")
    cuts = [cut_at(part, None) if part else None for part in (html, text)]
    return _Content(cut_at(subject, None), cuts[0], cuts[1], _checked_headers(headers), {})


def _raw(data: Any) -> _Content:
    try:
        mail = email.message_from_bytes(
            base64.b64decode(data, validate=True), policy=email.policy.default
        )
    except (binascii.Error, TypeError):
        raise _bad("Raw.Data is not base64.") from None
    bodies = {}
    for kind in ("html", "plain"):
        part = mail.get_body((kind,))
        bodies[kind] = part.get_content() if part is not None else None
    headers = {
        name: str(value) for name, value in mail.items() if name.lower() not in _RESERVED_HEADERS
    }
    cuts = [cut_at(body, None) if body else None for body in (bodies["html"], bodies["plain"])]
    return _Content(cut_at(str(mail["Subject"] or ""), None), cuts[0], cuts[1], headers, {})


def _template(template: JsonObject) -> _Content:
    inline = template.get("TemplateContent")
    if inline is None:
        name = template.get("TemplateName") or template.get("TemplateArn") or ""
        raise _Problem(
            "NotFoundException", "TEMPLATE_NOT_FOUND", f"Template {name} does not exist."
        )
    parts = [inline.get(kind) for kind in ("Subject", "Html", "Text")]
    if not parts[0] or not (parts[1] or parts[2]):
        raise _bad("TemplateContent needs a Subject and Html or Text.")
    if sum(len(part.encode()) for part in parts if part) > _MAX_TEMPLATE_BYTES:
        raise _bad(f"A template may have at most {_MAX_TEMPLATE_BYTES} bytes.")
    if any("{{#" in part or "{{{" in part for part in parts if part):
        raise _bad("TemplateContent supports plain {{key}} substitution only.")
    cuts = [cut_at(part, _MERGE_TAG) if part else None for part in parts]
    return _Content(
        cuts[0] or cut_at("", None),
        cuts[1],
        cuts[2],
        _checked_headers(_headers(template.get("Headers"))),
        _data(template.get("TemplateData")),
        template.get("TemplateName") or "",
    )


def _data(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    if len(text) > _MAX_DATA:
        raise _bad(f"Template data may have at most {_MAX_DATA} characters.")
    try:
        values = json.loads(text)
    except ValueError:
        raise _bad("Template data must be a JSON object.") from None
    if not isinstance(values, dict):
        raise _bad("Template data must be a JSON object.")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def _headers(headers: Any) -> dict[str, str]:
    return {header["Name"]: header["Value"] for header in headers or ()}


def _checked_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    if len(headers) > _MAX_HEADERS:
        raise _bad(f"There may be at most {_MAX_HEADERS} headers.")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise _bad("A header's name has 1 to 126 and its value 1 to 995 ASCII characters.")
        if name.lower() in _RESERVED_HEADERS:
            raise _bad(f"The header {name} can not be set.")
    return headers


def _tags(tags: Any) -> dict[str, str]:
    values = {tag["Name"]: tag["Value"] for tag in tags or ()}
    if len(values) > _MAX_TAGS:
        raise _bad(f"There may be at most {_MAX_TAGS} tags.")
    for name, value in values.items():
        if not _TAG.fullmatch(name) or not _TAG.fullmatch(value):
            raise _bad("Tags hold 1 to 256 of the characters A-Z a-z 0-9 _ and -.")
    return values
