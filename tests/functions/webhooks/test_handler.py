"""The webhooks function: what API Gateway and the queue ses-events hand it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.webhooks import handler as module
from functions.webhooks.handler import MAX_BODY_BYTES, handler
from functions.webhooks.wiring import Webhooks
from shared.config import (
    PostmarkProvider,
    Providers,
    SendGridProvider,
    SesProvider,
)
from shared.delivery.intake import EventIntake
from shared.delivery.model import Attempt, ChunkKey, ChunkPlan, ChunkRecord
from shared.errors import DependencyUnavailable
from shared.ids import SUBSCRIBER, MessageIds, to_text
from shared.providers.event_sources import EventSources
from shared.providers.ses.certificates import FetchedCertificates
from tests.fakes import FakeClock, FakeEngagements, FakeLedger
from tests.payloads import KEY, REF, payload
from tests.signing import TOPIC_ARN, basic_auth, sendgrid_signer, sns_signer

CHUNK = ChunkKey(REF.workspace, REF.campaign, REF.chunk)
OTHER_TOPIC = TOPIC_ARN.replace("123456789012", "999999999999")


class FlakyLedger(FakeLedger):
    """Out of service for some reads."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    def record(self, key: ChunkKey) -> ChunkRecord:
        if self.failures:
            self.failures -= 1
            raise DependencyUnavailable("DynamoDB did not answer")
        return super().record(key)


@dataclass
class World:
    """The function with fakes behind it; every provider has sent message REF."""

    services: Webhooks
    ledger: FlakyLedger
    engagements: FakeEngagements
    confirmed: list[tuple[str, str, str]]

    def post(self, path: str, body: bytes, headers: Mapping[str, str], **more: Any) -> Answer:
        method = more.pop("method", "POST")
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": dict(headers),
            "requestContext": {"http": {"method": method, "path": path}},
            "body": body.decode(),
            "isBase64Encoded": False,
            **more,
        }
        return self.call(event)

    def call(self, event: dict[str, Any]) -> Answer:
        answer = handler(event, cast("LambdaContext", None))
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def deliver(self, *bodies: str) -> list[str]:
        """The ids of the messages that are to be delivered again; `m0` is the first."""
        records = [
            {"messageId": f"m{n}", "body": body, "eventSource": "aws:sqs"}
            for n, body in enumerate(bodies)
        ]
        answer = handler({"Records": records}, cast("LambdaContext", None))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    @property
    def stored(self) -> list[tuple[str, str]]:
        events = [kept.event for kept in self.engagements.by_key.values()]
        return sorted((event.provider, event.type.value) for event in events)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


PROVIDERS = Providers(
    providers=(
        SendGridProvider(
            name="sendgrid", kind="sendgrid", weight=1, secret="providers/sendgrid",
            webhook_public_key=sendgrid_signer().public_key,
        ),
        SendGridProvider(name="keyless", kind="sendgrid", weight=1, secret="x"),
        SendGridProvider(
            name="broken", kind="sendgrid", weight=1, secret="x", webhook_public_key="x"
        ),
        PostmarkProvider(name="postmark", kind="postmark", weight=1, secret="providers/postmark"),
        SesProvider(name="ses-other", kind="ses", weight=1, topic_arns=(OTHER_TOPIC,)),
        SesProvider(
            name="ses", kind="ses", weight=1, topic_arns=(TOPIC_ARN,),
            certificate_pem=sns_signer().pem, sns_base_url="http://127.0.0.1:9",
        ),
    )
)  # fmt: skip


