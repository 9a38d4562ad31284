"""What recipients open (HTTP API, payload 2.0): see the module of each page.

`/u/{token}` unsubscribes, `/p/{token}` is the preference centre, `/c/{token}`
confirms a subscription, `/s/{token}` is a sign-up form. A GET or HEAD changes
nothing, since scanners open links.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.public import confirming, preferences, signing_up, unsubscribe
from functions.public.exchange import Answer, Request, forged
from functions.public.wiring import Public, public
from shared.errors import ForgedToken, TidepostError

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_PAGES = {
    "u": unsubscribe.serve,
    "p": preferences.serve,
    "c": confirming.serve,
    "s": signing_up.serve,
}
_RETRY_AFTER_S = {HTTPStatus.SERVICE_UNAVAILABLE: "60", HTTPStatus.TOO_MANY_REQUESTS: "60"}


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """The Lambda function."""
    return respond(public(), event)


def respond(services: Public, event: dict[str, Any]) -> dict[str, Any]:
    """One call, answered, counted and logged. The log has neither token nor person."""
    request = Request.of(event)
    try:
        answer = _answer(services, request)
    except ForgedToken:
        page = services.look(request).message("unknown")
        answer = Answer("unknown_link", HTTPStatus.NOT_FOUND, page)
    except TidepostError as error:
        page = services.look(request).message("failed", role="alert")
        answer = Answer(error.code, HTTPStatus.SERVICE_UNAVAILABLE, page)
        services.logger.exception("a public page could not be served")
    extra = {
        "method": request.method,
        "page": request.page,
        "outcome": answer.outcome,
        "workspace": answer.workspace,
        "campaign": answer.campaign,
    }
    services.logger.info("a public page was served", extra=extra)
    services.metrics.add_metric(answer.outcome.replace("-", "_"), MetricUnit.Count, 1)
    services.metrics.flush_metrics()
    body = "" if request.method == "HEAD" else answer.page
    return {"statusCode": int(answer.status), "headers": _headers(answer), "body": body}


def _answer(services: Public, request: Request) -> Answer:
    serve = _PAGES.get(request.page)
    if serve is None:
        raise forged()
    if not request.reads and request.method != "POST":
        page = services.look(request).message("method")
        return Answer("wrong_method", HTTPStatus.METHOD_NOT_ALLOWED, page)
    return serve(services, request)


def _headers(answer: Answer) -> dict[str, str]:
    images = f"; img-src {answer.logo_origin}" if answer.logo_origin else ""
    headers = {**HEADERS, "content-security-policy": _POLICY + images}
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = "GET, HEAD, POST"
    if seconds := _RETRY_AFTER_S.get(answer.status):
        headers["retry-after"] = seconds
    return headers
