"""SendGrid's `POST /v3/mail/send`."""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

from local.sandbox.addresses import is_valid, shown
from local.sandbox.mailbox import TIDEPOST_ID, File, Message
from local.sandbox.reception import Reception, ended
from local.sandbox.substitution import Cut, Part, cut_at
from local.sandbox.wire import Answer, JsonObject, Refused, Request, json_answer
from shared.clock import Clock

PATHS = ("/v3/mail/send",)

_MAX_BYTES = 30 * 1024 * 1024
_MAX_RECIPIENTS = 1000
_MAX_CUSTOM_BYTES = _MAX_SUBSTITUTION_BYTES = 10_000
_MAX_CATEGORIES = 10
_KINDS = ("to", "cc", "bcc")
_FORBIDDEN_HEADERS = frozenset(
    {
        *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type"),
        *("content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc"),
    }
)
# SendGrid's own header takes the sender's place if subscription tracking is on.
_OWN_UNSUBSCRIBE = "<https://sendgrid.example/wf/unsubscribe>"
_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."


@dataclass(slots=True)
class _Problems:
    found: list[JsonObject] = field(default_factory=list)

    def add(self, message: str, path: str | None) -> None:
        topic = re.sub(r"\.\d+", "", path) if path else None
        link = _HELP + topic if topic else None
        self.found.append({"message": message, "field": path, "help": link})

    def check(self) -> None:
        if self.found:
            raise Refused(json_answer(400, {"errors": self.found}))


class SendGridApi:
    """One SendGrid account."""

    def __init__(self, reception: Reception, api_key: str, clock: Clock) -> None:
        self._reception = reception
        self._api_key = api_key
        self._clock = clock

    def handle(self, request: Request, path: str) -> Answer:  # noqa: ARG002 -- there is one
        """Answers a request to one of `PATHS`; `path` is without any prefix.

        Raises:
            Refused: it is not accepted.
        """
        body = self._admit(request)
        problems = _Problems()
        try:
            _check(body, problems)
        except (AttributeError, TypeError):  # a field of quite another type
            raise _refusal(400, "Bad Request") from None
        problems.check()
        self._check_addresses(body, problems)
        problems.check()
        if not self._reception.knows_sender("sendgrid", body["from"]["email"]):
            raise _refusal(
                403,
                "The from address does not match a verified Sender Identity. Mail cannot be"
                " sent until this error is resolved.",
                "from",
            )
        if body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Answer(200)
        if self._reception.lets_through("sendgrid", 1) == 0:
            raise self._too_many()
        request_id = base64.urlsafe_b64encode(self._reception.random_bytes(16)).decode()[:22]
        messages = _render(body, request_id)
        fault = self._reception.disturb(
            "sendgrid",
            [(message.key, message.to) for message in messages],
            json_answer(500, {"errors": [{"message": "internal server error", "field": None}]}),
        )
        self._reception.accept(messages)
        return ended(Answer(202, headers={"X-Message-Id": request_id}), fault)

    def _admit(self, request: Request) -> JsonObject:
        if request.method != "POST":
            raise _refusal(405, "method not allowed")
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            raise _refusal(401, "The provided authorization grant is invalid, expired, or revoked")
        if self._reception.is_suspended("sendgrid"):
            raise _refusal(403, "access forbidden")
        if len(request.body) > _MAX_BYTES:
            raise _refusal(413, "The JSON payload you have included in your request is too large.")
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise _refusal(415, "Content-Type should be application/json.")
        try:
            body = json.loads(request.body)
        except ValueError:
            raise _refusal(400, "Bad Request") from None
        if not isinstance(body, dict):
            raise _refusal(400, "Bad Request")
        return body

    def _check_addresses(self, body: JsonObject, problems: _Problems) -> None:
        for number, person in enumerate(body["personalizations"]):
            custom = {**body.get("custom_args", {}), **person.get("custom_args", {})}
            for place, one in enumerate(person["to"]):
                key = custom.get(TIDEPOST_ID) or one["email"].lower()
                if self._reception.disowns("sendgrid", key, one["email"]):
                    path = f"personalizations.{number}.to.{place}.email"
                    problems.add("Does not contain a valid address.", path)

    def _too_many(self) -> Refused:
        rate = self._reception.behaviour.settings("sendgrid").rate_limit_per_second or 0
        headers = {
            "X-RateLimit-Limit": str(int(rate)),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(self._clock.now().timestamp()) + 1),
        }
        errors = [{"field": None, "message": "too many requests"}]
        return Refused(json_answer(429, {"errors": errors}, headers))


