"""A transactional message through the real stores: API's service, queue, dispatcher, stub ESPs."""

from __future__ import annotations

import base64
import os
from datetime import timedelta

import boto3
import pytest

from functions.dispatcher import handler as dispatcher
from shared.access.model import SenderDomain
from shared.access.senders import SenderBinding
from shared.clock import SystemClock
from shared.config import Settings
from shared.delivery.composing import MessageRequest
from shared.delivery.messages import MessageService
from shared.delivery.routing import Candidate
from shared.ids import Ids, MessageIds, SubscriberIds
from shared.mail import UNLIMITED, Attachment, Mailbox
from shared.storage import tables
from shared.storage.blobs import S3Blobs
from shared.storage.due import DynamoDue
from shared.storage.engagements import DynamoEngagements
from shared.storage.ledger import DynamoLedger, PlanItem
from shared.storage.queues import SqsChunkQueue, chunk_key_of
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.templates import DynamoTemplates
from tests.functions.dispatcher.test_wiring import IDS, NOW, WS, Esps
from tests.functions.dispatcher.test_wiring import deployment as deployment  # noqa: PLC0414
from tests.functions.dispatcher.test_wiring import esps as esps  # noqa: PLC0414
from tests.functions.running import SECRET, Context, Deployment, sqs_event

FILE = Attachment("bill.pdf", "application/pdf", base64.b64encode(bytes(range(256))).decode())
REQUEST = MessageRequest(
    to=Mailbox("ann@example.com", "Ann"),
    sender=Mailbox("shop@news.example"),
    subject="Order {{ data.number }}",
    text="Thank you.",
    data={"number": 17},
    metadata={"order": "17"},
)


def service(deployment: Deployment) -> MessageService:
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    domain = SenderDomain(IDS.new("dom"), WS, "news.example", "token", NOW)
    DynamoSenderDomains().create(domain)
    DynamoSenderDomains().verify(domain, NOW)
    endpoint = settings.endpoint_url
    return MessageService(
        ledger=DynamoLedger(),
        queue=SqsChunkQueue(
            boto3.client("sqs", endpoint_url=endpoint),
            deployment.queues["bulk"],
            deployment.queues["transactional"],
        ),
        due=DynamoDue(),
        engagements=DynamoEngagements(),
        templates=DynamoTemplates(),
        blobs=S3Blobs(boto3.client("s3", endpoint_url=endpoint), settings.files_bucket),
        candidates=lambda: (Candidate("ses", 1, lambda _: "", UNLIMITED),),
        sender_check=SenderBinding(DynamoSenderDomains()),
        message_ids=MessageIds(SECRET.encode()),
        subscriber_ids=SubscriberIds(SECRET.encode()),
        ids=Ids(SystemClock(), os.urandom),
        clock=SystemClock(),
    )


def test_a_message_with_a_file_goes_out_as_it_came_in(
    deployment: Deployment, esps: Esps, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = service(deployment)
    full = MessageRequest(
        to=REQUEST.to,
        sender=REQUEST.sender,
        subject="Your bill",
        text="x" * 40_000,
        cc=(Mailbox("bo@example.com"),),
        attachments=(FILE,),
        headers={"X-Order": "17"},
    )
    ids = [messages.send(WS, REQUEST), messages.send(WS, full)]
    bodies = deployment.receive("transactional")
    answer = dispatcher.handler(sqs_event(*bodies, queue="transactional"), Context(120))

    assert answer == {"batchItemFailures": []}
    plain, filed = sorted(esps.mails(), key=lambda mail: len(mail.text or ""))
    assert (plain.subject, plain.metadata, plain.files) == ("Order 17", {"order": "17"}, ())
    assert (filed.text, filed.cc, filed.files) == (full.text, ("bo@example.com",), (FILE,))
    assert filed.headers["X-Order"] == "17"
    assert [messages.get(WS, one)["state"] for one in ids] == ["accepted"] * 2
    printed = capsys.readouterr()
    assert "@" not in printed.out + printed.err


@pytest.mark.usefixtures("esps")
def test_a_plain_message_is_planned_for_one_write_unit(deployment: Deployment) -> None:
    messages = service(deployment)
    messages.send(WS, REQUEST)
    [body] = deployment.receive("transactional")
    key = chunk_key_of(body)
    item = PlanItem.find(f"ws#{WS}#{key.campaign}#{key.chunk % 8}", f"C#{key.chunk:010d}#P")
    assert item is not None
    assert item.ttl is not None
    assert timedelta(days=29) < item.ttl - SystemClock().now() <= timedelta(days=30)
    size = sum(len(name) + len(str(value)) for name, value in item.serialize().items())
    assert size < 1024
