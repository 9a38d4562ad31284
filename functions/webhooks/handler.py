"""Takes in what the ESPs report: webhooks by API Gateway (HTTP API, payload 2.0), SES by SQS.

A report that is no good is answered with 4xx or, from the queue, logged and
dropped: no repetition would mend it. Only what may go well another time is
answered with 503 or given back to the queue.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.webhooks.wiring import Webhooks, webhooks
from shared.delivery.intake import IntakeSummary
from shared.delivery.ports import EventSource
from shared.errors import BadPayload, BadSignature, TidepostError, WebhookRejected

MAX_BODY_BYTES = 1024 * 1024
"""More than an ESP posts: SendGrid's arrays end at about 768 KB. Only Postmark's bounces with
their content included could have more: leave that option off."""

QUEUE = "ses-events"
_PROBLEM = "urn:tidepost:problem:"


def handler(event: dict[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """The Lambda function."""
    services = webhooks()
    reports = len(event["Records"]) if "Records" in event else 1
    services.metrics.add_metric("reports", MetricUnit.Count, reports)
    try:
        if "Records" in event:
            return take_messages(services, event, context)
        return take_call(services, event)
    finally:
        services.metrics.flush_metrics()


def take_call(services: Webhooks, event: Mapping[str, Any]) -> dict[str, Any]:
    """One call of `POST /webhooks/{provider}`, as an answer for API Gateway."""
    if event["requestContext"]["http"]["method"] != "POST":
        return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed")
    name = event["rawPath"].rstrip("/").rpartition("/")[2]
    try:
        source = services.sources.named(name)
        if source is None:
            return _problem(HTTPStatus.NOT_FOUND, "not-found", "there is no such provider")
        body = _body(event)
        if len(body) > MAX_BODY_BYTES:
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, BadPayload.code)
        headers = {key.lower(): value for key, value in (event.get("headers") or {}).items()}
        summary = _take(services, source, headers, body)
    except WebhookRejected as error:
        _refused(services, error, name)
        return _refusal(error)
    except TidepostError as error:
        _not_now(services, error, name)
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code)
    services.logger.info(
        "a webhook call was taken in", extra={"origin": name, "events": dict(summary)}
    )
    return _answer(HTTPStatus.OK, "application/json", {"events": summary})


def take_messages(
    services: Webhooks, event: dict[str, Any], context: LambdaContext
) -> PartialItemFailureResponse:
    """A batch of queue ses-events; says which messages are to be delivered again."""
    total: IntakeSummary = Counter()

    def take_message(record: SQSRecord) -> None:
        try:
            body = record.body.encode("utf-8", "surrogatepass")
            total.update(_take(services, services.sources.of_envelope(body), {}, body))
        except WebhookRejected as error:
            _refused(services, error, QUEUE)
        except Exception as error:
            _not_now(services, error, QUEUE)
            raise

    # All failed is said like some failed: an exception would cost the container as well.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(event, take_message, processor, context)
    services.logger.info("SES events were taken in", extra={"origin": QUEUE, "events": dict(total)})
    return response


def _take(
    services: Webhooks, source: EventSource, headers: Mapping[str, str], body: bytes
) -> IntakeSummary:
    report = source.verify_and_parse(headers, body)
    if report.notice:
        services.logger.info(report.notice, extra={"origin": source.provider})
    summary = services.intake.take(report)
    for outcome, count in summary.items():
        services.metrics.add_metric(f"events_{outcome}", MetricUnit.Count, count)
    return summary


def _refused(services: Webhooks, error: WebhookRejected, origin: str) -> None:
    name = f"reports_{error.code.replace('-', '_')}"
    services.metrics.add_metric(name, MetricUnit.Count, 1)
    services.logger.warning("a report was refused", extra={"origin": origin, "reason": str(error)})


def _not_now(services: Webhooks, error: Exception, origin: str) -> None:
    services.metrics.add_metric("reports_not_now", MetricUnit.Count, 1)
    services.logger.error(
        "a report cannot be taken in now and has to come again",
        extra={"origin": origin},
        exc_info=error,
    )


def _body(event: Mapping[str, Any]) -> bytes:
    text: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPayload("the body is not the base64 that it is said to be") from error


def _refusal(error: WebhookRejected) -> dict[str, Any]:
    if isinstance(error, BadSignature):
        # Why exactly is for the operator's log, and not for who tries signatures.
        return _problem(HTTPStatus.UNAUTHORIZED, error.code, "the report does not verify")
    return _problem(HTTPStatus.BAD_REQUEST, error.code, str(error))


def _problem(status: HTTPStatus, code: str, detail: str = "") -> dict[str, Any]:
    """A problem document (RFC 9457)."""
    document = {"type": _PROBLEM + code, "title": status.phrase, "status": status, "detail": detail}
    answer = _answer(status, "application/problem+json", document)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer["headers"]["allow"] = "POST"
    return answer


def _answer(status: HTTPStatus, content_type: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": int(status),
        "headers": {"content-type": content_type},
        "body": json.dumps(document),
    }