def no_fetch(host: str, path: str) -> bytes:
    raise DependencyUnavailable(f"{host}{path} is not there in tests")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    confirmed: list[tuple[str, str, str]] = []
    ledger, engagements = FlakyLedger(), FakeEngagements()
    ledger.put_plan(
        ChunkPlan(CHUNK, tuple(to_text(SUBSCRIBER, n.to_bytes(12, "big")) for n in range(10)))
    )
    names = ("sendgrid", "postmark", "ses")
    now = datetime(2026, 11, 24, 8, tzinfo=UTC)
    for number, _ in enumerate(names, 1):
        ledger.begin(Attempt(CHUNK, number, "w", now, names, bytes([number] * 10), bytes(10)))

    def secret(provider: PostmarkProvider) -> dict[str, str]:
        return {"webhook_user": "hook", "webhook_password": f"{provider.name}-secret"}

    sources = EventSources(
        lambda: PROVIDERS,
        secret,
        certificates=FetchedCertificates(no_fetch),
        confirm=lambda _region, url: lambda arn, token: confirmed.append((url, arn, token)),
        clock=FakeClock(datetime(2026, 11, 24, 9, tzinfo=UTC)),
    )
    services = Webhooks(
        sources,
        EventIntake(ledger, engagements, MessageIds(KEY)),
        Logger(service="webhooks"),
        Metrics(namespace="Tidepost", service="webhooks"),
    )
    monkeypatch.setattr(module, "webhooks", lambda: services)
    return World(services, ledger, engagements, confirmed)


def sendgrid(*names: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps([json.loads(payload("sendgrid", name))[0] for name in names]).encode()
    return body + b"\r\n", sendgrid_signer().headers(body + b"\r\n")


def envelope(name: str) -> str:
    return json.dumps(sns_signer().notification(payload("ses", name).decode()))


def test_a_sendgrid_call(world: World) -> None:
    body, headers = sendgrid("processed", "delivered", "open", "open")
    answer = world.post("/webhooks/sendgrid", body, headers)
    assert (answer.status, answer.body) == (200, {"events": {"stored": 3, "repeated": 1}})
    assert world.stored == [
        ("sendgrid", "delivered"),
        ("sendgrid", "opened"),
        ("sendgrid", "sent"),
    ]


def test_api_gateway_may_encode_the_body_and_write_headers_in_any_case(world: World) -> None:
    body, headers = sendgrid("processed")
    shouted = {name.upper(): value for name, value in headers.items()}
    encoded = base64.b64encode(body)
    answer = world.post("/local/webhooks/sendgrid/", encoded, shouted, isBase64Encoded=True)
    assert answer.status == 200
    assert world.stored == [("sendgrid", "sent")]


def test_a_postmark_call(world: World) -> None:
    body = payload("postmark", "click")
    answer = world.post("/webhooks/postmark", body, basic_auth("hook", "postmark-secret"))
    assert answer.status == 200
    assert world.stored == [("postmark", "clicked")]


def test_an_ses_call_and_its_handshake(world: World) -> None:
    confirmation = sns_signer().confirmation()
    assert world.post("/webhooks/ses", json.dumps(confirmation).encode(), {}).status == 200
    assert world.confirmed == [("http://127.0.0.1:9", TOPIC_ARN, confirmation["Token"])]
    assert world.post("/webhooks/ses", envelope("open").encode(), {}).status == 200
    assert world.stored == [("ses", "opened")]


def test_a_call_again_changes_nothing(world: World) -> None:
    body, headers = sendgrid("processed")
    for _ in range(2):
        assert world.post("/webhooks/sendgrid", body, headers).status == 200
    assert len(world.stored) == 1


def test_an_unknown_event_type_is_kept(world: World) -> None:
    body, headers = sendgrid("unknown_event")
    assert world.post("/webhooks/sendgrid", body, headers).status == 200
    assert world.stored == [("sendgrid", "unknown")]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/webhooks/nobody", 404),
        ("/webhooks/", 404),
        ("/webhooks/%00", 404),
        ("/webhooks/../sendgrid", 401),
        ("/webhooks/sendgrid", 401),
        ("/webhooks/keyless", 401),
        ("/webhooks/postmark", 401),
        ("/webhooks/ses", 401),
        ("/webhooks/ses-other", 401),
        ("/webhooks/broken", 503),
    ],
)
def test_calls_without_a_good_signature(path: str, status: int, world: World) -> None:
    answer = world.post(path, b"{}", {})
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert world.stored == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(method: str, world: World) -> None:
    answer = world.post("/webhooks/sendgrid", b"", {}, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "ses"])
