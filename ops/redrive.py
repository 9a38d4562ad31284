"""Sends dead letters back to their queues: `python -m ops.redrive --stage dev`.

Letters of `jobs-dlq` and `ses-events-dlq` go back to the queue they came from,
by SQS's own message-move task, at most RATE a second. What takes them bears
being asked twice. An emulator without such tasks has them moved one by one.
The chunks of `bulk-dlq` and `transactional-dlq` are fed back by the scheduler,
and letters of `aggregator-dlq` name positions of a stream, which no queue can
take back: of these three only the number is told.

Redrive once the cause is mended. The caller needs `sqs:GetQueueUrl`,
`sqs:GetQueueAttributes`, `sqs:StartMessageMoveTask`, `sqs:ListMessageMoveTasks`,
`sqs:ReceiveMessage` and `sqs:DeleteMessage` on the dead-letter queues, and
`sqs:SendMessage` on the others.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ops.aws import Aws, AwsRefused

REDRIVEN = ("jobs", "ses-events")
TOLD = {
    "bulk-dlq": "the scheduler feeds them back by itself; see its log if they stay",
    "transactional-dlq": "the scheduler feeds them back by itself; see its log if they stay",
    "aggregator-dlq": (
        "they name positions of the engagements stream and cannot be moved; the events are in the"
        " engagements table, but those of these positions are not counted"
    ),
}
RATE = 50
"""Messages a second; SQS allows 500 at the most."""

LIMIT = 10_000
"""Messages that are moved one by one, where there are no message-move tasks."""

_POLLS = 120
_POLL_S = 5
_HIDDEN_S = 60
_ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of a dead-letter queue. `note` says what is still to be done, if anything."""

    queue: str
    waiting: int
    moved: int = 0
    note: str = ""
    failed: bool = False

    def line(self) -> str:
        """For the operator."""
        text = f"{self.queue:<18} {self.waiting:>6} waiting {self.moved:>6} moved"
        return f"{text}  {self.note}" if self.note else text


def redrive(
    aws: Aws, stage: str, name: str, *, sleep: Callable[[float], None], limit: int = LIMIT
) -> Redriven:
    """Moves the letters of `<name>-dlq` back to the queue `name`, and waits for the end.

    It waits ten minutes at the most; a task that takes longer goes on by itself.

    Raises:
        AwsRefused: there is no such queue, or AWS refused a call.
    """
    dead = f"{name}-dlq"
    url, arn, waiting = _queue(aws, stage, dead)
    if not waiting:
        return Redriven(dead, 0)
    try:
        aws.call("sqs", "StartMessageMoveTask", SourceArn=arn, MaxNumberOfMessagesPerSecond=RATE)
    except AwsRefused:
        if not aws.emulated:
            raise
        target, _, _ = _queue(aws, stage, name)
        return Redriven(dead, waiting, _by_hand(aws, url, target, limit))
    for _ in range(_POLLS):
        sleep(_POLL_S)
        task = aws.call("sqs", "ListMessageMoveTasks", SourceArn=arn)["Results"][0]
        moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        if task["Status"] in _ENDED:
            failed = task["Status"] != "COMPLETED"
            note = f"{task['Status'].lower()}: {task.get('FailureReason', '')}" if failed else ""
            return Redriven(dead, waiting, moved, note, failed)
    return Redriven(dead, waiting, moved, "the task goes on by itself; look again later")


def count(aws: Aws, stage: str, dead: str) -> Redriven:
    """How many letters wait in a queue that is not redriven here. Raises AwsRefused."""
    _, _, waiting = _queue(aws, stage, dead)
    return Redriven(dead, waiting, note=TOLD[dead] if waiting else "")


def _queue(aws: Aws, stage: str, name: str) -> tuple[str, str, int]:
    """URL, ARN and the approximate number of messages."""
    url = str(aws.call("sqs", "GetQueueUrl", QueueName=f"tidepost-{stage}-{name}")["QueueUrl"])
    wanted = ["QueueArn", "ApproximateNumberOfMessages"]
    answer = aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=wanted)
    attributes = answer["Attributes"]
    return url, attributes["QueueArn"], int(attributes["ApproximateNumberOfMessages"])


def _by_hand(aws: Aws, source: str, target: str, limit: int) -> int:
    """Sends on and deletes, in this order: a crash between the two repeats a message."""
    moved = 0
    while moved < limit:
        answer = aws.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=source,
            MaxNumberOfMessages=min(10, limit - moved),
            VisibilityTimeout=_HIDDEN_S,
        )
        messages = answer.get("Messages", ())
        if not messages:
            break
        for message in messages:
            aws.call("sqs", "SendMessage", QueueUrl=target, MessageBody=message["Body"])
            handle = message["ReceiptHandle"]
            aws.call("sqs", "DeleteMessage", QueueUrl=source, ReceiptHandle=handle)
            moved += 1
    return moved


def main(
    arguments: Sequence[str] | None = None,
    *,
    aws: Aws | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Runs the command; 0 unless a move failed or AWS refused a call."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.redrive", description="Send dead letters back to their queues."
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument("--queue", choices=REDRIVEN, help="only this queue's dead letters")
    options = parser.parse_args(arguments)
    cloud = aws or Aws()
    failed = False
    try:
        for name in (options.queue,) if options.queue else REDRIVEN:
            result = redrive(cloud, options.stage, name, sleep=sleep)
            print(result.line())
            failed = failed or result.failed
        for dead in () if options.queue else TOLD:
            print(count(cloud, options.stage, dead).line())
    except AwsRefused as error:
        print(f"redrive: {error}", file=sys.stderr)
        return 1
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
