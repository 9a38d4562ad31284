"""The queues: chunks that may go now, and jobs that have a next step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from shared.delivery.model import ChunkKey
from shared.errors import ConfigurationError, DependencyUnavailable, FieldProblem, InvalidInput
from shared.ids import TRANSACTIONAL_CHUNK

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

VERSION = 1
"""Of every message's body. Version 1 is the first, so there is none before it to accept."""

_BATCH = 10
"""The most that one SendMessageBatch takes."""

_MAX_DELAY_S = 900
"""SQS's limit for a message's delay."""

_PAUSES_S = (0.05, 0.2, 0.8)
"""Pauses before entries that SQS did not take are sent again."""

_OPERATOR_MUST_ACT = frozenset(
    {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.NonExistentQueue"}
)


class SqsChunkQueue:
    """`ChunkQueue`: transactional messages have a queue of their own and never wait for a bulk.

    Each message names its workspace as its group. On a standard queue that
    asks for no order: SQS then lets workspaces with few messages in flight go
    first (fair queues).
    """

    def __init__(
        self,
        client: SQSClient,
        bulk_url: str,
        transactional_url: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._bulk_url = bulk_url
        self._transactional_url = transactional_url
        self._sleep = sleep

    def send(self, keys: Sequence[ChunkKey], *, delay_s: int = 0) -> None:
        """As the port says, ten a request.

        Raises:
            DependencyUnavailable: SQS did not take all of them; some may have been taken.
            ConfigurationError: the queue is not there, or not for this function.
        """
        single = [key for key in keys if key.chunk == TRANSACTIONAL_CHUNK]
        bulk = [key for key in keys if key.chunk != TRANSACTIONAL_CHUNK]
        _send(self._client, self._transactional_url, map(_chunk, single), delay_s, self._sleep)
        _send(self._client, self._bulk_url, map(_chunk, bulk), delay_s, self._sleep)


class SqsJobQueue:
    """`JobQueue`."""

    def __init__(
        self, client: SQSClient, url: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url
        self._sleep = sleep

    def enqueue(self, workspace: str, job_id: str, *, delay_s: int = 0) -> None:
        """As the port says.

        Raises:
            DependencyUnavailable: SQS did not take it.
            ConfigurationError: the queue is not there, or not for this function.
        """
        body = orjson.dumps({"v": VERSION, "workspace": workspace, "job": job_id}).decode()
        _send(self._client, self._url, [(workspace, body)], delay_s, self._sleep)


def chunk_key_of(body: str) -> ChunkKey:
    """Reads the body of a message of the bulk or the transactional queue.

    Raises:
        InvalidInput: it is of an unknown version, or is not one of ours.
    """
    fields = _fields(body, {"workspace": str, "campaign": str, "chunk": int})
    return ChunkKey(fields["workspace"], fields["campaign"], fields["chunk"])


def job_of(body: str) -> tuple[str, str]:
    """Workspace and job id, from the body of a message of the jobs queue.

    Raises:
        InvalidInput: it is of an unknown version, or is not one of ours.
    """
    fields = _fields(body, {"workspace": str, "job": str})
    return fields["workspace"], fields["job"]


def _fields(body: str, kinds: dict[str, type]) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(FieldProblem("body", "is not JSON")) from error
    if not isinstance(fields, dict):
        raise InvalidInput(FieldProblem("body", "is not a JSON object"))
    version = fields.get("v")
    if type(version) is not int or version != VERSION:
        raise InvalidInput(
            FieldProblem("v", f"is not {VERSION}, the one version that this release reads")
        )
    wrong = [name for name, kind in kinds.items() if type(fields.get(name)) is not kind]
    if wrong:
        raise InvalidInput([FieldProblem(name, "is missing or of another type") for name in wrong])
    return fields


def _chunk(key: ChunkKey) -> tuple[str, str]:
    """Group and body of a chunk's message."""
    fields = {
        "v": VERSION,
        "workspace": key.workspace,
        "campaign": key.campaign,
        "chunk": key.chunk,
    }
    return key.workspace, orjson.dumps(fields).decode()


def _send(
    client: SQSClient,
    url: str,
    messages: Iterable[tuple[str, str]],
    delay_s: int,
    sleep: Callable[[float], None],
) -> None:
    remaining = iter(messages)
    while batch := list(islice(remaining, _BATCH)):
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(number),
                "MessageBody": body,
                "MessageGroupId": group,
                "DelaySeconds": min(delay_s, _MAX_DELAY_S),
            }
            for number, (group, body) in enumerate(batch)
        ]
        for pause in (*_PAUSES_S, None):
            failed = _not_taken(client, url, entries)
            entries = [entry for entry in entries if entry["Id"] in failed]
            if not entries:
                break
            if pause is None:
                raise DependencyUnavailable(
                    f"SQS did not take {len(entries)} messages of {len(batch)} for {_name(url)}"
                    f" after {len(_PAUSES_S)} retries; try again later"
                )
            sleep(pause)


def _not_taken(
    client: SQSClient, url: str, entries: list[SendMessageBatchRequestEntryTypeDef]
) -> set[str]:
    """The ids of the entries that SQS refused."""
    try:
        answer = client.send_message_batch(QueueUrl=url, Entries=entries)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code in _OPERATOR_MUST_ACT:
            raise ConfigurationError(
                f"queue {_name(url)} cannot be used ({code}): check the function's role and the"
                " stack"
            ) from error
        raise DependencyUnavailable(
            f"SQS refused to take messages for {_name(url)} ({code}); try again later"
        ) from error
    except BotoCoreError as error:
        raise DependencyUnavailable(
            f"SQS did not answer for {_name(url)} ({type(error).__name__}); try again later"
        ) from error
    return {entry["Id"] for entry in answer.get("Failed", ())}


def _name(url: str) -> str:
    return url.rpartition("/")[2]
