"""Tables, queues and logs of a deployment: protected as the stage asks, and nothing stuck."""

from __future__ import annotations

from collections.abc import Iterator

from ops.aws import Aws
from ops.findings import Finding, none_wrong, ok, warn
from ops.stage_facts import DEAD_LETTERS, TABLES, StageFacts

_DEPLOY = "deploy again; if it stays, see the stack's events and drift"
_TTL = "ttl"


def tables(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """All tables are active, on demand, and protected from deletion exactly where data is kept."""
    wrong = []
    for name in TABLES:
        table = aws.call("dynamodb", "DescribeTable", TableName=facts.full(name))["Table"]
        if table["TableStatus"] != "ACTIVE":
            wrong.append(f"{name} is {table['TableStatus']}")
        if table.get("DeletionProtectionEnabled", False) is not facts.retains:
            wrong.append(f"{name}: deletion protection is {'off' if facts.retains else 'on'}")
    state = "on" if facts.retains else "off"
    yield none_wrong(f"{len(TABLES)} active, deletion protection {state}", wrong, _DEPLOY)


def recovery(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """Point-in-time recovery is on for every table."""
    wrong = []
    for name in TABLES:
        answer = aws.call("dynamodb", "DescribeContinuousBackups", TableName=facts.full(name))
        status = (
            answer["ContinuousBackupsDescription"]
            .get("PointInTimeRecoveryDescription", {})
            .get("PointInTimeRecoveryStatus")
        )
        if status != "ENABLED":
            wrong.append(f"{name}: {status}")
    yield none_wrong(f"on for {len(TABLES)} tables", wrong, _DEPLOY)


def expiry(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """Every table lets items expire by `ttl`."""
    wrong = []
    for name in TABLES:
        answer = aws.call("dynamodb", "DescribeTimeToLive", TableName=facts.full(name))
        live = answer["TimeToLiveDescription"]
        if live.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"} or (
            live.get("AttributeName") != _TTL
        ):
            wrong.append(f"{name}: {live.get('TimeToLiveStatus')}")
    yield none_wrong(f"by `{_TTL}` in {len(TABLES)} tables", wrong, _DEPLOY)


def dead_letters(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """All dead-letter queues are there, and empty."""
    held = {}
    for name in DEAD_LETTERS:
        url = aws.call("sqs", "GetQueueUrl", QueueName=facts.full(name))["QueueUrl"]
        counted = "ApproximateNumberOfMessages"
        answer = aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=[counted])
        held[name] = int(answer["Attributes"][counted])
    full = ", ".join(f"{name} holds {count}" for name, count in held.items() if count)
    if full:
        yield warn(full, "see the function's log for why, then redrive them")
    else:
        yield ok(f"{len(held)} there, all empty")


def logs(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """Every log group is kept for as long as the stage says, and no longer."""
    days = {
        group["logGroupName"]: group.get("retentionInDays")
        for start in (f"/aws/lambda/{facts.prefix}-", f"/aws/vendedlogs/{facts.prefix}-")
        for group in aws.every("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=start)
    }
    wrong = []
    for name in facts.log_groups:
        if name not in days:
            wrong.append(f"{name} is not there")
        elif days[name] != facts.retention_days:
            wrong.append(f"{name} keeps {days[name] or 'for ever'}")
    yield none_wrong(
        f"{len(facts.log_groups)} groups keep {facts.retention_days} days", wrong, _DEPLOY
    )
