from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.aws import Aws, AwsRefused
from ops.redrive import REDRIVEN, TOLD, main, redrive
from ops.stage_facts import DEAD_LETTERS
from tests.ops.fakes import FakeAws, refusal

QUEUE = "https://sqs.us-east-1.amazonaws.com/1/q"
ARN = "arn:aws:sqs:us-east-1:1:tidepost-dev-jobs-dlq"


def answers(waiting: int, *tasks: dict[str, Any]) -> dict[str, Any]:
    listed = iter(tasks)
    return {
        "sqs.GetQueueUrl": {"QueueUrl": QUEUE},
        "sqs.GetQueueAttributes": {
            "Attributes": {"QueueArn": ARN, "ApproximateNumberOfMessages": str(waiting)}
        },
        "sqs.StartMessageMoveTask": {"TaskHandle": "t"},
        "sqs.ListMessageMoveTasks": lambda **_: {"Results": [next(listed)]},
    }


def no_sleep(_: float) -> None:
    """Time passes."""


def test_every_dead_letter_queue_is_spoken_of() -> None:
    assert {f"{name}-dlq" for name in REDRIVEN} | set(TOLD) == set(DEAD_LETTERS)


def test_a_task_is_started_and_waited_for() -> None:
    running = {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 1}
    done = {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 3}
    aws = FakeAws(answers(3, running, done))
    slept: list[float] = []
    result = redrive(aws, "dev", "jobs", sleep=slept.append)
    assert (result.waiting, result.moved, result.failed) == (3, 3, False)
    assert len(slept) == 2
    assert aws.calls.count("sqs.StartMessageMoveTask") == 1


def test_nothing_waiting_starts_nothing() -> None:
    aws = FakeAws(answers(0))
    assert redrive(aws, "dev", "jobs", sleep=no_sleep).moved == 0
    assert "sqs.StartMessageMoveTask" not in aws.calls


def test_a_task_that_takes_long_is_left_to_go_on() -> None:
    running = {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 9}
    result = redrive(FakeAws(answers(900, *[running] * 500)), "dev", "jobs", sleep=no_sleep)
    assert (result.moved, result.failed) == (9, False)
    assert "goes on" in result.note


def test_a_task_that_failed_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {
        "Status": "FAILED",
        "ApproximateNumberOfMessagesMoved": 0,
        "FailureReason": "AccessDenied",
    }
    aws = FakeAws(answers(1, failed))
    assert main(["--stage", "dev", "--queue", "jobs"], aws=aws, sleep=no_sleep) == 1
    assert "AccessDenied" in capsys.readouterr().out


def test_aws_that_refuses_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"sqs.StartMessageMoveTask": refusal("sqs", "StartMessageMoveTask", "AccessDenied")}
    aws = FakeAws(answers(1) | refused)
    with pytest.raises(AwsRefused):
        redrive(aws, "dev", "jobs", sleep=no_sleep)
    assert main(["--stage", "dev"], aws=aws, sleep=no_sleep) == 1
    assert "StartMessageMoveTask" in capsys.readouterr().err


class Emulated(Aws):
    """Moto's SQS, as an emulator that has no message-move tasks."""

    @property
    def emulated(self) -> bool:
        return True

    def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        if operation == "StartMessageMoveTask":
            return refusal(service, operation, "InvalidAction")()
        return super().call(service, operation, **arguments)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        yield {
            name: sqs.create_queue(QueueName=f"tidepost-dev-{name}")["QueueUrl"]
            for name in (*REDRIVEN, *DEAD_LETTERS)
        }


def bodies(url: str) -> list[str]:
    sqs = boto3.client("sqs", region_name="us-east-1")
    found = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in got]
    return sorted(found)


def test_where_there_are_no_tasks_letters_are_moved_one_by_one(
    queues: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = boto3.client("sqs", region_name="us-east-1")
    for number in range(23):
        sqs.send_message(QueueUrl=queues["jobs-dlq"], MessageBody=f"job {number:02d}")
    sqs.send_message(QueueUrl=queues["aggregator-dlq"], MessageBody="a position")
    assert main(["--stage", "dev"], aws=Emulated(), sleep=no_sleep) == 0
    assert bodies(queues["jobs"]) == [f"job {number:02d}" for number in range(23)]
    assert bodies(queues["jobs-dlq"]) == []
    assert bodies(queues["aggregator-dlq"]) == ["a position"]
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(told) == set(DEAD_LETTERS)
    assert told["jobs-dlq"].split()[1:] == ["23", "waiting", "23", "moved"]
    assert "cannot be moved" in told["aggregator-dlq"]


def test_no_more_than_the_limit_is_moved_one_by_one(queues: dict[str, str]) -> None:
    sqs = boto3.client("sqs", region_name="us-east-1")
    for number in range(15):
        sqs.send_message(QueueUrl=queues["ses-events-dlq"], MessageBody=str(number))
    result = redrive(Emulated(), "dev", "ses-events", sleep=no_sleep, limit=12)
    assert (result.waiting, result.moved) == (15, 12)
    assert len(bodies(queues["ses-events"])) == 12


@pytest.mark.usefixtures("queues")
def test_a_stage_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stage", "none"], aws=Emulated(), sleep=no_sleep) == 1
    assert "GetQueueUrl" in capsys.readouterr().err
