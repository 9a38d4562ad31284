"""Unsubscribe links: `GET /u/{token}` asks, `POST /u/{token}` does it (HTTP API, payload 2.0).

The POST is what mail clients send for one-click unsubscribe (RFC 8058) and what
the page's own form sends. It needs no login and no cookie, never redirects, and
can be repeated. A GET or HEAD changes nothing, since scanners open links.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.public import pages
from functions.public.wiring import Public, public
from shared.errors import ForgedToken, TidepostError

MAX_FORM = 1000
"""Characters of a form of ours, and far more; a longer body is no form of ours."""

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; `outcome` is for log and metrics."""

    outcome: str
    status: HTTPStatus
    page: str
    workspace: str = ""
    campaign: str = ""


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """The Lambda function."""
    return respond(public(), event)


def respond(services: Public, event: dict[str, Any]) -> dict[str, Any]:
    """One call, answered, counted and logged. The log has neither token nor person."""
    method = event["requestContext"]["http"]["method"]
    try:
        answer = _answer(services, method, event)
    except ForgedToken:
        answer = Answer("unknown_link", HTTPStatus.NOT_FOUND, pages.unknown_link())
    except TidepostError as error:
        answer = Answer(error.code, HTTPStatus.SERVICE_UNAVAILABLE, pages.try_again())
        services.logger.exception("an unsubscribe link could not be served")
    extra = {
        "method": method,
        "outcome": answer.outcome,
        "workspace": answer.workspace,
        "campaign": answer.campaign,
    }
    services.logger.info("an unsubscribe link was used", extra=extra)
    services.metrics.add_metric(answer.outcome.replace("-", "_"), MetricUnit.Count, 1)
    services.metrics.flush_metrics()
    headers = dict(HEADERS)
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = "GET, HEAD, POST"
    if answer.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = "60"
    body = "" if method == "HEAD" else answer.page
    return {"statusCode": int(answer.status), "headers": headers, "body": body}


def _answer(services: Public, method: str, event: dict[str, Any]) -> Answer:
    token = unquote(event["rawPath"].rpartition("/u/")[2])
    ref = services.tokens.parse(token)
    if method in {"GET", "HEAD"}:
        page = pages.ask(one_list=ref.list_id is not None)
        return Answer("asked", HTTPStatus.OK, page, ref.workspace, ref.campaign)
    if method != "POST":
        return Answer("wrong_method", HTTPStatus.METHOD_NOT_ALLOWED, pages.wrong_method())
    list_id = None if _wants_everything(event) else ref.list_id
    services.consent.unsubscribe(ref.workspace, ref.subscriber, list_id, source="link")
    page = pages.unsubscribed(one_list=list_id is not None)
    return Answer("unsubscribed", HTTPStatus.OK, page, ref.workspace, ref.campaign)


def _wants_everything(event: dict[str, Any]) -> bool:
    """Whether our form's second button was used.

    Any other body, of a mail client or of nobody, means what the link means: a
    wish to unsubscribe is never refused for its form.
    """
    body: str = event.get("body") or ""
    if len(body) > MAX_FORM:
        return False
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body).decode()
        except (binascii.Error, ValueError):
            return False
    return parse_qs(body).get("from") == [pages.EVERYTHING]