@pytest.mark.parametrize("junk", [b"junk", b"", b"7", b"[[[[", b"null"])
def test_junk_is_the_caller_s_fault(provider: str, junk: bytes, world: World) -> None:
    headers = {**sendgrid_signer().headers(junk), **basic_auth("hook", "postmark-secret")}
    assert world.post(f"/webhooks/{provider}", junk, headers).status == 400


def test_a_body_that_is_not_the_base64_it_is_said_to_be(world: World) -> None:
    answer = world.post("/webhooks/sendgrid", b"!", {}, isBase64Encoded=True)
    assert answer.status == 400


def test_a_call_without_body_or_headers(world: World) -> None:
    assert (
        world.call(
            {"rawPath": "/webhooks/sendgrid", "requestContext": {"http": {"method": "POST"}}}
        ).status
        == 401
    )


def test_megabytes_of_junk(world: World) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    for provider in ("sendgrid", "postmark", "ses"):
        assert world.post(f"/webhooks/{provider}", body, {}).status == 413
    encoded = base64.b64encode(body)
    assert world.post("/webhooks/ses", encoded, {}, isBase64Encoded=True).status == 413


def test_a_ledger_that_is_down_asks_the_esp_to_come_again(world: World) -> None:
    body, headers = sendgrid("processed")
    world.ledger.failures = 1
    assert world.post("/webhooks/sendgrid", body, headers).status == 503
    assert world.stored == []
    assert world.post("/webhooks/sendgrid", body, headers).status == 200


def test_messages_of_the_queue(world: World) -> None:
    assert world.deliver(envelope("send"), envelope("delivery"), envelope("click")) == []
    assert world.stored == [("ses", "clicked"), ("ses", "delivered"), ("ses", "sent")]


def test_bad_messages_are_dropped_and_good_ones_kept(world: World) -> None:
    forged = json.dumps({**json.loads(envelope("open")), "Signature": "AAAA"})
    foreign = json.dumps(sns_signer().notification("{}", TopicArn="arn:aws:sns:us-east-1:1:x"))
    bodies = ["", "junk", "[]", "{}", forged, foreign, envelope("send"), "\ud83d"]
    assert world.deliver(*bodies) == []
    assert world.stored == [("ses", "sent")]


def test_what_may_go_well_later_is_delivered_again(world: World) -> None:
    world.ledger.failures = 1
    not_to_be_fetched = json.dumps(sns_signer().notification("{}", TopicArn=OTHER_TOPIC))
    assert world.deliver(envelope("send"), envelope("click"), not_to_be_fetched) == ["m0", "m2"]
    assert world.stored == [("ses", "clicked")]
    world.ledger.failures = 1
    world.ledger.plans.clear()
    assert world.deliver(not_to_be_fetched) == ["m0"]


def test_counts_are_metrics_and_nothing_personal_is_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    body, headers = sendgrid("processed", "bounce_invalid_address", "click")
    world.post("/webhooks/sendgrid", body, headers)
    world.post("/webhooks/sendgrid", body, {})
    confirmation = sns_signer().confirmation()
    world.deliver(envelope("send"), json.dumps(confirmation), "junk")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metrics = [line for line in lines if "_aws" in line]
    assert [one["reports"] for one in metrics] == [[1.0], [1.0], [3.0]]
    assert metrics[0]["events_stored"] == [3.0]
    assert metrics[1]["reports_bad_signature"] == [1.0]
    assert metrics[2]["reports_bad_payload"] == [1.0]
    told = json.dumps(lines)
    for personal in ("example.com", confirmation["Token"], "AXdvcmtz", "203.0.113"):
        assert personal not in told
