"""Postmark's `/email`, `/email/batch` and the search of outbound messages."""

from __future__ import annotations

import hmac
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from local.sandbox.addresses import is_valid, parse_list, parse_one, shown
from local.sandbox.behaviour import Fault
from local.sandbox.mailbox import TIDEPOST_ID, File, Message
from local.sandbox.reception import Reception, ended
from local.sandbox.substitution import Part
from local.sandbox.wire import Answer, JsonObject, Refused, Request, json_answer
from shared.clock import Clock, to_iso

PATHS = ("/email", "/messages/outbound")

_TEST_TOKEN = "POSTMARK_API_TEST"  # noqa: S105 -- Postmark's public test token
_MAX_EMAIL_BYTES = 10 * 1024 * 1024
_MAX_BATCH_BYTES = 50 * 1024 * 1024
_MAX_BATCH = 500
_MAX_RECIPIENTS = 50
_MAX_METADATA, _MAX_METADATA_NAME, _MAX_METADATA_VALUE = 10, 20, 80
_MAX_TAG = 1000
_MAX_COUNT = 500
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;.*)?", re.ASCII)
_FORBIDDEN_FILES = frozenset(
    {
        *("vbs", "exe", "bin", "bat", "chm", "com", "cpl", "crt", "hlp", "hta", "inf", "ins"),
        *("isp", "jse", "lnk", "mdb", "pcd", "pif", "reg", "scr", "sct", "shs", "vbe", "vba"),
        *("wsf", "wsh", "wsl", "msc", "msi", "msp", "mst"),
    }
)
_KINDS = ("To", "Cc", "Bcc")
_TEXTS = (*_KINDS, "Subject", "HtmlBody", "TextBody", "Tag", "ReplyTo", "MessageStream")


