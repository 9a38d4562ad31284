"""The people of a chunk, read at the moment of sending, for a handful of calls each.

botocore's parser makes more than 100 function calls per item, which would be
most of what sending a message costs. So the hot path signs BatchGetItem itself,
posts it over its own transport, and parses the answer with
orjson.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from shared.audience.ports import SHARDS
from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.ids import SUBSCRIBER
from shared.sigv4 import Signer
from shared.transport import AnswerLost, NotSent, Response, Transport

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.credentials import ReadOnlyCredentials

_BATCH = 100
"""The most keys that one BatchGetItem takes."""

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Before a read is repeated; each is drawn from between its half and its whole."""

_OK, _FIRST_SERVER_ERROR = 200, 500
_COME_BACK = frozenset(
    {
        "ExpiredTokenException",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)

_TOO_LONG = "unreadable_answer"
"""The transport's reason for an answer longer than it takes, too."""

_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_SHARD_OF = {
    f"{SUBSCRIBER}_{first}{second}": ((high << 3 | low >> 2) & 255) % SHARDS
    for high, first in enumerate(_DIGITS)
    for low, second in enumerate(_DIGITS)
}
"""A person's shard by the head of the id, whose first two digits hold the id's first byte."""

_HEAD = len(SUBSCRIBER) + 3


def dynamodb_url(settings: Settings) -> str:
    """Where DynamoDB is, for this reader's `Transport`."""
    return settings.endpoint_url or f"https://dynamodb.{settings.region}.amazonaws.com"


def credentials_of(session: Session) -> Callable[[], ReadOnlyCredentials]:
    """A source of the session's credentials, fresh at every call.

    Raises:
        ConfigurationError: the session has none.
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise ConfigurationError(
            "there are no AWS credentials: give the function a role, or set AWS_ACCESS_KEY_ID"
        )
    return credentials.get_frozen_credentials


class LeanRecipients:
    """`RecipientReader`. `transport` posts to `dynamodb_url`; the reads are repeated here."""

    def __init__(
        self,
        settings: Settings,
        credentials_source: Callable[[], ReadOnlyCredentials],
        transport: Transport,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._table = settings.table("subscribers")
        host = urlsplit(dynamodb_url(settings)).netloc
        self._signer = Signer("dynamodb", settings.region, host)
        self._clock = clock or SystemClock()
        self._credentials = credentials_source
        self._transport = transport
        self._sleep = sleep
        self._jitter = jitter

    def recipients(
        self, workspace: str, subscriber_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, object]]:
        """As the port says; people marked `deleted` count as erased, unless they moved.

        Raises:
            DependencyUnavailable: DynamoDB did not give them all after all retries.
            ConfigurationError: it refuses the request; an operator must act.
        """
        partitions = [f"ws#{workspace}#{shard:02d}" for shard in range(SHARDS)]
        keys: list[Mapping[str, Any]] = [
            {"pk": {"S": partitions[_SHARD_OF[one[:_HEAD]]]}, "sk": {"S": one}}
            for one in dict.fromkeys(subscriber_ids)
            if one[:_HEAD] in _SHARD_OF
        ]
        found: dict[str, Mapping[str, object]] = {}
        loads = orjson.loads
        for start in range(0, len(keys), _BATCH):
            for item in self._batch(keys[start : start + _BATCH]):
                doc = loads(item["doc"]["S"])
                if "deleted" not in doc or "moved_to" in doc:
                    found[item["sk"]["S"]] = doc
        return found

    def _batch(self, keys: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = []
        why = ""
        for pause in (*_PAUSES_S, None):
            answer, why = self._ask(keys)
            items += answer.get("Responses", {}).get(self._table, ())
            if not why:
                keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                why = "keys left unprocessed"
            if not keys:
                return items
            if why == _TOO_LONG and len(keys) > 1:
                half = len(keys) // 2
                return [*items, *self._batch(keys[:half]), *self._batch(keys[half:])]
            if pause is not None:
                self._sleep(pause * (1 + self._jitter()) / 2)
        raise DependencyUnavailable(
            f"DynamoDB did not give {len(keys)} people of {self._table} after {len(_PAUSES_S)}"
            f" retries ({why}); the chunk is tried again"
        )

    def _ask(self, keys: list[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
        """One request: the answer, or why there is none for now."""
        request = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "sk, doc"}
        body = orjson.dumps({"RequestItems": {self._table: request}})
        try:
            response = self._transport.post("/", body, self._signed(body))
        except (NotSent, AnswerLost) as error:  # a read may be repeated in either case
            return {}, error.reason
        if response.status != _OK:
            return {}, self._refusal(response)
        return orjson.loads(response.body), ""

    def _signed(self, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.BatchGetItem",
        }
        return self._signer.sign(self._credentials(), self._clock.now(), "/", body, headers)

    def _refusal(self, response: Response) -> str:
        try:
            code = str(orjson.loads(response.body)["__type"]).rpartition("#")[2]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            code = f"status {response.status}"
        if response.status >= _FIRST_SERVER_ERROR or code in _COME_BACK:
            return code
        raise ConfigurationError(
            f"DynamoDB refuses to read table {self._table} ({code}): check the function's role"
            " and the stack"
        )
