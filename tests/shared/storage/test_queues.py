"""Queue messages as they are written and read, and what happens if SQS does not take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from shared.delivery.model import ChunkKey
from shared.errors import ConfigurationError, DependencyUnavailable, InvalidInput
from shared.ids import TRANSACTIONAL_CHUNK
from shared.storage.queues import SqsChunkQueue, SqsJobQueue, chunk_key_of, job_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

KEYS = [ChunkKey("ws_1", "cmp_1", number) for number in range(23)]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


def make_queue(sqs: SQSClient, name: str) -> str:
    return sqs.create_queue(QueueName=name)["QueueUrl"]


def bodies(sqs: SQSClient, url: str) -> list[str]:
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found


def test_chunks_go_to_their_queue_and_are_read_again(sqs: SQSClient) -> None:
    bulk, single = make_queue(sqs, "bulk"), make_queue(sqs, "transactional")
    message = ChunkKey("ws_1", "msg_1", TRANSACTIONAL_CHUNK)
    SqsChunkQueue(sqs, bulk, single).send([*KEYS, message])

    assert sorted(map(chunk_key_of, bodies(sqs, bulk)), key=lambda key: key.chunk) == KEYS
    assert bodies(sqs, single) == [
        '{"v":1,"workspace":"ws_1","campaign":"msg_1","chunk":4294967295}'
    ]


def test_each_workspace_is_a_group_of_its_own_so_that_sqs_is_fair(sqs: SQSClient) -> None:
    url = sqs.create_queue(QueueName="fair")["QueueUrl"]
    SqsChunkQueue(sqs, url, url).send([ChunkKey("ws_a", "cmp_a", 0), ChunkKey("ws_b", "cmp_b", 0)])
    found = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    assert {m["Attributes"]["MessageGroupId"] for m in found} == {"ws_a", "ws_b"}


def test_jobs_are_read_again(sqs: SQSClient) -> None:
    url = make_queue(sqs, "jobs")
    SqsJobQueue(sqs, url).enqueue("ws_1", "job_1")

    body = bodies(sqs, url)[0]
    assert body == '{"v":1,"workspace":"ws_1","job":"job_1"}'
    assert job_of(body) == ("ws_1", "job_1")


class Refusing:
    """Stands where the SQS client does and refuses some entries of the first calls."""

    def __init__(self, *refused: set[int] | Exception) -> None:
        self._refused = list(refused)
        self.calls: list[list[dict[str, Any]]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803  # boto3's names
        assert QueueUrl.endswith("/bulk")
        self.calls.append(Entries)
        refused = self._refused.pop(0) if self._refused else set()
        if isinstance(refused, Exception):
            raise refused
        failed = [Entries[place]["Id"] for place in refused if place < len(Entries)]
        return {"Failed": [{"Id": name, "Code": "InternalError"} for name in failed]}


def queue(client: Refusing, pauses: list[float]) -> SqsChunkQueue:
    url = "https://sqs/1/bulk"
    return SqsChunkQueue(cast("SQSClient", client), url, "", sleep=pauses.append)


def sent(client: Refusing) -> list[list[int]]:
    return [[json.loads(entry["MessageBody"])["chunk"] for entry in c] for c in client.calls]


def test_requests_are_as_few_as_can_be() -> None:
    client = Refusing()
    queue(client, []).send(KEYS, delay_s=30)
    queue(client, []).send([])

    assert [len(entries) for entries in client.calls] == [10, 10, 3]
    assert {entry["DelaySeconds"] for entries in client.calls for entry in entries} == {30}


def test_a_delay_is_never_longer_than_sqs_takes() -> None:
    client = Refusing()
    queue(client, []).send(KEYS[:1], delay_s=4000)

    assert client.calls[0][0]["DelaySeconds"] == 900


def test_only_what_was_refused_is_sent_again() -> None:
    client, pauses = Refusing({1, 3}, {1}), list[float]()
    queue(client, pauses).send(KEYS[:5])

    assert sent(client) == [[0, 1, 2, 3, 4], [1, 3], [3]]
    assert pauses == [0.05, 0.2]


def test_entries_that_stay_refused_are_an_error() -> None:
    client = Refusing(*({0} for _ in range(9)))

    with pytest.raises(DependencyUnavailable, match="1 messages of 5 for bulk"):
        queue(client, []).send(KEYS[:5])
    assert len(client.calls) == 4


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ClientError({"Error": {"Code": "AccessDenied"}}, "Send"), ConfigurationError),
        (ClientError({"Error": {"Code": "ServiceUnavailable"}}, "Send"), DependencyUnavailable),
        (EndpointConnectionError(endpoint_url="https://sqs"), DependencyUnavailable),
    ],
)
def test_a_refused_request_is_an_error_of_ours(
    failure: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected, match="bulk"):
        queue(Refusing(failure), []).send(KEYS[:5])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"workspace":"ws_1","campaign":"cmp_1","chunk":1}', "v: is not 1"),
        ('{"v":2,"workspace":"ws_1","campaign":"cmp_1","chunk":1}', "v: is not 1"),
        ('{"v":true,"workspace":"ws_1","campaign":"cmp_1","chunk":1}', "v: is not 1"),
        ('{"v":1,"workspace":"ws_1","campaign":"cmp_1","chunk":"1"}', "chunk: is missing"),
        ('{"v":1,"workspace":5}', "workspace: .*campaign: .*chunk: "),
    ],
)
def test_a_body_that_is_not_ours_is_refused(body: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        chunk_key_of(body)


def test_fields_of_later_releases_are_ignored() -> None:
    assert job_of('{"v":1,"workspace":"ws_1","job":"job_1","later":1}') == ("ws_1", "job_1")
