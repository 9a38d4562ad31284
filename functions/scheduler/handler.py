"""Every minute: release what may go, recover what got stuck, settle doubts, finish campaigns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.scheduler.wiring import Services, services

_SPARE = timedelta(seconds=10)


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """The Lambda function; what it did is logged, and returned to whoever invokes it by hand."""
    return tick(services(), context)


def tick(own: Services, context: LambdaContext) -> dict[str, int]:
    """One minute's work."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    did = own.scheduler.tick(own.clock.now() + left - _SPARE).did
    done = {name: count for name, count in did.items() if count}
    own.logger.info("tick", extra={"did": done})
    for name, count in done.items():
        own.metrics.add_metric(name, MetricUnit.Count, count)
    if done:
        own.metrics.flush_metrics()
    return done
