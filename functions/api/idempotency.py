"""`Idempotency-Key`: a request that is repeated gets the first one's answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from functions.api.problems import HttpRefusal
from functions.api.visit import CONTEXT_KEY, Visit
from shared.errors import DependencyUnavailable, FieldProblem, InvalidInput

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR_S = 24 * 60 * 60
_MAX_LENGTH = 255

NextMiddleware = Callable[[APIGatewayRestResolver], Response[Any]]


def once(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Middleware: runs the route once per key, workspace, method and path.

    Only answers of success are kept; after an error the same key may try again.

    Raises:
        InvalidInput: the key is empty, too long or not printable ASCII.
        HttpRefusal: the key came with another request before (422), or the
            first request with it is still under way (409).
        DependencyUnavailable: the answers cannot be read or kept.
    """
    visit: Visit = app.context[CONTEXT_KEY]
    key = visit.header(HEADER)
    if key is None:
        return next_middleware(app)
    _check(key)

    def answer(*, request: dict[str, Any]) -> dict[str, Any]:
        del request  # it only names the answer
        response = next_middleware(app)
        return {"status": response.status_code, "body": orjson.dumps(response.body).decode()}

    run = idempotent_function(
        answer,
        data_keyword_argument="request",
        persistence_store=visit.services.answers,
        config=_config(visit),
        key_prefix="api",
    )
    try:
        kept: dict[str, Any] = run(request=_request(visit, key))
    except IdempotencyValidationError as error:
        raise HttpRefusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            f"this {HEADER} came with another body before; use a new one for a new request",
        ) from error
    except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError) as error:
        raise HttpRefusal(
            HTTPStatus.CONFLICT,
            "idempotency-key-in-progress",
            f"a request with this {HEADER} is still under way; ask again in a moment",
            {"Retry-After": "1"},
        ) from error
    except IdempotencyPersistenceLayerError as error:
        raise DependencyUnavailable("idempotency keys cannot be kept at present") from error
    headers = {REPLAYED: "true"} if kept.get("replayed") else {}
    return Response(
        int(kept["status"]), "application/json", orjson.loads(kept["body"]), headers=headers
    )


def _check(key: str) -> None:
    if not (0 < len(key) <= _MAX_LENGTH and key.isascii() and key.isprintable()):
        reason = f"must be 1 to {_MAX_LENGTH} printable ASCII characters"
        raise InvalidInput(FieldProblem(HEADER, reason))


def _request(visit: Visit, key: str) -> dict[str, Any]:
    event = visit.event
    query = orjson.dumps(event.get("multiValueQueryStringParameters"), option=orjson.OPT_SORT_KEYS)
    assert visit.key is not None  # noqa: S101  # no route without a key has this middleware
    return {
        "key": [visit.key.workspace, event.http_method, event.path, key],
        "payload": hashlib.sha256(query + b"\n" + visit.body).hexdigest(),
    }


def _config(visit: Visit) -> IdempotencyConfig:
    return IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="payload",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=KEPT_FOR_S,
        hash_function="sha256",
        lambda_context=visit.lambda_context,
        response_hook=lambda response, _: {**response, "replayed": True},
    )
