"""A message with copies and files, sent by our senders and taken in by each of the three."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from botocore.credentials import ReadOnlyCredentials

from local.sandbox.identity import AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
from local.sandbox.server import Sandbox
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
    Verdict,
)
from shared.providers.postmark.sender import PostmarkSender
from shared.providers.sendgrid.sender import SendGridSender
from shared.providers.ses.sender import SesSender
from shared.transport import Transport
from tests.local.sandbox.conftest import Call

EVERY_BYTE = bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


@pytest.fixture(params=["sendgrid", "postmark", "ses"])
def sender(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[EmailSender]:
    prefix = {"sendgrid": "/sendgrid", "postmark": "", "ses": "/ses"}[request.param]
    transport = Transport(sandbox.url + prefix, connect_timeout_s=3, read_timeout_s=10)
    identity = sandbox.identity()
    match request.param:
        case "sendgrid":
            sendgrid = SendGridProvider(name="sendgrid", kind="sendgrid", weight=1, secret="s")
            yield SendGridSender(sendgrid, identity.sendgrid_api_key, transport)
        case "postmark":
            postmark = PostmarkProvider(name="postmark", kind="postmark", weight=1, secret="p")
            yield PostmarkSender(postmark, identity.postmark_server_token, transport)
        case _:
            credentials = ReadOnlyCredentials(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, None)
            ses = SesProvider(name="ses", kind="ses", weight=1, region="us-east-1")
            yield SesSender(ses, lambda: credentials, transport)
    transport.close()


def message(*files: Attachment) -> OutgoingBatch:
    return OutgoingBatch(
        kind=MessageKind.TRANSACTIONAL,
        sender=Mailbox("shop@sender.example", "Shop"),
        subject=Skeleton(("Your bill",)),
        html=Skeleton(('<img src="cid:logo">',)),
        text=Skeleton(("The bill is attached.",)),
        headers={"X-Order": "17"},
        recipients=(OutgoingRecipient(0, "mid-1", Mailbox("ann@example.com", "Ann")),),
        extras=Extras(
            cc=(Mailbox("bo@example.com", "Bo, Jr."),),
            bcc=(Mailbox("cy@example.com"),),
            attachments=files,
            metadata={"order": "17"},
        ),
    )


def file(name: str, content: bytes, kind: str, content_id: str = "") -> Attachment:
    return Attachment(name, kind, base64.b64encode(content).decode(), content_id)


def test_what_arrives_is_what_was_sent_to_the_byte(
    sender: EmailSender, sandbox: Sandbox, call: Call
) -> None:
    [outcome] = sender.send(
        message(
            file("bill ä.pdf", EVERY_BYTE, "application/pdf"),
            file("logo.png", PNG, "image/png", "logo"),
        )
    )
    assert (outcome.verdict, outcome.detail) == (Verdict.ACCEPTED, "")
    found = sandbox.mailbox.search()
    assert sorted(one.to for one in found) == [
        "ann@example.com",
        "bo@example.com",
        "cy@example.com",
    ]
    assert sandbox.mailbox.stats()["duplicates"] == 0
    for one in found:
        assert [(f.name, f.content_type, f.content_id) for f in one.attachments] == [
            ("bill ä.pdf", "application/pdf", ""),
            ("logo.png", "image/png", "logo"),
        ]
        assert [f.content for f in one.attachments] == [EVERY_BYTE, PNG]
        assert (one.cc, one.bcc) == (["bo@example.com"], ["cy@example.com"])
        assert one.headers["X-Order"] == "17"
        assert one.tidepost_id == "mid-1"
        assert {name.removeprefix("meta_"): v for name, v in one.custom.items()} == {
            "order": "17",
            "tidepost_id": "mid-1",
        }
    status, told = call("GET", f"/_sandbox/messages/{found[0].id}")
    assert status == 200
    assert told["attachments"][0]["sha256"] == hashlib.sha256(EVERY_BYTE).hexdigest()
    assert told["cc"] == ["bo@example.com"]


def test_the_page_shows_copies_files_and_headers(
    sender: EmailSender, sandbox: Sandbox, call: Call
) -> None:
    sender.send(message(file("a<b>.txt", b"plain text", "text/plain")))
    number = sandbox.mailbox.search()[0].id
    _, page = call("GET", f"/mailbox/{number}")
    for shown in (
        "a&lt;b&gt;.txt",
        "text/plain",
        "bo@example.com",
        "X-Order",
        "Bcc (in no header)",
    ):
        assert shown in page
    assert call("GET", f"/mailbox/{number}/attachments/0") == (200, "plain text")
    assert call("GET", f"/mailbox/{number}/attachments/1")[0] == 404


def test_a_forbidden_file_rejects_the_message(sender: EmailSender, sandbox: Sandbox) -> None:
    [outcome] = sender.send(message(file("setup.exe", b"MZ", "application/octet-stream")))
    if sender.provider == "sendgrid":
        assert outcome.verdict is Verdict.ACCEPTED
        return
    assert outcome.verdict is Verdict.REJECTED
    assert not sandbox.mailbox.search()


def test_postmark_takes_no_message_over_10_mb(sender: EmailSender, sandbox: Sandbox) -> None:
    large = file("large.bin.txt", b"\0" * 8_000_000, "text/plain")
    [outcome] = sender.send(message(large))
    accepted = sender.provider != "postmark"
    assert (outcome.verdict is Verdict.ACCEPTED) is accepted
    assert bool(sandbox.mailbox.search()) is accepted
