"""The API document: what Powertools derives from the routes, plus what holds for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, OpenAPI, Server, Tag

from functions.api import idempotency
from functions.api.endpoints import Endpoint
from functions.api.problems import CONTENT_TYPE

VERSION = "0.1.0"
TITLE = "Tidepost"
DESCRIPTION = """\
Email delivery through SendGrid, Amazon SES and Postmark, in your own AWS account.

**Keys.** Send `Authorization: Bearer tp_...`. A key belongs to one workspace and sees nothing of
any other: an id of another workspace is answered with 404. A key has scopes (`admin` includes all
of them) and a number of requests per minute; beyond it the answer is 429 with `Retry-After`.

**Errors** are problem documents (RFC 9457, `application/problem+json`). `type` is stable,
`instance` is the request's id in the logs, and `errors` names each field that is wrong.

**Lists** are paged: send the `cursor` of one page to get the next; `null` is the end.

**Idempotency.** Send an `Idempotency-Key` with any call that changes something. The same key with
the same request is answered as the first time, for 24 hours; with another body it is a 422. Errors
are not kept. The call that shows an API key takes no `Idempotency-Key`.
"""
TAGS = {
    "subscribers": "The people, with their lists, consent and attributes",
    "suppressions": "Who must not be mailed, and the providers' own lists of them",
    "privacy": "What is known of a person, what she agreed to, and erasing her",
    "lists": "What people subscribe to",
    "segments": "Rules that say who belongs, and snapshots of who did",
    "templates": "What mail looks like; versions are kept",
    "sender-domains": "The domains that a workspace may send from",
    "campaigns": "One mail to everybody on some lists, or in some segments",
    "messages": "One mail to one person",
    "routing": "Which provider mail goes through, and why",
    "sending": "The workspace's kill switch",
    "settings": "Defaults and thresholds of the workspace's sending",
    "keys": "API keys",
    "audit": "Who did what",
    "health": "Whether the API answers",
}

_BEARER = "ApiKey"
_PROBLEM = "Problem"
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": _PROBLEM,
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:tidepost:problem:invalid-input"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's id, as the logs have it"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_POWERTOOLS_ERRORS = ("HTTPValidationError", "ResponseValidationError", "ValidationError")


class Resolver(APIGatewayRestResolver):
    """Powertools' resolver, whose document says what the gate and the problems add."""

    def declare(self, endpoints: Sequence[Endpoint]) -> None:
        """Registers the routes."""
        self._declared = {(e.path, e.method.lower()): e for e in endpoints}
        for endpoint in endpoints:
            register = self.route(
                endpoint.rule,
                endpoint.method,
                summary=endpoint.summary,
                description=endpoint.description,
                tags=[endpoint.tag],
                operation_id=endpoint.call.__name__,
                security=[{_BEARER: []}] if endpoint.scope else None,
                status_code=endpoint.status,
                response_description=endpoint.status.phrase,
                middlewares=[idempotency.once] if endpoint.once else None,
            )
            register(endpoint.call)

    def get_openapi_schema(self, *, servers: list[Server] | None = None, **_: Any) -> OpenAPI:
        """The whole document. Of the options only `servers` counts.

        They are relative to where the document is read, so that it fits any stage and host.
        """
        derived = super().get_openapi_schema(
            title=TITLE,
            version=VERSION,
            description=DESCRIPTION,
            tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
            servers=servers,
            security_schemes={_BEARER: HTTPBearer(bearerFormat="tp_...")},
        )
        document = derived.model_dump(mode="json", by_alias=True, exclude_none=True)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(operation, self._declared[path, method])
        schemas = document["components"]["schemas"]
        for name in _POWERTOOLS_ERRORS:
            del schemas[name]
        schemas[_PROBLEM] = _PROBLEM_SCHEMA
        return OpenAPI.model_validate(document)


def _complete(operation: dict[str, Any], endpoint: Endpoint) -> None:
    success = operation["responses"][str(int(endpoint.status))]
    if endpoint.status is HTTPStatus.NO_CONTENT:
        del success["content"]
    operation["responses"] = {str(int(endpoint.status)): success} | {
        str(status): _problem(text) for status, text in sorted(_errors(endpoint).items())
    }
    if endpoint.once:
        operation["parameters"] = [*operation.get("parameters", ()), _IDEMPOTENCY_KEY]
    if endpoint.scope is not None:
        operation["description"] += f"\n\nNeeds the scope `{endpoint.scope.value}`."
    if endpoint.upload:
        operation["requestBody"] = _UPLOAD


def _errors(endpoint: Endpoint) -> dict[int, str]:
    errors = {500: "Something went wrong here"}
    if endpoint.scope is None:
        return errors
    errors |= {
        401: "No valid API key",
        403: "The key lacks the scope",
        422: "Something in the request is not valid; `errors` names the fields",
        429: "The key's requests of this minute are used up",
        503: "A service that is needed does not answer",
    }
    if "<" in endpoint.rule:
        errors[404] = "There is no such thing in this workspace"
    if endpoint.method != "GET":
        errors |= {
            400: "The body is not readable",
            409: "The present state does not allow it",
            413: "The body is too large",
            415: "The body is of another type than this call takes",
        }
    return errors


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_PROBLEM}"}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


_IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

_UPLOAD = {
    "required": True,
    "description": "A file of people; the columns or keys are described above",
    "content": {
        "text/csv": {
            "schema": {"type": "string"},
            "example": "email,first_name\nada@example.com,Ada\n",
        },
        "application/json": {
            "schema": {"type": "array", "items": {"type": "object"}},
            "example": [{"email": "ada@example.com", "attributes": {"first_name": "Ada"}}],
        },
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "example": '{"email": "ada@example.com"}\n',
        },
    },
}
