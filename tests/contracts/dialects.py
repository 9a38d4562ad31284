"""How each ESP talks, as far as the contract tests of the senders must know it."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import getaddresses, parseaddr
from typing import Any, Protocol

from botocore.credentials import ReadOnlyCredentials

from shared.config import PostmarkProvider, SendGridProvider, SesProvider
from shared.delivery.ports import EmailSender
from shared.mail import (
    Attachment,
    Extras,
    Mailbox,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    Skeleton,
)
from shared.providers.postmark.sender import PostmarkSender
from shared.providers.sendgrid.sender import SendGridSender
from shared.providers.ses.sender import SesSender
from shared.transport import Transport
from tests.recording_server import Answer, Recorded

API_KEY = "SG.made-up"
SERVER_TOKEN = "made-up-server-token"
CREDENTIALS = ReadOnlyCredentials("AKIDEXAMPLE", "made-up-secret-key", "made-up-session-token")


@dataclass(frozen=True)
class Rendered:
    """One mail as its recipient gets it."""

    to: str
    message_id: str
    subject: str
    text: str | None
    html: str | None
    headers: Mapping[str, str]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """One ESP's."""

    name: str

    def sender(self, transport: Transport) -> EmailSender: ...
    def accept(self, request: Recorded) -> Answer: ...
    def refuse(self) -> Answer: ...
    def fault_of_sender(self) -> Answer: ...
    def unauthorised(self) -> Answer: ...
    def out_of_service(self) -> Answer: ...
    def mails(self, request: Recorded) -> Iterator[Rendered]: ...


class SendGrid:
    name = "sendgrid"

    def sender(self, transport: Transport) -> EmailSender:
        config = SendGridProvider(name="sg-main", kind="sendgrid", weight=1, secret="sg")
        return SendGridSender(config, API_KEY, transport)

    def accept(self, request: Recorded) -> Answer:
        return Answer(202, b"", {"X-Message-Id": f"sg-{len(request.body)}"})

    def refuse(self) -> Answer:
        return _errors(400, "Does not contain a valid address: bad@example.com", None)

    def fault_of_sender(self) -> Answer:
        return _errors(403, "The from address does not match a verified Sender Identity", "from")

    def unauthorised(self) -> Answer:
        return _errors(401, "The provided authorization grant is invalid", None)

    def out_of_service(self) -> Answer:
        return _errors(403, "access forbidden", None)

    def mails(self, request: Recorded) -> Iterator[Rendered]:
        document = request.document
        bodies = {part["type"]: part["value"] for part in document["content"]}
        for person in document["personalizations"]:
            [to] = person["to"]
            parts: list[str | None] = []
            for part in (document["subject"], bodies.get("text/plain"), bodies.get("text/html")):
                text = part
                for tag, value in person.get("substitutions", {}).items():
                    text = text and text.replace(tag, value)
                parts.append(text)
            yield Rendered(
                to["email"],
                person["custom_args"]["tidepost_id"],
                parts[0] or "",
                parts[1],
                parts[2],
                {**document.get("headers", {}), **person.get("headers", {})},
                tuple(one["email"] for one in person.get("cc", ())),
                tuple(one["email"] for one in person.get("bcc", ())),
                tuple(
                    Attachment(f["filename"], f["type"], f["content"], f.get("content_id", ""))
                    for f in document.get("attachments", ())
                ),
                {
                    name.removeprefix("meta_"): value
                    for name, value in document.get("custom_args", {}).items()
                },
            )


def _errors(status: int, message: str, field: str | None) -> Answer:
    return Answer(status, {"errors": [{"message": message, "field": field, "help": None}]})


