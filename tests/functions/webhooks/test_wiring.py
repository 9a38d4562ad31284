"""The webhooks function over the real stores, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions.webhooks.handler import handler
from functions.webhooks.wiring import webhooks
from shared.delivery.model import Attempt, ChunkKey, ChunkPlan
from shared.ids import SUBSCRIBER, MessageIds, to_text
from shared.storage import tables
from shared.storage.engagements import DynamoEngagements
from shared.storage.ledger import DynamoLedger
from tests.payloads import REF
from tests.signing import sendgrid_signer

KEY = "a message id key of at least thirty-two characters"


@pytest.fixture
def _deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "TIDEPOST_STAGE": "test",
        "TIDEPOST_TABLE_PREFIX": "tidepost-test",
        "TIDEPOST_PARAMETER_PATH": "/tidepost/test",
        "TIDEPOST_SECRET_PREFIX": "tidepost/test",
    }.items():
        monkeypatch.setenv(name, value)
    provider = {
        "name": "sendgrid",
        "kind": "sendgrid",
        "weight": 1,
        "secret": "providers/sendgrid",
        "webhook_public_key": sendgrid_signer().public_key,
    }
    webhooks.cache_clear()
    with mock_aws():
        tables.bind("tidepost-test", "us-east-1")
        tables.create_all()
        boto3.client("ssm", region_name="us-east-1").put_parameter(
            Name="/tidepost/test/providers",
            Value=json.dumps({"providers": [provider]}),
            Type="String",
        )
        boto3.client("secretsmanager", region_name="us-east-1").create_secret(
            Name="tidepost/test/message-id-key", SecretString=KEY
        )
        yield
    webhooks.cache_clear()


@pytest.mark.usefixtures("_deployment")
def test_a_call_ends_in_the_engagements_table() -> None:
    now = datetime(2026, 11, 24, 8, tzinfo=UTC)
    key = ChunkKey(REF.workspace, REF.campaign, REF.chunk)
    people = tuple(to_text(SUBSCRIBER, n.to_bytes(12, "big")) for n in range(10))
    DynamoLedger().put_plan(ChunkPlan(key, people))
    DynamoLedger().begin(Attempt(key, 1, "w", now, ("sendgrid",), bytes([1] * 10), bytes(10)))
    message_id = MessageIds(KEY.encode()).make(REF)
    # An event of a type unknown today, and one with nothing in it but what must be.
    full = {"email": "ada@example.com", "event": "new", "sg_event_id": "e1", "ip": "203.0.113.9"}
    bare = {"tidepost_id": message_id, "timestamp": 1767225600}
    body = json.dumps([{**bare, **full}, bare])
    call = {
        "rawPath": "/webhooks/sendgrid",
        "requestContext": {"http": {"method": "POST"}},
        "headers": sendgrid_signer().headers(body.encode()),
        "body": body,
    }
    for _ in range(2):
        assert handler(call, cast("LambdaContext", None))["statusCode"] == 200
    stored = DynamoEngagements().of_chunk(REF.workspace, REF.campaign, REF.chunk)
    assert sorted(one.event.esp_type for one in stored) == ["", "new"]
    assert {one.subscriber for one in stored} == {people[REF.index]}