def _refusal(status: int, message: str, path: str | None = None) -> Refused:
    return Refused(
        json_answer(status, {"errors": [{"message": message, "field": path, "help": None}]})
    )


def _check(body: JsonObject, problems: _Problems) -> None:
    _check_address(body.get("from"), "from", problems)
    if "reply_to" in body:
        _check_address(body["reply_to"], "reply_to", problems)
    if "template_id" in body:
        problems.add("The template_id is not one of this account's templates.", "template_id")
    _check_content(body.get("content"), problems)
    _check_headers(body.get("headers"), "headers", problems)
    group = body.get("asm", {}).get("group_id")
    if "asm" in body and not isinstance(group, int):
        problems.add("The group_id must be a number.", "asm.group_id")
    _read_files(body.get("attachments"), problems)
    categories = body.get("categories", [])
    if len(categories) > _MAX_CATEGORIES or len(set(categories)) < len(categories):
        problems.add(f"There may be {_MAX_CATEGORIES} unique categories.", "categories")
    people = body.get("personalizations")
    if not isinstance(people, list) or not 1 <= len(people) <= _MAX_RECIPIENTS:
        problems.add(
            "The personalizations field is required and must have at least one personalization"
            f" and at most {_MAX_RECIPIENTS}.",
            "personalizations",
        )
        return
    total = 0
    for number, person in enumerate(people):
        total += sum(len(person.get(kind) or ()) for kind in _KINDS)
        _check_person(body, person, f"personalizations.{number}", problems)
    if total > _MAX_RECIPIENTS:
        problems.add(
            f"The total number of recipients must be at most {_MAX_RECIPIENTS}.",
            "personalizations",
        )


def _check_person(body: JsonObject, person: JsonObject, path: str, problems: _Problems) -> None:
    if not person.get("to"):
        problems.add("The to array is required and must have at least one recipient.", f"{path}.to")
    seen: set[str] = set()
    for kind in _KINDS:
        for number, recipient in enumerate(person.get(kind) or ()):
            where = f"{path}.{kind}.{number}"
            _check_address(recipient, where, problems)
            address = str(recipient.get("email")).lower() if isinstance(recipient, dict) else ""
            if address in seen:
                problems.add(
                    "Each email address in the personalization block should be unique between"
                    " to, cc, and bcc.",
                    f"{where}.email",
                )
            seen.add(address)
    if "dynamic_template_data" in person:
        problems.add("dynamic_template_data needs a template_id.", f"{path}.dynamic_template_data")
    subject = person.get("subject") or body.get("subject")
    if not isinstance(subject, str) or not subject:
        problems.add("The subject is required.", f"{path}.subject")
    _check_headers(person.get("headers"), f"{path}.headers", problems)
    custom = {**body.get("custom_args", {}), **person.get("custom_args", {})}
    _check_strings(custom, f"{path}.custom_args", _MAX_CUSTOM_BYTES, problems)
    tags = person.get("substitutions", {})
    _check_strings(tags, f"{path}.substitutions", _MAX_SUBSTITUTION_BYTES, problems)


def _check_address(value: Any, path: str, problems: _Problems) -> None:
    if not isinstance(value, dict) or not value.get("email"):
        problems.add("The email address is required.", f"{path}.email")
    elif not is_valid(value["email"]):
        problems.add("Does not contain a valid address.", f"{path}.email")


def _check_content(content: Any, problems: _Problems) -> None:
    if not isinstance(content, list) or not content:
        problems.add("Unless a valid template_id is provided, content is required.", "content")
        return
    for number, part in enumerate(content):
        if not isinstance(part.get("value"), str) or not part["value"]:
            problems.add(
                "The content value must be a string at least one character in length.",
                f"content.{number}.value",
            )
    types = [part.get("type") for part in content]
    if types not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        problems.add(
            "If present, text/plain and text/html may only be provided once and in this order.",
            "content",
        )


