"""Events arrive as each ESP sends them, and verify with tools that are not ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto import mock_aws
from postmarker.core import PostmarkClient
from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import EventWebhook

from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import DRAIN_S, Call, aws_client, simple_mail
from tests.local.sandbox.test_sendgrid import mail_to
from tests.local.sandbox.test_ses import bulk, entry, simple
from tests.recording_server import Answer, Reaction, Recorded, RecordingServer, Reset

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip
ENGAGED = {"open_rate": 1, "machine_open_rate": 1, "click_rate": 1}


def verify_sns(envelope: dict[str, str], certificate_pem: str) -> None:
    told = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED[envelope["Type"]])
    key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]  # noqa: S303 -- SNS version 1
    signature = base64.b64decode(envelope["Signature"])
    key.verify(signature, told.encode(), padding.PKCS1v15(), digest)


def confirming(sandbox: Sandbox) -> Callable[[Recorded], Reaction]:
    def react(recorded: Recorded) -> Reaction:
        envelope = recorded.document
        if envelope["Type"] == "SubscriptionConfirmation":
            sns = aws_client("sns", f"{sandbox.url}/sns")
            sns.confirm_subscription(TopicArn=envelope["TopicArn"], Token=envelope["Token"])
            sns.close()
        return Answer()

    return react


@pytest.fixture
def clients(
    sendgrid: SendGridAPIClient, postmark: PostmarkClient, ses: Any
) -> tuple[SendGridAPIClient, PostmarkClient, Any]:
    return sendgrid, postmark, ses


def ses_events(envelopes: list[dict[str, str]]) -> list[dict[str, Any]]:
    messages = [one["Message"] for one in envelopes if one["Type"] == "Notification"]
    return [json.loads(message) for message in messages if message.startswith("{")]


def test_sendgrid_posts_signed_arrays(
    sendgrid: SendGridAPIClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
) -> None:
    behave(defaults=ENGAGED, providers={"sendgrid": {"webhook": {"url": receiver.url}}})
    sendgrid.send(mail_to("ada@example.com"))
    assert sandbox.webhooks.drain(DRAIN_S)

    verifier = EventWebhook(sandbox.identity().public()["sendgrid_public_key"])
    events = []
    for post in receiver.requests:
        signature = post.headers["x-twilio-email-event-webhook-signature"]
        stamp = post.headers["x-twilio-email-event-webhook-timestamp"]
        assert post.body.endswith(b"]\r\n")
        assert verifier.verify_signature(post.body.decode(), signature, stamp)
        assert not verifier.verify_signature(post.body.decode().strip(), signature, stamp)
        events += post.document
    by_name = {(event["event"], event.get("sg_machine_open")): event for event in events}
    assert set(by_name) == {
        ("processed", None),
        ("delivered", None),
        ("open", True),
        ("open", False),
        ("click", None),
    }
    click = by_name["click", None]
    assert click["tidepost_id"] == "id-0"
    assert click["email"] == "ada@example.com"
    assert click["category"] == "weekly"
    assert click["url"] == "https://shop.example/"
    assert len({event["sg_event_id"] for event in events}) == len(events)


def test_postmark_posts_one_event_each_with_basic_auth(
    postmark: PostmarkClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
) -> None:
    behave(defaults=ENGAGED, providers={"postmark": {"webhook": {"url": receiver.url}}})
    mail = simple_mail(Metadata={"tidepost_id": "id-1"})
    answer = postmark.emails.send_batch({**mail, "TrackLinks": "HtmlAndText"})[0]
    assert sandbox.webhooks.drain(DRAIN_S)

    identity = sandbox.identity()
    credential = f"{identity.postmark_webhook_user}:{identity.postmark_webhook_password}"
    expected = "Basic " + base64.b64encode(credential.encode()).decode()
    assert {post.headers["authorization"] for post in receiver.requests} == {expected}
    events = {post.document["RecordType"]: post.document for post in receiver.requests}
    assert set(events) == {"Delivery", "Open", "Click"}
    assert len(receiver.requests) == 4
    assert events["Click"]["OriginalLink"] == "https://shop.example/a?x=1&y=2"
    assert {event["MessageID"] for event in events.values()} == {answer["MessageID"]}
    assert {event["Metadata"]["tidepost_id"] for event in events.values()} == {"id-1"}


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_signs_after_a_real_handshake(
    ses: Any,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
    version: str,
) -> None:
    receiver.react = confirming(sandbox)
    webhook = {"url": receiver.url, "signature_version": version}
    behave(defaults=ENGAGED, providers={"ses": {"webhook": webhook}})
    ses.send_bulk_email(**bulk(entry("a@example.com", "id-1")))
    assert sandbox.webhooks.drain(DRAIN_S)

    envelopes = [post.document for post in receiver.requests]
    assert [one["Type"] for one in envelopes].count("SubscriptionConfirmation") == 1
    assert envelopes[0]["Type"] == "SubscriptionConfirmation"
    pem = sandbox.identity().sns_certificate_pem
    for envelope in envelopes:
        verify_sns(envelope, pem)
        with pytest.raises(InvalidSignature):
            verify_sns({**envelope, "Message": "another"}, pem)
    assert any(one["Message"].startswith("Successfully validated SNS") for one in envelopes)
    events = ses_events(envelopes)
    assert sorted(event["eventType"] for event in events) == ["Delivery", "Open", "Open", "Send"]
    assert events[0]["mail"]["tags"]["tidepost_id"] == ["id-1"]
    assert events[0]["mail"]["destination"] == ["a@example.com"]


def test_a_wrong_token_confirms_nothing(sandbox: Sandbox, call: Call) -> None:
    client = aws_client("sns", f"{sandbox.url}/sns")
    arn = sandbox.identity().topic_arn
    with pytest.raises(ClientError) as caught:
        client.confirm_subscription(TopicArn=arn, Token="wrong")
    client.close()
    assert caught.value.response["Error"]["Code"] == "InvalidParameter"
    assert call("GET", "/sns/cert.pem")[1] == sandbox.identity().sns_certificate_pem


def test_sns_to_sqs_carries_the_same_envelope(
    ses: Any, sandbox: Sandbox, behave: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    with mock_aws(config={"core": {"passthrough": {"urls": [f"{sandbox.url}/.*"]}}}):
        sqs = aws_client("sqs", "https://sqs.us-east-1.amazonaws.com")
        url = sqs.create_queue(QueueName="ses-events")["QueueUrl"]
        behave(providers={"ses": {"webhook": {"mode": "sqs", "url": url}}})
        ses.send_bulk_email(**bulk(*(entry(f"a{n}@example.com", f"id-{n}") for n in range(20))))
        assert sandbox.webhooks.drain(DRAIN_S)
        bodies: list[str] = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in batch]
        sqs.close()

    envelopes = [json.loads(body) for body in bodies]
    for envelope in envelopes:
        verify_sns(envelope, sandbox.identity().sns_certificate_pem)
    names = [event["eventType"] for event in ses_events(envelopes)]
    assert (names.count("Send"), names.count("Delivery"), len(envelopes)) == (20, 20, 41)
    assert sandbox.webhooks.stats()["ses"]["posts"] < 41


Told = tuple[str, str | None]
KINDS: list[tuple[dict[str, float], list[Told], list[Told], list[Told]]] = [
    (
        {"hard_bounce_rate": 1},
        [("processed", None), ("bounce", "bounce")],
        [("Bounce", "HardBounce")],
        [("Send", None), ("Bounce", "Permanent")],
    ),
    (
        {"soft_bounce_rate": 1},
        [("processed", None), ("bounce", "blocked")],
        [("Bounce", "SoftBounce")],
        [("Send", None), ("Bounce", "Transient")],
    ),
    (
        {"defer_rate": 1},
        [("processed", None), ("deferred", None), ("delivered", None)],
        [("Bounce", "Transient"), ("Delivery", None)],
        [("Send", None), ("DeliveryDelay", None), ("Delivery", None)],
    ),
    (
        {"complaint_rate": 1, "unsubscribe_rate": 1},
        [
            ("processed", None),
            ("delivered", None),
            ("unsubscribe", None),
            ("spamreport", None),
        ],
        [("Delivery", None), ("SubscriptionChange", None), ("SpamComplaint", "SpamComplaint")],
        [("Send", None), ("Delivery", None), ("Subscription", None), ("Complaint", None)],
    ),
]


@pytest.mark.parametrize("case", KINDS)
def test_every_kind_in_each_esps_words(
    clients: tuple[SendGridAPIClient, PostmarkClient, Any],
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
    case: tuple[dict[str, float], list[Told], list[Told], list[Told]],
) -> None:
    def react(recorded: Recorded) -> Reaction:
        return confirming(sandbox)(recorded) if recorded.path == "/ses" else Answer()

    receiver.react = react
    rates, *expected = case
    names = ("sendgrid", "postmark", "ses")
    webhooks = {name: {"webhook": {"url": f"{receiver.url}/{name}"}} for name in names}
    behave(defaults=rates, providers=webhooks)
    sendgrid, postmark, ses = clients
    sendgrid.send(mail_to("a@example.com"))
    postmark.emails.send(**simple_mail("b@example.com"))
    ses.send_email(**simple(Destination={"ToAddresses": ["c@example.com"]}))
    assert sandbox.webhooks.drain(DRAIN_S)

    posts = {
        name: [post.document for post in receiver.requests if post.path == f"/{name}"]
        for name in names
    }
    told: list[list[Told]] = [
        [(one["event"], one.get("type")) for array in posts["sendgrid"] for one in array],
        [(one["RecordType"], one.get("Type")) for one in posts["postmark"]],
        [
            (one["eventType"], one.get("bounce", {}).get("bounceType"))
            for one in ses_events(posts["ses"])
        ],
    ]
    assert [sorted(one, key=str) for one in told] == [sorted(one, key=str) for one in expected]


def test_a_missing_merge_value_is_a_rendering_failure(
    ses: Any, sandbox: Sandbox, receiver: RecordingServer, behave: Callable[..., None]
) -> None:
    receiver.react = confirming(sandbox)
    behave(providers={"ses": {"webhook": {"url": receiver.url}}})
    mail = bulk(entry("a@example.com"))
    del mail["DefaultContent"]["Template"]["TemplateData"]
    ses.send_bulk_email(**mail)
    assert sandbox.webhooks.drain(DRAIN_S)
    (event,) = ses_events([post.document for post in receiver.requests])
    assert event["eventType"] == "Rendering Failure"
    assert "'name'" in event["failure"]["errorMessage"]


def test_the_amazon_simulator_answers_by_local_part(ses: Any, sandbox: Sandbox) -> None:
    wanted = {
        "success": "delivered",
        "bounce+label": "hard_bounced",
        "complaint": "complained",
        "suppressionlist": "hard_bounced",
    }
    for name in wanted:
        to = {"ToAddresses": [f"{name}@simulator.amazonses.com"]}
        ses.send_email(**simple(Destination=to, EmailTags=[]))
    assert sandbox.webhooks.drain(DRAIN_S)
    states = {message.to.partition("@")[0]: message.state for message in sandbox.mailbox.search()}
    assert states == wanted


def test_failed_posts_are_tried_again_and_counted(
    postmark: PostmarkClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
) -> None:
    reactions: list[Reaction] = [Answer(500), Reset(), Answer(200)]
    receiver.react = lambda _: reactions.pop(0)
    behave(providers={"postmark": {"webhook": {"url": receiver.url}}})
    postmark.emails.send(**simple_mail())
    assert sandbox.webhooks.drain(DRAIN_S)
    counts = sandbox.webhooks.stats()["postmark"]
    assert (counts["ok"], counts["failed"], counts["retries"]) == (1, 0, 2)
    assert len({post.body for post in receiver.requests}) == 1


def test_retries_end(
    ses: Any, sandbox: Sandbox, receiver: RecordingServer, behave: Callable[..., None]
) -> None:
    def react(recorded: Recorded) -> Reaction:
        confirmed = confirming(sandbox)(recorded)
        return Answer(500) if recorded.document["Type"] == "Notification" else confirmed

    receiver.react = react
    behave(providers={"ses": {"webhook": {"url": receiver.url}}})
    ses.send_email(**simple())
    assert sandbox.webhooks.drain(DRAIN_S)
    assert sandbox.webhooks.stats()["ses"]["failed"] == 3


def test_a_target_may_be_tried_less_often(
    postmark: PostmarkClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
) -> None:
    receiver.react = lambda _: Answer(500)
    behave(providers={"postmark": {"webhook": {"url": receiver.url, "max_tries": 2}}})
    postmark.emails.send(**simple_mail())
    assert sandbox.webhooks.drain(DRAIN_S)
    counts = sandbox.webhooks.stats()["postmark"]
    assert (counts["failed"], counts["retries"]) == (1, 1)


def test_duplicates_are_the_same_event_twice(
    sendgrid: SendGridAPIClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
) -> None:
    settings = {"webhook": {"url": receiver.url}, "duplicate_event_rate": 1}
    behave(providers={"sendgrid": settings})
    sendgrid.send(mail_to("a@example.com"))
    assert sandbox.webhooks.drain(DRAIN_S)
    ids = [event["sg_event_id"] for post in receiver.requests for event in post.document]
    assert len(ids) == 4
    assert len(set(ids)) == 2
    assert sandbox.mailbox.stats()["events"]["sendgrid"]["delivered"] == 1


def test_events_made_by_hand(
    sendgrid: SendGridAPIClient,
    sandbox: Sandbox,
    receiver: RecordingServer,
    behave: Callable[..., None],
    call: Call,
) -> None:
    behave(providers={"sendgrid": {"webhook": {"url": receiver.url}}})
    sendgrid.send(mail_to("a@example.com"))
    assert sandbox.webhooks.drain(DRAIN_S)
    receiver.requests.clear()
    wanted = {"provider": "sendgrid", "message_id": "id-0", "type": "clicked"}

    patch = {"event": "brand_new", "sg_message_id": None}
    assert call("POST", "/_sandbox/events", {**wanted, "raw": patch})[0] == 202
    assert sandbox.webhooks.drain(DRAIN_S)

    (event,) = receiver.requests[0].document
    assert (event["event"], event["url"]) == ("brand_new", "https://shop.example/")
    assert "sg_message_id" not in event
    assert call("POST", "/_sandbox/events", {**wanted, "type": "failed"})[0] == 422
    assert call("POST", "/_sandbox/events", {**wanted, "type": "nonsense"})[0] == 422
    assert call("POST", "/_sandbox/events", {**wanted, "message_id": "none"})[0] == 404
