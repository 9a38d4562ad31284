"""Counts what the stream brings, notes it of each person, suppresses who must not be mailed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.aggregator.wiring import Services, services
from shared.analytics.aggregating import Record

_ONE_SHARD = "all"
"""The shard's name where the event names none: without a tumbling window AWS does not say it."""

_NO_STATE: dict[str, Any] = {"state": {}}


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """The Lambda function. An exception makes the stream bring the whole batch again."""
    return apply(services(), event)


def apply(own: Services, event: dict[str, Any]) -> dict[str, Any]:
    """Applies one batch, which is of one shard and in order.

    The answer is an empty state: in a tumbling window, Lambda takes an answer
    without one for a failure.
    """
    records = [
        Record(
            sequence=record["dynamodb"]["SequenceNumber"],
            engagement=own.engagement_of(record["dynamodb"]["NewImage"]),
        )
        for record in event["Records"]
        if record["eventName"] == "INSERT"
    ]
    if not records:
        return _NO_STATE
    new = own.aggregator.apply(event.get("shardId", _ONE_SHARD), records)
    kept = own.late_events.drop([record.engagement for record in records])
    own.person_states.note(kept)
    own.logger.info("events counted", extra={"records": len(records), "new": new})
    own.metrics.add_metric("events_counted", MetricUnit.Count, new)
    own.metrics.flush_metrics()
    return _NO_STATE
