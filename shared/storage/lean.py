"""DynamoDB for PynamoDB without botocore's client, which makes 4,000 function calls a request.

A chunk needs some eight reads and writes through PynamoDB; with botocore's
client beneath it they are most of what sending costs. This one signs, posts
over our own transport, and parses with orjson. It speaks botocore's errors,
since PynamoDB does.
"""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from shared.clock import Clock, SystemClock
from shared.sigv4 import Signer
from shared.transport import AnswerLost, NotSent, Response, Transport

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

_PAUSES_S = (0.05, 0.1, 0.2)
"""Before a request is repeated; each is drawn from between its half and its whole."""

_OK, _FIRST_SERVER_ERROR = 200, 500
_SERVER_ERROR = "InternalServerError"
_COME_BACK = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


class LeanClient:
    """What PynamoDB calls of a botocore client. `transport` posts to DynamoDB."""

    def __init__(
        self,
        transport: Transport,
        region: str,
        credentials: Callable[[], ReadOnlyCredentials],
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport
        self._signer = Signer("dynamodb", region, urlsplit(transport.base_url).netloc)
        self._credentials = credentials
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._jitter = jitter

    def _make_api_call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One operation; repeated where DynamoDB did not do it, or may not have.

        Raises:
            ClientError: DynamoDB refuses it, or does still after all retries.
            EndpointConnectionError, ReadTimeoutError: it did not answer.
        """
        body = orjson.dumps(arguments, default=_base64)
        for pause in (*_PAUSES_S, None):
            try:
                response = self._post(operation, body)
            except (NotSent, AnswerLost) as error:
                if pause is None:
                    raise _unanswered(error, self._transport.base_url) from error
            else:
                if response.status == _OK:
                    return _read(response.body)
                refusal = _refusal(response, operation)
                code = refusal.response["Error"]["Code"]
                passing = response.status >= _FIRST_SERVER_ERROR or code in _COME_BACK
                if pause is None or not passing:
                    raise refusal
            self._sleep(pause * (1 + self._jitter()) / 2)
        raise AssertionError("the last round returns or raises")

    def _post(self, operation: str, body: bytes) -> Response:
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        signed = self._signer.sign(self._credentials(), self._clock.now(), "/", body, headers)
        return self._transport.post("/", body, signed)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"DynamoDB takes no {type(value).__name__}")


def _read(body: bytes) -> dict[str, Any]:
    """The answer, with the bytes in its items as bytes. Binary stands at an item's top level."""
    answer: dict[str, Any] = orjson.loads(body)
    for item in _items(answer):
        for value in item.values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])
    return answer


def _items(answer: Mapping[str, Any]) -> Iterator[dict[str, dict[str, Any]]]:
    yield from (answer[name] for name in ("Item", "Attributes") if name in answer)
    yield from answer.get("Items", ())
    for items in answer.get("Responses", {}).values():
        yield from items


def _unanswered(error: NotSent | AnswerLost, url: str) -> Exception:
    if isinstance(error, NotSent):
        return EndpointConnectionError(endpoint_url=url)
    return ReadTimeoutError(endpoint_url=url)


def _refusal(response: Response, operation: str) -> ClientError:
    try:
        document = orjson.loads(response.body)
        code = str(document["__type"]).rpartition("#")[2]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        document = {}
        code = _SERVER_ERROR if response.status >= _FIRST_SERVER_ERROR else str(response.status)
    message = str(document.get("message") or document.get("Message") or "")
    parsed: dict[str, Any] = {
        "Error": {"Code": code, "Message": message},
        "CancellationReasons": document.get("CancellationReasons", []),
        "Item": document.get("Item", {}),
        "ResponseMetadata": {"HTTPStatusCode": response.status, "HTTPHeaders": {}},
    }
    return ClientError(cast("Any", parsed), operation)