class Postmark:
    name = "postmark"

    def sender(self, transport: Transport) -> EmailSender:
        config = PostmarkProvider(name="pm-main", kind="postmark", weight=1, secret="pm")
        return PostmarkSender(config, SERVER_TOKEN, transport)

    def accept(self, request: Recorded) -> Answer:
        return Answer(
            200,
            [
                {"ErrorCode": 0, "Message": "OK", "MessageID": f"pm-{i}", "To": mail["To"]}
                for i, mail in enumerate(request.document)
            ],
        )

    def refuse(self) -> Answer:
        return Answer(
            422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'bad@example.com'."}
        )

    def fault_of_sender(self) -> Answer:
        return Answer(422, {"ErrorCode": 400, "Message": "The sender signature was not found"})

    def unauthorised(self) -> Answer:
        return Answer(401, {"ErrorCode": 10, "Message": "Bad or missing server token"})

    def out_of_service(self) -> Answer:
        return Answer(422, {"ErrorCode": 412, "Message": "Your account is pending approval"})

    def mails(self, request: Recorded) -> Iterator[Rendered]:
        for mail in request.document:
            yield Rendered(
                parseaddr(mail["To"])[1],
                mail["Metadata"]["tidepost_id"],
                mail["Subject"],
                mail.get("TextBody"),
                mail.get("HtmlBody"),
                _pairs(mail.get("Headers", [])),
                tuple(address for _, address in getaddresses([mail.get("Cc", "")]) if address),
                tuple(address for _, address in getaddresses([mail.get("Bcc", "")]) if address),
                tuple(
                    Attachment(
                        f["Name"],
                        f["ContentType"],
                        f["Content"],
                        f.get("ContentID", "").removeprefix("cid:"),
                    )
                    for f in mail.get("Attachments", ())
                ),
                {name: v for name, v in mail["Metadata"].items() if name != "tidepost_id"},
            )


class Ses:
    name = "ses"

    def sender(self, transport: Transport) -> EmailSender:
        config = SesProvider(name="ses-main", kind="ses", weight=1)
        return SesSender(config, lambda: CREDENTIALS, transport)

    def accept(self, request: Recorded) -> Answer:
        if "bulk" not in request.path:
            return Answer(200, {"MessageId": "ses-0"})
        results = [
            {"Status": "SUCCESS", "MessageId": f"ses-{i}"}
            for i in range(len(request.document["BulkEmailEntries"]))
        ]
        return Answer(200, {"BulkEmailEntryResults": results})

    def refuse(self) -> Answer:
        return _aws(400, "BadRequestException", "Missing final '@domain' in bad@example.com")

    def fault_of_sender(self) -> Answer:
        return _aws(400, "MailFromDomainNotVerifiedException", "The MAIL FROM domain is not there")

    def unauthorised(self) -> Answer:
        return _aws(403, "UnrecognizedClientException", "The security token is invalid")

    def out_of_service(self) -> Answer:
        return _aws(400, "AccountSuspendedException", "The account's sending is suspended")

    def mails(self, request: Recorded) -> Iterator[Rendered]:
        document = request.document
        if "bulk" not in request.path:
            simple = document["Content"]["Simple"]
            bodies = {kind: body["Data"] for kind, body in simple["Body"].items()}
            yield Rendered(
                parseaddr(document["Destination"]["ToAddresses"][0])[1],
                _pairs(document["EmailTags"])["tidepost_id"],
                simple["Subject"]["Data"],
                bodies.get("Text"),
                bodies.get("Html"),
                _pairs(simple.get("Headers", [])),
                tuple(parseaddr(a)[1] for a in document["Destination"].get("CcAddresses", ())),
                tuple(parseaddr(a)[1] for a in document["Destination"].get("BccAddresses", ())),
                tuple(
                    Attachment(
                        f["FileName"], f["ContentType"], f["RawContent"], f.get("ContentId", "")
                    )
                    for f in simple.get("Attachments", ())
                ),
                {
                    name.removeprefix("meta_"): value
                    for name, value in _pairs(document["EmailTags"]).items()
                    if name.startswith("meta_")
                },
            )
            return
        template = document["DefaultContent"]["Template"]
        for entry in document["BulkEmailEntries"]:
            data = json.loads(
                entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
            )
            content = {
                part: handlebars(text, data) for part, text in template["TemplateContent"].items()
            }
            yield Rendered(
                parseaddr(entry["Destination"]["ToAddresses"][0])[1],
                _pairs(entry["ReplacementTags"])["tidepost_id"],
                content["Subject"],
                content.get("Text"),
                content.get("Html"),
                {
                    **_pairs(template.get("Headers", [])),
                    **_pairs(entry.get("ReplacementHeaders", [])),
                },
            )


