"""Counts what the engagements stream brings, and suppresses who must not be mailed again."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aggregator.wiring import Services, services
from shared.analytics.aggregating import Record

_ONE_SHARD = "all"
"""The shard's name where the event names none: without a tumbling window AWS does not say it."""


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """The Lambda function. An exception makes the stream bring the whole batch again."""
    apply(services(), event)


def apply(own: Services, event: dict[str, Any]) -> None:
    """Applies one batch, which is of one shard and in order."""
    records = [
        Record(
            sequence=record["dynamodb"]["SequenceNumber"],
            engagement=own.engagement_of(record["dynamodb"]["NewImage"]),
        )
        for record in event["Records"]
        if record["eventName"] == "INSERT"
    ]
    if not records:
        return
    new = own.aggregator.apply(event.get("shardId", _ONE_SHARD), records)
    own.logger.info("events counted", extra={"records": len(records), "new": new})
    own.metrics.add_metric("events_counted", MetricUnit.Count, new)
    own.metrics.flush_metrics()
