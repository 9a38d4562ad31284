"""Who and what comes in, decided before a body is looked at.

Powertools validates bodies before it calls any middleware. A caller without a
key must learn nothing from that, so the gate stands in front of the resolver.
"""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus

from functions.api.endpoints import Endpoint, RouteTable
from functions.api.problems import HttpRefusal, no_such_route
from functions.api.visit import Visit
from shared.access.model import ApiKey, Scope
from shared.errors import Forbidden

MAX_JSON_BYTES = 1024 * 1024
"""A body of JSON: templates are the largest, and mail above 102 KB is clipped by Gmail."""

MAX_LARGE_BYTES = 5 * 1024 * 1024
"""JSON with attachments: what fits, with quotes escaped, into the 6 MB that Lambda takes."""

MAX_UPLOAD_BYTES = 4 * 1024 * 1024
"""An import: what fits, in base64, into the 6 MB that Lambda takes."""


def admit(visit: Visit, routes: RouteTable) -> None:
    """Fills in endpoint, key and body.

    Raises:
        HttpRefusal: unknown path (404) or method (405), a body that is too
            large (413), of the wrong type (415) or not decodable (400).
        Unauthenticated: no valid key.
        RateLimited: the key's requests of this minute are used up.
        Forbidden: the key lacks the endpoint's scope.
    """
    visit.endpoint = endpoint = _endpoint(visit, routes)
    if endpoint.scope is not None:
        visit.key = key = visit.services.keys.authenticate(visit.header("authorization"))
        visit.services.keys.charge(key)
        _check_scope(key, endpoint.scope)
    visit.body = _body(visit, endpoint)


def _endpoint(visit: Visit, routes: RouteTable) -> Endpoint:
    path = visit.event.path.rstrip("/")
    endpoint = routes.find(visit.event.http_method.upper(), path)
    if endpoint is not None:
        return endpoint
    methods = routes.methods(path)
    if methods:
        allowed = ", ".join(methods)
        raise HttpRefusal(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method-not-allowed",
            f"this path answers to {allowed}",
            {"Allow": allowed},
        )
    raise no_such_route()


def _check_scope(key: ApiKey, scope: Scope) -> None:
    if not key.scopes & {scope, Scope.ADMIN}:
        raise Forbidden(f"this call needs an API key with the scope {scope.value}")


def _body(visit: Visit, endpoint: Endpoint) -> bytes:
    text = visit.event.body or ""
    limit = MAX_JSON_BYTES
    if endpoint.upload or endpoint.large:
        limit = MAX_UPLOAD_BYTES if endpoint.upload else MAX_LARGE_BYTES
    # Base64 makes four characters of three bytes: what is surely too long is not decoded.
    if len(text) > limit * 4 // 3 + 4:
        raise _too_large(limit)
    if visit.event.is_base64_encoded:
        try:
            body = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _undecodable() from error
    else:
        body = text.encode("utf-8", "surrogatepass")
    if len(body) > limit:
        raise _too_large(limit)
    if body and not endpoint.upload:
        _check_json(visit, body)
    return body


def _check_json(visit: Visit, body: bytes) -> None:
    media_type = (visit.header("content-type") or "application/json").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise HttpRefusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send the body as application/json",
        )
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _undecodable() from error


def _too_large(limit: int) -> HttpRefusal:
    return HttpRefusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        f"the body is larger than the {limit} bytes that this call takes; send it in parts",
    )


def _undecodable() -> HttpRefusal:
    return HttpRefusal(HTTPStatus.BAD_REQUEST, "malformed-body", "the body is not UTF-8 text")
