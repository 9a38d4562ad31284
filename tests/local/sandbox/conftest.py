"""A running sandbox, a receiver for its webhooks, and the real SDKs pointed at it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from postmarker.core import PostmarkClient
from sendgrid import SendGridAPIClient

from local.sandbox.behaviour import Document
from local.sandbox.server import Sandbox
from tests.recording_server import RecordingServer, recording_server

DRAIN_S = 30.0

Call = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture
def sandbox(state_dir: Path) -> Iterator[Sandbox]:
    running = Sandbox(state_dir)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def receiver() -> Iterator[RecordingServer]:
    with recording_server() as server:
        yield server


@pytest.fixture
def behave(sandbox: Sandbox) -> Callable[..., None]:
    def put(**document: Any) -> None:
        sandbox.behaviour.replace(Document.parse(document))
        sandbox.webhooks.retarget()

    return put


@pytest.fixture
def call(sandbox: Sandbox) -> Call:
    """One request: (status, body as JSON where it is JSON, else as text)."""

    def request(
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10,
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=timeout)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            kind = {"Content-Type": "application/json"}
            connection.request(method, path, data, kind | (headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text

    return request


@pytest.fixture
def sendgrid(sandbox: Sandbox) -> SendGridAPIClient:
    return SendGridAPIClient(sandbox.identity().sendgrid_api_key, host=f"{sandbox.url}/sendgrid")


@pytest.fixture
def postmark(sandbox: Sandbox) -> Iterator[PostmarkClient]:
    client = PostmarkClient(
        server_token=sandbox.identity().postmark_server_token, root_api_url=sandbox.url, timeout=10
    )
    yield client
    client.session.close()


@pytest.fixture
def ses(sandbox: Sandbox) -> Iterator[Any]:
    client = aws_client("sesv2", f"{sandbox.url}/ses")
    yield client
    client.close()


def aws_client(service: str, url: str, secret: str = "test") -> Any:
    make: Any = boto3.session.Session().client  # typed for literal service names only
    return make(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10),
    )


def simple_mail(to: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
    """A small Postmark message."""
    return {
        "From": "News <news@sender.example>",
        "To": to,
        "Subject": "Hello",
        "HtmlBody": '<p>Hi <a href="https://shop.example/a?x=1&amp;y=2">shop</a></p>',
        "TextBody": "Hi",
        "MessageStream": "broadcast",
        **fields,
    }