class _Invalid(Exception):
    """One message is not accepted; carries Postmark's ErrorCode."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class PostmarkApi:
    """One Postmark server."""

    def __init__(self, reception: Reception, server_token: str, clock: Clock) -> None:
        self._reception = reception
        self._server_token = server_token
        self._clock = clock

    def handle(self, request: Request, path: str) -> Answer:
        """Answers a request to one of `PATHS` or below; `path` is without any prefix.

        Raises:
            Refused: it is not accepted.
        """
        token = request.headers.get("x-postmark-server-token", "")
        is_test = token == _TEST_TOKEN
        if not is_test and not hmac.compare_digest(token.encode(), self._server_token.encode()):
            raise _refusal(401, 10, "Bad or missing Server API token.")
        path = path.rstrip("/")
        if request.method == "GET" and path == "/messages/outbound":
            return self._search(request.parameters())
        if request.method == "GET" and path.startswith("/messages/outbound/"):
            return self._details(path.split("/")[3])
        if request.method != "POST" or path not in ("/email", "/email/batch"):
            raise Refused(json_answer(404, {"ErrorCode": 404, "Message": "Not found."}))
        body = _read(request, _MAX_EMAIL_BYTES if path == "/email" else _MAX_BATCH_BYTES)
        if self._reception.is_suspended("postmark"):
            raise _refusal(422, 405, "Your account is not allowed to send; please contact support.")
        is_batch = path == "/email/batch"
        if not isinstance(body, list if is_batch else dict):
            raise _refusal(422, 403, "Incompatible JSON")
        items: list[Any] = [body] if isinstance(body, dict) else body
        if len(items) > _MAX_BATCH:
            raise _refusal(422, 410, f"A batch holds at most {_MAX_BATCH} messages.")
        return self._send(items, is_batch=is_batch, is_test=is_test)

    def _send(self, items: Sequence[Any], *, is_batch: bool, is_test: bool) -> Answer:
        if not is_test and self._reception.lets_through("postmark", 1) == 0:
            raise _refusal(429, 429, "Rate limit exceeded.")
        accepted: list[Message] = []
        results: list[JsonObject] = []
        for item in items:
            try:
                messages = self._message(item)
            except _Invalid as error:
                results.append({"ErrorCode": error.code, "Message": str(error)})
                continue
            except (AttributeError, TypeError, KeyError):  # a field of quite another type
                results.append({"ErrorCode": 403, "Message": "Incompatible JSON"})
                continue
            accepted += messages
            results.append(
                {
                    "To": item["To"],
                    "SubmittedAt": to_iso(self._clock.now()),
                    "MessageID": messages[0].provider_message_id,
                    "ErrorCode": 0,
                    "Message": "Test job accepted" if is_test else "OK",
                }
            )
        fault = Fault.NONE
        if not is_test:
            fault = self._reception.disturb(
                "postmark",
                [(message.key, message.to) for message in accepted],
                json_answer(500, {"Message": "Internal server error."}),
            )
            self._reception.accept(accepted)
        if is_batch:
            return ended(json_answer(200, results), fault)
        return ended(json_answer(200 if accepted else 422, results[0]), fault)

    def _message(self, item: Any) -> list[Message]:
        if not isinstance(item, dict):
            raise _Invalid(403, "Incompatible JSON")
        sender = self._sender(item)
        for field in _TEXTS:
            if not isinstance(item.get(field), str | None):
                raise _Invalid(403, f"The field '{field}' must be a string.")
        everyone = _recipients(item)
        html, text = item.get("HtmlBody"), item.get("TextBody")
        if not html and not text:
            raise _Invalid(300, "Provide either email TextBody or HtmlBody or both.")
        metadata = _metadata(item.get("Metadata") or {})
        files = _files(item)
        tag = item.get("Tag") or ""
        if len(tag) > _MAX_TAG:
            raise _Invalid(300, f"The tag may have at most {_MAX_TAG} characters.")
        headers = {one["Name"]: one["Value"] for one in _headers(item.get("Headers") or [])}
        if item.get("ReplyTo"):
            headers["Reply-To"] = item["ReplyTo"]
        self._check_active(everyone, metadata.get(TIDEPOST_ID))
        message_id = str(uuid.UUID(bytes=self._reception.random_bytes(16), version=4))
        return [
            Message(
                provider="postmark",
                provider_message_id=message_id,
                envelope=message_id,
                sender=sender,
                to=address,
                recipients=everyone,
                cc=[address for _, address in parse_list(item.get("Cc") or "")],
                bcc=[address for _, address in parse_list(item.get("Bcc") or "")],
                attachments=files,
                subject=Part.plain(item.get("Subject") or ""),
                html=Part.plain(html) if html else None,
                text=Part.plain(text) if text else None,
                headers=headers,
                tags=[tag] if tag else [],
                custom=metadata,
                stream=item.get("MessageStream") or "outbound",
                tracks_opens=item.get("TrackOpens") is not False,
                tracks_clicks=item.get("TrackLinks") not in ("None", "TextOnly"),
            )
            for address in everyone
        ]

    def _sender(self, item: JsonObject) -> str:
        name, address = parse_one(str(item.get("From") or ""))
        if not is_valid(address):
            raise _Invalid(300, "Invalid 'From' address.")
        if not self._reception.knows_sender("postmark", address):
            raise _Invalid(
                400, "The 'From' address you supplied is not a Sender Signature on your account."
            )
        return shown(name, address)

    def _check_active(self, everyone: Sequence[str], key: str | None) -> None:
        for address in everyone:
            if self._reception.disowns("postmark", key or address.lower(), address):
                raise _Invalid(300, "Invalid 'To' address.")
            refused = self._reception.refuses("postmark", key or address.lower(), address)
            if refused or self._reception.is_suppressed("postmark", address):
                raise _Invalid(
                    406,
                    "You tried to send to a recipient that has been marked as inactive. Inactive"
                    " recipients are ones that have generated a hard bounce, a spam complaint,"
                    " or a manual suppression.",
                )

    def _search(self, wanted: Mapping[str, str]) -> Answer:
        try:
            count, offset = int(wanted.get("count", "")), int(wanted.get("offset", ""))
        except ValueError:
            raise _refusal(422, 300, "The parameters count and offset are required.") from None
        if not 0 < count <= _MAX_COUNT or offset < 0:
            raise _refusal(422, 300, f"count must be 1 to {_MAX_COUNT}, offset not negative.")
        metadata = {
            name.removeprefix("metadata_"): value
            for name, value in wanted.items()
            if name.startswith("metadata_")
        }
        found = [
            message
            for message in self._reception.mailbox.search(
                provider="postmark", tidepost_id=metadata.get(TIDEPOST_ID, "")
            )
            if metadata.items() <= message.custom.items()
            and wanted.get("recipient", message.to).lower() == message.to.lower()
            and wanted.get("tag", "") in ("", *message.tags)
        ]
        found.reverse()
        page = [_outbound(message) for message in found[offset : offset + count]]
        return json_answer(200, {"TotalCount": len(found), "Messages": page})

    def _details(self, message_id: str) -> Answer:
        message = self._reception.mailbox.get(message_id)
        if message is None or message.provider != "postmark":
            raise _refusal(422, 701, "This message was not found.")
        return json_answer(
            200,
            _outbound(message)
            | {
                "HtmlBody": message.html.text if message.html else "",
                "TextBody": message.text.text if message.text else "",
                "MessageEvents": [
                    {"Recipient": message.to, "Type": kind.value, "ReceivedAt": to_iso(at)}
                    for kind, at in message.events
                ],
            },
        )


def _refusal(status: int, code: int, message: str) -> Refused:
    return Refused(json_answer(status, {"ErrorCode": code, "Message": message}))


def _read(request: Request, limit: int) -> Any:
    if len(request.body) > limit:
        raise _refusal(413, 300, "The request is too large.")
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise _refusal(415, 402, "The Content-Type must be application/json.")
    try:
        return json.loads(request.body)
    except ValueError:
        raise _refusal(422, 402, "Received invalid JSON input.") from None


def _recipients(item: JsonObject) -> list[str]:
    everyone = []
    for kind in _KINDS:
        for _, address in parse_list(item.get(kind) or ""):
            if not is_valid(address):
                raise _Invalid(300, f"Error parsing '{kind}': Illegal email address.")
            everyone.append(address)
    if not item.get("To"):
        raise _Invalid(300, "Zero recipients specified")
    if len(everyone) > _MAX_RECIPIENTS:
        raise _Invalid(300, f"There may be at most {_MAX_RECIPIENTS} recipients.")
    return everyone


def _headers(headers: Any) -> list[dict[str, str]]:
    for header in headers:
        name, value = header.get("Name"), header.get("Value")
        if not isinstance(name, str) or not isinstance(value, str) or not name:
            raise _Invalid(300, "Each header needs a Name and a Value.")
        if any(mark in name + value for mark in "\r\n\0"):
            raise _Invalid(300, f"The header '{name.splitlines()[0]}' has a line break.")
    return list(headers)


def _metadata(metadata: Any) -> dict[str, str]:
    good = (
        isinstance(metadata, dict)
        and len(metadata) <= _MAX_METADATA
        and all(
            isinstance(value, str)
            and len(name) <= _MAX_METADATA_NAME
            and len(value) <= _MAX_METADATA_VALUE
            for name, value in metadata.items()
        )
    )
    if not good:
        raise _Invalid(
            300,
            f"Metadata is at most {_MAX_METADATA} fields with names of {_MAX_METADATA_NAME} and"
            f" values of {_MAX_METADATA_VALUE} characters.",
        )
    return dict(metadata)


def _files(item: JsonObject) -> list[File]:
    files = []
    for one in item.get("Attachments") or ():
        if str(one.get("Name")).lower().rpartition(".")[2] in _FORBIDDEN_FILES:
            raise _Invalid(411, "Forbidden attachment type.")
        try:
            file = File.read(
                one.get("Name"),
                one.get("ContentType"),
                one.get("Content"),
                one.get("ContentID") or "",
            )
        except ValueError as error:
            raise _Invalid(300, f"Invalid attachment: {error}.") from None
        if not _MEDIA_TYPE.fullmatch(file.content_type):
            raise _Invalid(300, "An attachment's ContentType is no media type.")
        files.append(replace(file, content_id=file.content_id.removeprefix("cid:")))
    texts = (item.get("HtmlBody") or "", item.get("TextBody") or "")
    size = sum(len(text.encode()) for text in texts)
    # Counted as in the mail: base64 in lines of 76.
    size += sum(len(one["Content"]) * 78 // 76 for one in item.get("Attachments") or ())
    if size > _MAX_EMAIL_BYTES:
        raise _Invalid(300, f"A message may have at most {_MAX_EMAIL_BYTES} bytes.")
    return files


def _outbound(message: Message) -> JsonObject:
    return {
        "Tag": message.tags[0] if message.tags else None,
        "MessageID": message.provider_message_id,
        "MessageStream": message.stream,
        "To": [{"Email": message.to, "Name": None}],
        "Cc": [{"Email": address, "Name": None} for address in message.cc],
        "Bcc": [{"Email": address, "Name": None} for address in message.bcc],
        "Recipients": list(message.recipients),
        "ReceivedAt": to_iso(message.accepted_at) if message.accepted_at else None,
        "From": message.sender,
        "Subject": message.subject.text,
        "Attachments": [file.name for file in message.attachments],
        "Status": "Sent",
        "TrackOpens": message.tracks_opens,
        "TrackLinks": "HtmlAndText" if message.tracks_clicks else "None",
        "Metadata": dict(message.custom),
        "Sandboxed": False,
    }
