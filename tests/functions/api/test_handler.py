"""The Lambda over real adapters: wiring, on moto."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.api import wiring
from functions.api.handler import handler
from shared.access.keys import ApiKeyService
from shared.access.model import Scope
from shared.clock import SystemClock
from shared.ids import WORKSPACE, Ids
from shared.storage import tables
from shared.storage.api_keys import DynamoApiKeys
from tests.functions.api.world import Context

REGION, STAGE = "us-east-1", "test"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "TIDEPOST_STAGE": STAGE,
    "TIDEPOST_TABLE_PREFIX": f"tidepost-{STAGE}",
    "TIDEPOST_PARAMETER_PATH": f"/tidepost/{STAGE}",
    "TIDEPOST_SECRET_PREFIX": f"tidepost/{STAGE}",
    "TIDEPOST_FILES_BUCKET": "files",
}


@pytest.fixture(autouse=True)
def _function(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    wiring.api.cache_clear()
    with mock_aws():
        yield
    wiring.api.cache_clear()


@pytest.fixture
def deployed() -> str:
    """The deployment's secrets, parameters and tables, and a key's text."""
    manager = boto3.client("secretsmanager", region_name=REGION)
    for name in ("subscriber-id-key", "message-id-key"):
        manager.create_secret(Name=f"tidepost/{STAGE}/{name}", SecretString=secrets.token_hex(32))
    links = json.dumps({"current": "k1", "k1": secrets.token_hex(32)})
    manager.create_secret(Name=f"tidepost/{STAGE}/link-keys", SecretString=links)
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name=f"/tidepost/{STAGE}/deployment",
        Type="String",
        Value=json.dumps({"public_url": "https://mail.example.com"}),
    )
    tables.bind(f"tidepost-{STAGE}", REGION)
    tables.create_all()
    clock = SystemClock()
    keys = ApiKeyService(
        DynamoApiKeys(), Ids(clock, secrets.token_bytes), clock, secrets.token_bytes
    )
    workspace = Ids(clock, secrets.token_bytes).new(WORKSPACE)
    return keys.issue(workspace, "test", [Scope.ADMIN], 600, "test")[1]


def call(method: str, path: str, key: str = "", body: object = None) -> dict[str, Any]:
    event = {
        "path": path,
        "httpMethod": method,
        "headers": {"authorization": f"Bearer {key}"},
        "requestContext": {"requestId": "request-1"},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    return handler(event, Context())  # type: ignore[arg-type]  # what is used of it


def test_requests_are_served_from_the_deployments_tables(deployed: str) -> None:
    assert call("GET", "/v1/health")["statusCode"] == 200
    assert call("GET", "/v1/lists")["statusCode"] == 401
    created = call("POST", "/v1/lists", deployed, {"name": "News"})
    assert created["statusCode"] == 201
    listed = json.loads(call("GET", "/v1/lists", deployed)["body"])
    assert listed["items"] == [json.loads(created["body"])]
    assert wiring.api() is wiring.api()


def test_a_deployment_that_is_not_usable_says_so_and_the_next_request_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        answer = call("GET", "/v1/health")
        assert answer["statusCode"] == 500
        assert json.loads(answer["body"])["type"] == "urn:tidepost:problem:configuration-error"
        assert answer["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    assert "subscriber-id-key does not exist" in vars(caplog.records[-1])["says"]
