"""Every minute: release what may go, recover what got stuck, settle doubts, finish campaigns."""

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

from functions.scheduler.wiring import Services, services
from shared.delivery.model import DueItem

_SPARE = timedelta(seconds=10)


def handler(event: dict[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """The Lambda function: the minute's tick, or the chunks that dead-letter queues bring.

    What a tick did is logged, and returned to whoever invokes it by hand.
    """
    if "Records" in event:
        return feed_back(services(), event, context)
    return tick(services(), context)


def tick(own: Services, context: LambdaContext) -> dict[str, int]:
    """One minute's work, and what it found as metrics; zeros are left out."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    tick = own.scheduler.tick(own.clock.now() + left - _SPARE)
    done = {name: count for name, count in tick.did.items() if count}
    own.logger.info("tick", extra={"did": done, "silent": tick.silent})
    for provider, code in tick.out_of_service.items():
        own.logger.error("a provider is out of service", extra={"provider": provider, "code": code})
    for provider, error in tick.search_errors.items():
        own.logger.error("a search failed", extra={"provider": provider, "error": error})
    for name, count in done.items():
        own.metrics.add_metric(name, MetricUnit.Count, count)
    for name, unit, value in (
        ("oldest_waiting_s", MetricUnit.Seconds, tick.oldest_waiting_s),
        ("in_doubt", MetricUnit.Count, tick.in_doubt),
        ("silent_providers", MetricUnit.Count, len(tick.silent)),
        ("out_of_service_providers", MetricUnit.Count, len(tick.out_of_service)),
        ("searches_failed", MetricUnit.Count, len(tick.search_errors)),
    ):
        if value:
            own.metrics.add_metric(name, unit, value)
    if own.metrics.metric_set:  # Powertools warns of an empty set
        own.metrics.flush_metrics()
    return done


def feed_back(own: Services, event: dict[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Dead-lettered chunks become due at once: the ledger says what is still to be done.

    A letter that is not ours stays in its queue, whose alarm calls an operator.
    """

    def again(record: SQSRecord) -> None:
        try:
            key = own.key_of(record.body)
            own.due.add([DueItem(own.clock.now(), key)])
        except Exception:
            own.logger.exception("a dead letter could not be fed back and stays")
            raise
        own.logger.info(
            "dead letter fed back", extra={"campaign": key.campaign, "chunk": key.chunk}
        )
        own.metrics.add_metric("dead_letters_fed_back", MetricUnit.Count, 1)

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    answer = process_partial_response(event, again, processor, context)
    if own.metrics.metric_set:  # Powertools warns of an empty set
        own.metrics.flush_metrics()
    return answer
