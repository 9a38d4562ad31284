"""What the functions' tests run in: a log and a context, and a whole deployment on moto."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from shared.storage import tables

PREFIX = "tidepost-test"
QUEUES = ("bulk", "transactional", "bulk-dlq", "transactional-dlq", "jobs")
SECRET = "made-up random text of more than thirty-two characters"
_loggers = itertools.count()


class Log:
    """A logger whose lines can be read."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.logger = Logger(service=f"test-{next(_loggers)}", stream=self._out, level="INFO")

    @property
    def text(self) -> str:
        return self._out.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


class Context(LambdaContext):
    """What Lambda tells a function about its run."""

    def __init__(self, seconds: float = 120) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # static by mistake there
        return int(self._seconds * 1000)


def sqs_event(*bodies: str, queue: str = "bulk") -> dict[str, Any]:
    """A batch as Lambda's event source for SQS delivers it; message ids are `m0`, `m1`, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795507200000",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1795507200001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{PREFIX}-{queue}",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def schedule_event() -> dict[str, Any]:
    """What an EventBridge rule with a schedule sends."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-24T08:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/EveryMinute"],
        "detail": {},
    }


def emf(printed: str) -> dict[str, float]:
    """The metrics of all EMF documents that were printed, summed by name."""
    sums: dict[str, float] = {}
    for line in printed.splitlines():
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Tidepost"
            for metric in directive["Metrics"]:
                name = metric["Name"]
                sums[name] = sums.get(name, 0) + sum(document[name])
    return sums


class Deployment:
    """The resources of a deployed stack."""

    def __init__(self, queues: Mapping[str, str]) -> None:
        self.queues = queues
        self._sqs = boto3.client("sqs")

    def send(self, queue: str, body: str) -> None:
        self._sqs.send_message(QueueUrl=self.queues[queue], MessageBody=body)

    def receive(self, queue: str) -> list[str]:
        """Takes the messages that are there out of a queue."""
        bodies = []
        url = self.queues[queue]
        while found := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            for message in found:
                bodies.append(message["Body"])
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@contextmanager
def deployed(
    monkeypatch: pytest.MonkeyPatch,
    *,
    providers: Sequence[Mapping[str, Any]] = (),
    provider_secrets: Mapping[str, Mapping[str, str]] | None = None,
    endpoint_url: str = "",
) -> Iterator[Deployment]:
    """A deployment on moto, in this process or at `endpoint_url`; the environment names it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TIDEPOST_STAGE": "test",
        "TIDEPOST_TABLE_PREFIX": PREFIX,
        "TIDEPOST_PARAMETER_PATH": "/tidepost/test",
        "TIDEPOST_SECRET_PREFIX": "tidepost/test",
        "TIDEPOST_FILES_BUCKET": f"{PREFIX}-files",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint_url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    with nullcontext() if endpoint_url else mock_aws():
        tables.bind(PREFIX, "us-east-1", endpoint_url)
        tables.create_all()
        yield _built(monkeypatch, providers, provider_secrets or {})


def _built(
    monkeypatch: pytest.MonkeyPatch,
    providers: Sequence[Mapping[str, Any]],
    provider_secrets: Mapping[str, Mapping[str, str]],
) -> Deployment:
    sqs = boto3.client("sqs")
    queues = {name: sqs.create_queue(QueueName=f"{PREFIX}-{name}")["QueueUrl"] for name in QUEUES}
    for name in ("bulk", "transactional", "jobs"):
        monkeypatch.setenv(f"TIDEPOST_{name.upper()}_QUEUE_URL", queues[name])
    boto3.client("s3").create_bucket(Bucket=f"{PREFIX}-files")
    parameters = {
        "providers": {"providers": list(providers)},
        "deployment": {"public_url": "https://mail.example.com"},
        "delivery_rules": {},
        "warming_schedule": {"per_day": [50, 58, 66]},
    }
    ssm = boto3.client("ssm")
    for name, document in parameters.items():
        ssm.put_parameter(Name=f"/tidepost/test/{name}", Value=json.dumps(document), Type="String")
    secrets = {
        "subscriber-id-key": SECRET,
        "message-id-key": SECRET,
        "link-keys": json.dumps({"current": "k1", "k1": SECRET}),
        **{name: json.dumps(secret) for name, secret in provider_secrets.items()},
    }
    manager = boto3.client("secretsmanager")
    for name, text in secrets.items():
        manager.create_secret(Name=f"tidepost/test/{name}", SecretString=text)
    return Deployment(queues)