def _check_headers(headers: Any, path: str, problems: _Problems) -> None:
    for name, value in (headers or {}).items():
        if name.lower() in _FORBIDDEN_HEADERS:
            problems.add(f"The header {name} is reserved.", f"{path}.{name}")
        elif not isinstance(value, str) or not value.isascii() or "\n" in value or "\r" in value:
            problems.add("The header's value must be a string of ASCII.", f"{path}.{name}")


def _read_files(attachments: Any, problems: _Problems) -> list[File]:
    files = []
    for number, one in enumerate(attachments or ()):
        path = f"attachments.{number}"
        try:
            file = File.read(
                one.get("filename"),
                one.get("type") or "application/octet-stream",
                one.get("content"),
                one.get("content_id", ""),
            )
        except ValueError:
            problems.add("The attachment content must be base64 encoded.", f"{path}.content")
            continue
        if one.get("disposition", "attachment") not in ("attachment", "inline"):
            problems.add("The disposition must be inline or attachment.", f"{path}.disposition")
        if ";" in file.content_type or "\n" in file.content_type:
            problems.add("The type cannot contain ; or CRLF.", f"{path}.type")
        files.append(file)
    return files


def _check_strings(values: Any, path: str, limit: int, problems: _Problems) -> None:
    for name, value in values.items():
        if not name or not isinstance(value, str):
            problems.add("Invalid type. Expected: string.", f"{path}.{name}")
    size = sum(len(f"{name}{value}".encode()) for name, value in values.items())
    if size > limit:
        problems.add(f"May not exceed {limit} bytes; there are {size}.", path)


def _render(body: JsonObject, request_id: str) -> list[Message]:
    cuts: dict[tuple[str, frozenset[str]], Cut] = {}

    def substituted(text: str, values: dict[str, str]) -> Part:
        key = text, frozenset(values)
        if key not in cuts:
            cuts[key] = cut_at(text, _pattern(values))
        return cuts[key].fill(values)

    content = {part["type"]: part["value"] for part in body["content"]}
    html, text = content.get("text/html"), content.get("text/plain")
    tracking = body.get("tracking_settings", {})
    files = _read_files(body.get("attachments"), _Problems())
    messages: list[Message] = []
    for number, person in enumerate(body["personalizations"]):
        values = person.get("substitutions", {})
        custom = {**body.get("custom_args", {}), **person.get("custom_args", {})}
        sender = person.get("from") or body["from"]
        headers = {**body.get("headers", {}), **person.get("headers", {})}
        everyone = [one["email"] for kind in _KINDS for one in person.get(kind) or ()]
        if tracking.get("subscription_tracking", {}).get("enable"):
            headers["List-Unsubscribe"] = _OWN_UNSUBSCRIBE
        if "reply_to" in body:
            headers["Reply-To"] = substituted(_shown(body["reply_to"]), values).text
        messages += [
            Message(
                provider="sendgrid",
                provider_message_id=f"{request_id}.recvd-6d8f7c5b9-x2k4p-1-{number:X}.0",
                envelope=f"{request_id} {number}",
                sender=_shown(sender),
                to=address,
                recipients=everyone,
                cc=[one["email"] for one in person.get("cc") or ()],
                bcc=[one["email"] for one in person.get("bcc") or ()],
                attachments=files,
                subject=substituted(person.get("subject") or body["subject"], values),
                html=substituted(html, values) if html else None,
                text=substituted(text, values) if text else None,
                headers=headers,
                tags=body.get("categories", []),
                custom=custom,
                stream=str(body.get("asm", {}).get("group_id", "")),
                tracks_opens=tracking.get("open_tracking", {}).get("enable", True),
                tracks_clicks=tracking.get("click_tracking", {}).get("enable", True),
            )
            for address in everyone
        ]
    return messages


def _pattern(values: dict[str, str]) -> re.Pattern[str] | None:
    if not values:
        return None
    longest_first = sorted(values, key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")


def _shown(person: JsonObject) -> str:
    return shown(person.get("name") or "", person["email"])
