"""What our senders put on the wire is what the ESPs' own SDKs put there for the same mail."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_sesv2.client import SESV2Client
from postmarker.core import PostmarkClient
from sendgrid import SendGridAPIClient
from sendgrid.helpers import mail as sg

from shared.config import PostmarkProvider, SendGridProvider, SesProvider
from shared.mail import Mailbox, MessageKind, OutgoingBatch
from shared.providers.postmark.sender import PostmarkSender
from shared.providers.sendgrid.sender import SendGridSender
from shared.providers.ses.sender import SesSender
from shared.transport import Transport
from tests.contracts import dialects
from tests.contracts.dialects import (
    API_KEY,
    CREDENTIALS,
    EXTRAS,
    SERVER_TOKEN,
    batch,
    single_message,
    skeleton,
)
from tests.recording_server import Recorded, RecordingServer, recording_server

SLOTS = {"name": 0, "code": 1}
TAG = "0badcafe"


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        yield running


@pytest.fixture
def transport(server: RecordingServer) -> Iterator[Transport]:
    made = Transport(server.url, connect_timeout_s=2, read_timeout_s=5)
    yield made
    made.close()


def mail(kind: MessageKind, count: int) -> OutgoingBatch:
    made = batch(count, kind=kind, text=skeleton("Dear |name|", SLOTS), tags=("autumn",))
    named = replace(made.recipients[0], to=Mailbox("person0@example.com", 'Zoë "Z" O\\Neil'))
    return made.only([named, *made.recipients[1:]])


def both(server: RecordingServer) -> tuple[Recorded, Recorded]:
    ours, theirs = server.requests
    assert ours.path == theirs.path
    assert ours.headers["content-type"].split(";")[0] == theirs.headers["content-type"]
    return ours, theirs


@pytest.mark.parametrize("kind", MessageKind)
@pytest.mark.parametrize("count", [1, 3])
def test_sendgrid(
    server: RecordingServer, transport: Transport, kind: MessageKind, count: int
) -> None:
    server.react = dialects.SendGrid().accept
    made = mail(kind, count)
    config = SendGridProvider(name="sg", kind="sendgrid", weight=1, secret="sg")
    SendGridSender(config, API_KEY, transport, new_tag=lambda: TAG).send(made)

    tags = (f"%tp{TAG}.0%", f"%tp{TAG}.1%")
    shown = tags if count > 1 else made.recipients[0].values
    assert made.text
    assert made.html
    assert made.reply_to
    message = sg.Mail()
    message.from_email = sg.From(made.sender.address, made.sender.name)
    message.reply_to = sg.ReplyTo(made.reply_to.address, made.reply_to.name)
    message.subject = sg.Subject(made.subject.fill(shown))
    message.add_content(sg.Content("text/plain", made.text.fill(shown)))
    message.add_content(sg.Content("text/html", made.html.fill(shown)))
    message.add_header(sg.Header("X-Campaign", "cmp_1"))
    message.add_category(sg.Category("autumn"))
    on = kind is MessageKind.CAMPAIGN
    tracking = sg.TrackingSettings()
    tracking.click_tracking = sg.ClickTracking(on, on)
    tracking.open_tracking = sg.OpenTracking(on)
    tracking.subscription_tracking = sg.SubscriptionTracking(False)
    message.tracking_settings = tracking
    for place, one in enumerate(made.recipients):
        person = sg.Personalization()
        person.add_to(sg.To(one.to.address, one.to.name or None))
        person.add_custom_arg(sg.CustomArg("tidepost_id", one.message_id))
        for name, value in one.headers.items():
            person.add_header(sg.Header(name, value))
        if count > 1:
            for tag, value in zip(tags, one.values, strict=True):
                person.add_substitution(sg.Substitution(tag, value))
        message.add_personalization(person, index=place)
    SendGridAPIClient(API_KEY, host=server.url).send(message)

    ours, theirs = both(server)
    assert ours.document == theirs.document
    assert ours.headers["authorization"] == theirs.headers["authorization"]


def test_sendgrid_with_extras(server: RecordingServer, transport: Transport) -> None:
    server.react = dialects.SendGrid().accept
    made = single_message()
    [one] = made.recipients
    config = SendGridProvider(name="sg", kind="sendgrid", weight=1, secret="sg")
    SendGridSender(config, API_KEY, transport).send(made)

    message = sg.Mail()
    message.from_email = sg.From(made.sender.address, made.sender.name)
    message.reply_to = sg.ReplyTo("reply@example.org", "Jürgen")
    message.subject = sg.Subject(made.subject.fill(one.values))
    assert made.text
    assert made.html
    message.add_content(sg.Content("text/plain", made.text.fill(one.values)))
    message.add_content(sg.Content("text/html", made.html.fill(one.values)))
    message.add_header(sg.Header("X-Campaign", "cmp_1"))
    for tag in made.tags:
        message.add_category(sg.Category(tag))
    tracking = sg.TrackingSettings()
    tracking.click_tracking = sg.ClickTracking(False, False)
    tracking.open_tracking = sg.OpenTracking(False)
    tracking.subscription_tracking = sg.SubscriptionTracking(False)
    message.tracking_settings = tracking
    for name, value in EXTRAS.metadata.items():
        message.add_custom_arg(sg.CustomArg(f"meta_{name}", value))
    for file in EXTRAS.attachments:
        attachment = sg.Attachment(
            sg.FileContent(file.content),
            sg.FileName(file.filename),
            sg.FileType(file.content_type),
            sg.Disposition("inline" if file.content_id else "attachment"),
        )
        if file.content_id:
            attachment.content_id = sg.ContentId(file.content_id)
        message.add_attachment(attachment)
    person = sg.Personalization()
    person.add_to(sg.To(one.to.address))
    for box in EXTRAS.cc:
        person.add_cc(sg.Cc(box.address, box.name or None))
    person.add_bcc(sg.Bcc(EXTRAS.bcc[0].address))
    person.add_custom_arg(sg.CustomArg("tidepost_id", one.message_id))
    for name, value in one.headers.items():
        person.add_header(sg.Header(name, value))
    message.add_personalization(person)
    SendGridAPIClient(API_KEY, host=server.url).send(message)

    ours, theirs = both(server)
    document = theirs.document
    for name in ("attachments", "categories"):  # which the SDK lists last in, first out
        document[name].reverse()
    assert ours.document == document


@pytest.mark.parametrize("kind", MessageKind)
def test_postmark(server: RecordingServer, transport: Transport, kind: MessageKind) -> None:
    server.react = dialects.Postmark().accept
    made = mail(kind, 3)
    config = PostmarkProvider(name="pm", kind="postmark", weight=1, secret="pm")
    PostmarkSender(config, SERVER_TOKEN, transport).send(made)

    on = kind is MessageKind.CAMPAIGN
    client = PostmarkClient(server_token=SERVER_TOKEN, root_api_url=server.url + "/")
    assert made.text
    assert made.html
    client.emails.send_batch(
        *[
            {
                "From": '"The \\"News\\", daily" <news@example.org>',
                "To": to,
                "ReplyTo": '"Jürgen" <reply@example.org>',
                "Subject": made.subject.fill(one.values),
                "TextBody": made.text.fill(one.values),
                "HtmlBody": made.html.fill(one.values),
                "Tag": "autumn",
                "Metadata": {"tidepost_id": one.message_id},
                "Headers": {**made.headers, **one.headers},
                "TrackOpens": on,
                "TrackLinks": "HtmlAndText" if on else "None",
                "MessageStream": "broadcast" if on else "outbound",
            }
            for one, to in zip(
                made.recipients,
                (
                    '"Zoë \\"Z\\" O\\\\Neil" <person0@example.com>',
                    "person1@example.com",
                    "person2@example.com",
                ),
                strict=True,
            )
        ]
    )
    client.session.close()

    ours, theirs = both(server)
    given = [
        {name: value for name, value in message.items() if value is not None and value != []}
        for message in theirs.document
    ]
    assert ours.document == given
    token = "x-postmark-server-token"
    assert ours.headers[token] == theirs.headers[token] == SERVER_TOKEN


def test_postmark_with_extras(server: RecordingServer, transport: Transport) -> None:
    server.react = dialects.Postmark().accept
    made = single_message()
    [one] = made.recipients
    config = PostmarkProvider(name="pm", kind="postmark", weight=1, secret="pm")
    PostmarkSender(config, SERVER_TOKEN, transport).send(made)

    client = PostmarkClient(server_token=SERVER_TOKEN, root_api_url=server.url + "/")
    assert made.text
    assert made.html
    client.emails.send_batch(
        {
            "From": '"The \\"News\\", daily" <news@example.org>',
            "To": "person0@example.com",
            "Cc": '"Cy \\"C\\" Ö" <cc0@example.com>, cc1@example.com',
            "Bcc": "bcc0@example.com",
            "ReplyTo": '"Jürgen" <reply@example.org>',
            "Subject": made.subject.fill(one.values),
            "TextBody": made.text.fill(one.values),
            "HtmlBody": made.html.fill(one.values),
            "Tag": made.tags[0],
            "Metadata": {"tidepost_id": one.message_id, **EXTRAS.metadata},
            "Headers": {**made.headers, **one.headers},
            "TrackOpens": False,
            "TrackLinks": "None",
            "MessageStream": "outbound",
            "Attachments": [
                (file.filename, file.content, file.content_type)
                + ((f"cid:{file.content_id}",) if file.content_id else ())
                for file in EXTRAS.attachments
            ],
        }
    )
    client.session.close()

    ours, theirs = both(server)
    [given] = theirs.document
    assert ours.document == [
        {name: value for name, value in given.items() if value is not None and value != []}
    ]


@pytest.fixture
def ses(server: RecordingServer) -> Iterator[SESV2Client]:
    server.react = dialects.Ses().accept
    client = boto3.client(
        "sesv2",
        region_name="eu-west-1",
        endpoint_url=server.url,
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        aws_session_token=CREDENTIALS.token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def ses_sender(transport: Transport) -> SesSender:
    config = SesProvider(
        name="ses", kind="ses", weight=1, region="eu-west-1", configuration_set="events"
    )
    return SesSender(config, lambda: CREDENTIALS, transport)


COMMON: Mapping[str, Any] = {
    "FromEmailAddress": '"The \\"News\\", daily" <news@example.org>',
    "ReplyToAddresses": ["=?utf-8?q?J=C3=BCrgen?= <reply@example.org>"],
    "ConfigurationSetName": "events",
}
TO = (
    "=?utf-8?b?Wm/DqyAiWiIgT1xOZWls?= <person0@example.com>",
    "person1@example.com",
    "person2@example.com",
)


def pairs(entries: Mapping[str, str]) -> list[Any]:
    return [{"Name": name, "Value": value} for name, value in entries.items()]


def test_ses_single(server: RecordingServer, transport: Transport, ses: SESV2Client) -> None:
    made = mail(MessageKind.TRANSACTIONAL, 1)
    [one] = made.recipients
    ses_sender(transport).send(made)

    assert made.text
    assert made.html
    ses.send_email(
        **COMMON,
        Destination={"ToAddresses": [TO[0]]},
        EmailTags=pairs({"tidepost_id": one.message_id, "tag": "autumn"}),
        Content={
            "Simple": {
                "Subject": {"Data": made.subject.fill(one.values), "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": made.text.fill(one.values), "Charset": "UTF-8"},
                    "Html": {"Data": made.html.fill(one.values), "Charset": "UTF-8"},
                },
                "Headers": pairs({**made.headers, **one.headers}),
            }
        },
    )
    assert_same_and_signed(server)


def test_ses_with_extras(server: RecordingServer, transport: Transport, ses: SESV2Client) -> None:
    made = single_message()
    [one] = made.recipients
    ses_sender(transport).send(made)

    assert made.text
    assert made.html
    ses.send_email(
        **COMMON,
        Destination={
            "ToAddresses": ["person0@example.com"],
            "CcAddresses": ["=?utf-8?b?Q3kgIkMiIMOW?= <cc0@example.com>", "cc1@example.com"],
            "BccAddresses": ["bcc0@example.com"],
        },
        EmailTags=pairs(
            {"tidepost_id": one.message_id, "tag": "autumn_sale", "tag2": "b"}
            | {f"meta_{name}": value for name, value in EXTRAS.metadata.items()}
        ),
        Content={
            "Simple": {
                "Subject": {"Data": made.subject.fill(one.values), "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": made.text.fill(one.values), "Charset": "UTF-8"},
                    "Html": {"Data": made.html.fill(one.values), "Charset": "UTF-8"},
                },
                "Headers": pairs({**made.headers, **one.headers}),
                "Attachments": [
                    {
                        "FileName": "Rechnung ä.pdf",
                        "ContentType": "application/pdf",
                        "RawContent": bytes(range(256)),
                        "ContentTransferEncoding": "BASE64",
                        "ContentDisposition": "ATTACHMENT",
                    },
                    {
                        "FileName": "logo.png",
                        "ContentType": "image/png",
                        "RawContent": b"\x89PNG\r\n",
                        "ContentTransferEncoding": "BASE64",
                        "ContentDisposition": "INLINE",
                        "ContentId": "logo@1",
                    },
                ],
            }
        },
    )
    assert_same_and_signed(server)


def test_ses_bulk(server: RecordingServer, transport: Transport, ses: SESV2Client) -> None:
    html = skeleton("<p>|name||code|</p>", SLOTS)
    made = replace(mail(MessageKind.CAMPAIGN, 3), html=html)
    ses_sender(transport).send(made)

    ours = server.requests[0].document
    data = [
        entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
        for entry in ours["BulkEmailEntries"]
    ]
    ses.send_bulk_email(
        **COMMON,
        DefaultEmailTags=pairs({"tag": "autumn"}),
        DefaultContent={
            "Template": {
                "TemplateContent": {
                    "Subject": "Hello {{v0}}, 20 % off",
                    "Text": "Dear {{v0}}",
                    "Html": "<p>{{v0}}{{v1}}</p>",
                },
                "TemplateData": "{}",
                "Headers": pairs(made.headers),
            }
        },
        BulkEmailEntries=[
            {
                "Destination": {"ToAddresses": [to]},
                "ReplacementTags": pairs({"tidepost_id": one.message_id}),
                "ReplacementHeaders": pairs(one.headers),
                "ReplacementEmailContent": {
                    "ReplacementTemplate": {"ReplacementTemplateData": text}
                },
            }
            for one, to, text in zip(made.recipients, TO, data, strict=True)
        ],
    )
    assert_same_and_signed(server)


def assert_same_and_signed(server: RecordingServer) -> None:
    ours, theirs = both(server)
    assert ours.document == theirs.document
    signed = re.compile(r"Credential=(\S+), SignedHeaders=(\S+),")
    mine = signed.search(ours.headers["authorization"])
    botos = signed.search(theirs.headers["authorization"])
    assert mine
    assert botos
    assert mine[1].partition("/")[2].split("/")[1:] == ["eu-west-1", "ses", "aws4_request"]
    assert mine[1].split("/")[2:] == botos[1].split("/")[2:]
    for request, headers in ((ours, mine[2]), (theirs, botos[2])):
        assert {"content-type", "host", "x-amz-date", "x-amz-security-token"} <= set(
            headers.split(";")
        )
        assert request.headers["authorization"].endswith(signature(server, request, headers))


def signature(server: RecordingServer, request: Recorded, signed_headers: str) -> str:
    """Signature Version 4 by hand, from what arrived."""
    assert request.headers["host"] == urlsplit(server.url).netloc
    lines = [f"{name}:{request.headers[name].strip()}" for name in signed_headers.split(";")]
    digest = hashlib.sha256(request.body).hexdigest()
    canonical = "\n".join(["POST", request.path, "", *lines, "", signed_headers, digest])
    moment = request.headers["x-amz-date"]
    scope = f"{moment[:8]}/eu-west-1/ses/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{CREDENTIALS.secret_key}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()