def handlebars(template: str, data: Mapping[str, str]) -> str:
    r"""Substitutes as a Handlebars lexer reads: `\{{` is no tag, `{{{` opens another kind."""
    pieces = []
    rest = template
    while True:
        before, opened, rest = rest.partition("{{")
        pieces.append(before)
        if not opened:
            return "".join(pieces)
        assert not before.endswith("\\"), "an escaped tag"
        assert not rest.startswith("{"), "a triple tag"
        key, closed, rest = rest.partition("}}")
        assert closed, "a tag without an end"
        assert not rest.startswith("}"), "one brace too many after a tag"
        pieces.append(data[key])


def _pairs(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["Name"]: entry["Value"] for entry in entries}


def _aws(status: int, kind: str, message: str) -> Answer:
    url = "http://internal.amazon.com/coral/com.amazonaws.services.simpleemailservicev2.model/"
    return Answer(status, {"message": message}, {"x-amzn-ErrorType": f"{kind}:{url}"})


DIALECTS: tuple[Dialect, ...] = (SendGrid(), Postmark(), Ses())


def skeleton(text: str, slots: Mapping[str, int]) -> Skeleton:
    """`Hello |name|` with `|name|` as a slot."""
    pieces = text.split("|")
    return Skeleton(tuple(pieces[::2]), tuple(slots[name] for name in pieces[1::2]))


def batch(count: int = 3, **changes: Any) -> OutgoingBatch:
    """A campaign's batch to `count` people, two values each."""
    slots = {"name": 0, "code": 1}
    people = tuple(
        OutgoingRecipient(
            index=10 + i,
            message_id=f"mid_{i}-x",
            to=Mailbox(f"person{i}@example.com"),
            values=(f"Näme {i} 😀", f"<b>{i}&amp;</b>\r\n"),
            headers={
                "List-Unsubscribe": f"<https://example.com/u/{i}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )
        for i in range(count)
    )
    fields: dict[str, Any] = {
        "kind": MessageKind.CAMPAIGN,
        "sender": Mailbox("news@example.org", 'The "News", daily'),
        "subject": skeleton("Hello |name|, 20 % off", slots),
        "html": skeleton("<style>a{{color:red}}</style><p>|name||code|</p>{|code|}\n", slots),
        "text": skeleton("Dear |name|\n{{not a tag}} \\|code|{", slots),
        "reply_to": Mailbox("reply@example.org", "Jürgen"),
        "headers": {"X-Campaign": "cmp_1"},
        "tags": ("autumn sale", "b"),
        "recipients": people,
    }
    return OutgoingBatch(**(fields | changes))


EXTRAS = Extras(
    cc=(Mailbox("cc0@example.com", 'Cy "C" Ö'), Mailbox("cc1@example.com")),
    bcc=(Mailbox("bcc0@example.com"),),
    attachments=(
        Attachment("Rechnung ä.pdf", "application/pdf", b64encode(bytes(range(256))).decode()),
        Attachment("logo.png", "image/png", b64encode(b"\x89PNG\r\n").decode(), "logo@1"),
    ),
    metadata={"order": "A-17", "shop": "north"},
)


def single_message() -> OutgoingBatch:
    """A transactional message with everything that one may have."""
    return batch(1, kind=MessageKind.TRANSACTIONAL, extras=EXTRAS)


def named_places(count: int) -> Iterator[tuple[int, ...]]:
    """Every single place, and every pair of places."""
    return itertools.chain(
        itertools.combinations(range(count), 1), itertools.combinations(range(count), 2)
    )
