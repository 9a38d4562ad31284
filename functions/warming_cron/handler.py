"""Every day: advances each provider's warm-up and writes its quota, nothing else."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.warming_cron.wiring import Services, services


def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """The Lambda function; the decisions are logged, and returned to who invokes it by hand."""
    return advance(services())


def advance(own: Services) -> dict[str, str]:
    """One day's step of every warm-up."""
    decisions = {}
    for step in own.warming.advance(own.providers, own.others):
        own.logger.info(
            "warm-up",
            extra={
                "provider": step.warmup.provider,
                "day": step.warmup.day,
                "quota": step.quota,
                "decision": step.decision,
            },
        )
        decisions[step.warmup.provider] = step.decision
        own.metrics.add_metric(
            f"{step.warmup.provider}_warmup_day", MetricUnit.Count, step.warmup.day
        )
    if decisions:
        own.metrics.flush_metrics()
    return decisions
