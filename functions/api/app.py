"""The API: gate, resolver, problems, and one log line per request."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.models import Server
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api.endpoints import Endpoint, RouteTable
from functions.api.gate import admit
from functions.api.openapi import Resolver
from functions.api.problems import CONTENT_TYPE, Problem, problem_of
from functions.api.routes import NOUNS
from functions.api.services import Services
from functions.api.visit import CONTEXT_KEY, Visit
from shared.clock import to_millis
from shared.errors import FieldProblem, InvalidInput, TidepostError

DOCS = "/docs"
DOCUMENT = "/docs/openapi.json"

_EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Api:
    """Answers API Gateway's REST proxy events."""

    def __init__(self, services: Services, logger: Logger, metrics: Metrics) -> None:
        self._services = services
        self._logger = logger
        self._metrics = metrics
        declared = [endpoint for noun in NOUNS for endpoint in noun.declared]
        self._routes = RouteTable([*declared, *_documents(self)])
        self._resolver = Resolver(
            enable_validation=True,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            json_body_deserializer=_json_object,
        )
        self._resolver.declare(declared)
        self._resolver.enable_swagger(path=DOCS, servers=[Server(url=".")])
        self._resolver.get(DOCUMENT, include_in_schema=False)(self.document)
        self._resolver.exception_handler(Exception)(self._on_error)

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """The answer to one request, in the form that API Gateway takes."""
        proxy_event = APIGatewayProxyEvent(event)
        request_id = event.get("requestContext", {}).get("requestId") or context.aws_request_id
        visit = Visit(request_id, proxy_event, context, self._services)
        started = to_millis(self._services.clock.now())
        try:
            admit(visit, self._routes)
            self._resolver.context[CONTEXT_KEY] = visit
            answer = self._resolver.resolve(event, context)
        except Exception as error:  # noqa: BLE001  # the caller gets a problem, the log the error
            answer = as_answer(self._problem(visit, error), visit.id)
        status = int(answer["statusCode"])
        if status == HTTPStatus.NO_CONTENT:
            answer["body"] = ""
            answer["multiValueHeaders"].pop("Content-Type")
        headers = {**_EVERY_ANSWER, "X-Request-Id": visit.id}
        answer["multiValueHeaders"] |= {name: [value] for name, value in headers.items()}
        took = to_millis(self._services.clock.now()) - started
        self._record(visit, status, took)
        return {**answer, "statusCode": status}

    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        schema = self._resolver.get_openapi_schema(servers=[Server(url="..")])
        return schema.model_dump(mode="json", by_alias=True, exclude_none=True)

    def _on_error(self, error: Exception) -> Response[str]:
        visit: Visit = self._resolver.context[CONTEXT_KEY]
        problem = self._problem(visit, error)
        return Response(problem.status, CONTENT_TYPE, problem.body(visit.id), problem.headers)

    def _problem(self, visit: Visit, error: Exception) -> Problem:
        problem = problem_of(error)
        visit.problem = problem.code
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log_unexpected(self._logger, error, visit.id)
        return problem

    def _record(self, visit: Visit, status: int, took_ms: int) -> None:
        line: Mapping[str, Any] = {
            "request": visit.id,
            "method": visit.event.http_method,
            "route": visit.endpoint.path if visit.endpoint else None,
            "status": status,
            "ms": took_ms,
            "key": visit.key.id if visit.key else None,
            "problem": visit.problem or None,
        }
        self._logger.info("request", extra=dict(line))
        self._metrics.add_metric("Requests", MetricUnit.Count, 1)
        self._metrics.add_metric("Duration", MetricUnit.Milliseconds, took_ms)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._metrics.add_metric("ServerErrors", MetricUnit.Count, 1)
        elif status >= HTTPStatus.BAD_REQUEST:
            self._metrics.add_metric("ClientErrors", MetricUnit.Count, 1)
        self._metrics.flush_metrics()


def _documents(api: Api) -> list[Endpoint]:
    return [
        Endpoint("GET", path, api.document, "docs", None, HTTPStatus.OK, once=False)
        for path in (DOCS, DOCUMENT)
    ]


def log_unexpected(logger: Logger, error: Exception, request_id: str) -> None:
    """Logs where an error arose; what it says only if it is one of ours.

    A foreign error's text may quote an address, a token or a body.
    """
    frames = traceback.extract_tb(error.__traceback__)
    said = {"says": str(error)} if isinstance(error, TidepostError) else {}
    logger.error(
        "unexpected error",
        extra={
            "error": type(error).__qualname__,
            "because": type(error.__cause__).__qualname__ if error.__cause__ else None,
            "request": request_id,
            "where": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            **said,
        },
    )


def as_answer(problem: Problem, request_id: str) -> dict[str, Any]:
    """A problem in the form that API Gateway takes."""
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return {
        "statusCode": int(problem.status),
        "body": problem.body(request_id),
        "isBase64Encoded": False,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
    }


def _json_object(text: str) -> dict[str, Any]:
    """Strict JSON; Powertools would take the first of an array's elements for the body."""
    body = orjson.loads(text)
    if not isinstance(body, dict):
        raise InvalidInput(FieldProblem("body", "must be a JSON object"))
    return body
