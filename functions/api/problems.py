"""Errors as RFC 9457 problem documents: one table from error class to HTTP status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from shared.errors import (
    ConfigurationError,
    ConfirmationRequired,
    Conflict,
    DependencyUnavailable,
    FieldProblem,
    Forbidden,
    ForgedToken,
    InvalidInput,
    NotFound,
    RateLimited,
    StaleWrite,
    TidepostError,
    Unauthenticated,
)

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:tidepost:problem:"

STATUS: Mapping[type[TidepostError], HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    NotFound: HTTPStatus.NOT_FOUND,
    ForgedToken: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    StaleWrite: HTTPStatus.CONFLICT,
    DependencyUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""A subclass has the status of its nearest ancestor here; all else is a 500."""

_TITLES: Mapping[str, str] = {
    "invalid-input": "The request is not valid",
    "template-invalid": "The template does not compile or render",
    "unauthenticated": "No valid API key was sent",
    "forbidden": "The API key lacks a scope",
    "rate-limited": "Too many requests",
    "not-found": "There is no such thing here",
    "forged-token": "That is not an id of Tidepost's",
    "conflict": "The request does not fit the present state",
    "already-exists": "There is one already",
    "confirmation-required": "This reaches many people; confirm that it is meant",
    "wrong-state": "The state does not allow this",
    "stale-write": "Somebody else was faster",
    "dependency-unavailable": "A service that is needed does not answer",
    "configuration-error": "The deployment is set up wrongly",
    "internal-error": "Something went wrong here",
}


class HttpRefusal(Exception):  # a refusal is an answer and no failure of ours
    """A request that HTTP itself lets us refuse before any service is asked."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.headers = headers or {}
        super().__init__(detail)


def no_such_route() -> HttpRefusal:
    """No endpoint has the request's path."""
    detail = "there is no such path; /docs lists those there are"
    return HttpRefusal(HTTPStatus.NOT_FOUND, "no-such-route", detail)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document with the headers that go with it."""

    status: HTTPStatus
    code: str
    title: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Members of this problem's own, beside those that all have."""

    def body(self, instance: str) -> str:
        """The document as JSON. `instance` is the request's id, as the logs have it."""
        document: dict[str, Any] = {
            "type": _TYPE + self.code,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            "instance": instance,
            **self.facts,
        }
        if self.errors:
            document["errors"] = [{"field": e.field, "reason": e.reason} for e in self.errors]
        return orjson.dumps(document).decode()


def problem_of(error: Exception) -> Problem:
    """What the caller is told of an error; nothing of what is inside for a 500."""
    match error:
        case HttpRefusal():
            title = error.status.phrase
            return Problem(error.status, error.code, title, str(error), headers=error.headers)
        case NotFoundError():
            return problem_of(no_such_route())
        case RequestValidationError():
            return _of_validation(error)
        case TidepostError():
            return _of_ours(error)
        case _:
            return _internal()


_INTERNAL = "the request was not completed; tell the operator the instance given here"


def _internal(code: str = TidepostError.code) -> Problem:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, code, _TITLES[code], _INTERNAL)


def _of_ours(error: TidepostError) -> Problem:
    statuses = (STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)
    status = next(statuses, HTTPStatus.INTERNAL_SERVER_ERROR)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _internal(error.code if error.code in _TITLES else TidepostError.code)
    errors: Sequence[FieldProblem] = error.problems if isinstance(error, InvalidInput) else ()
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="tidepost"'
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
    facts = {}
    if isinstance(error, ConfirmationRequired):
        facts["recipients"] = error.recipients
    title = _TITLES.get(error.code, status.phrase)
    return Problem(status, error.code, title, str(error), errors, headers, facts)


def _of_validation(error: RequestValidationError) -> Problem:
    if any(item["type"] == "json_invalid" for item in error.errors()):
        status = HTTPStatus.BAD_REQUEST
        return Problem(status, "malformed-json", status.phrase, "the body is not valid JSON")
    problems = [FieldProblem(_field(item["loc"]), item["msg"]) for item in error.errors()]
    return _of_ours(InvalidInput(problems))


def _field(loc: Sequence[str | int]) -> str:
    """A path such as `sender.email`: pydantic's location without the word for its place."""
    return ".".join(str(part) for part in loc[1:]) or str(loc[0])
