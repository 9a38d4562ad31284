"""Sends the chunks that SQS brings: bulk one at a time, transactional ones by tens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.dispatcher.wiring import Services, services
from shared.delivery.recording import Run

_SPARE = timedelta(seconds=20)
"""What is left of the time-out for recording the last answers of the ESPs."""


def handler(event: dict[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """The Lambda function: says which messages are to be delivered again."""
    return dispatch(services(), event, context)


def dispatch(own: Services, event: dict[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Runs every chunk of the batch; one that fails does not cost the others."""
    deadline = (
        own.clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - _SPARE
    )

    def send(record: SQSRecord) -> None:
        try:
            run = own.dispatcher.run(own.key_of(record.body), deadline)
        except Exception:
            own.logger.exception("a chunk could not be run and comes again")
            raise
        _report(own, run)

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    try:
        return process_partial_response(event, send, processor, context)
    finally:
        if own.metrics.metric_set:  # Powertools warns of an empty set
            own.metrics.flush_metrics()


def _report(own: Services, run: Run) -> None:
    """One log line a chunk, and metrics per provider and verdict."""
    own.logger.info(
        "chunk",
        extra={
            "campaign": run.key.campaign,
            "chunk": run.key.chunk,
            "attempt": run.outcome.attempt,
            "posted": dict(run.posted),
            "excluded": run.excluded,
            "note": run.note,
        },
    )
    for name, count in run.posted.items():
        provider, _, verdict = name.partition("|")
        own.metrics.add_metric(f"{provider}_{verdict}", MetricUnit.Count, count)
    for provider in run.faults:
        own.metrics.add_metric(f"{provider}_out_of_service", MetricUnit.Count, 1)
