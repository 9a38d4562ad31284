"""The lean batch reader: over HTTP against moto, and its retries over a scripted transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import orjson
import pytest
from botocore.credentials import ReadOnlyCredentials
from moto.server import ThreadedMotoServer

from shared.audience.model import ListState, Subscriber
from shared.config import Settings
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.ids import SUBSCRIBER, to_text
from shared.storage import tables
from shared.storage.recipients import LeanRecipients, credentials_of, dynamodb_url
from shared.storage.shards import partition, shard_of
from shared.storage.subscribers import DynamoSubscribers
from shared.transport import AnswerLost, NotSent, Response, Transport
from tests.fakes import FakeSubscribers, seeded_bytes

WS = "ws_1"
TABLE = "tidepost-lean-subscribers"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
IDS = [to_text(SUBSCRIBER, raw) for raw in map(seeded_bytes(), [12] * 250)]
CREDENTIALS = ReadOnlyCredentials("AKIDEXAMPLE", "secret", "session-token", None)


def settings(endpoint_url: str = "") -> Settings:
    return Settings(
        stage="lean",
        table_prefix="tidepost-lean",
        parameter_path="/t",
        secret_prefix="t",
        endpoint_url=endpoint_url,
    )


def person(subscriber_id: str) -> Subscriber:
    return Subscriber(
        id=subscriber_id,
        workspace=WS,
        address=f"{subscriber_id}@example.com",
        created_at=NOW,
        updated_at=NOW,
        lists={"lst_1": ListState.SUBSCRIBED},
        attributes={"name": 'Jörg "Joe" \u2028', "n": 3, "ok": True},
    )


class Spy(Transport):
    """Posts for real and remembers the headers."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url, connect_timeout_s=2, read_timeout_s=10)
        self.posted: list[Mapping[str, str]] = []

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        self.posted.append(headers)
        return super().post(path, body, headers)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    tables.bind("tidepost-lean", "us-east-1", url)
    tables.create_all()
    transport = Spy(url)
    yield transport
    transport.close()
    server.stop()


def test_it_reads_what_the_stores_have_written(spy: Spy) -> None:
    people = [person(one) for one in IDS[:240]]
    people[7] = replace(people[7], deleted=True)
    people[8] = replace(people[8], deleted=True, moved_to=IDS[9])
    stores = DynamoSubscribers(), FakeSubscribers()
    for store in stores:
        store.put_many(people)
    lean = LeanRecipients(settings(spy.base_url), lambda: CREDENTIALS, spy)

    wanted = [*IDS, IDS[0], "sub_nonsense", "other", ""]
    found = lean.recipients(WS, wanted)
    assert len(found) == 239
    assert found[IDS[8]]["moved_to"] == IDS[9]
    assert found == stores[0].recipients(WS, wanted) == stores[1].recipients(WS, wanted)
    assert lean.recipients("ws_2", IDS) == {}
    assert len(spy.posted) == 6
    assert spy.connections_opened <= len(spy.posted)

    headers = {name.lower(): value for name, value in spy.posted[0].items()}
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-east-1/dynamodb/aws4_request" in headers["authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session-token"
    assert headers["x-amz-target"] == "DynamoDB_20120810.BatchGetItem"


class Scripted(Transport):
    """Answers from a script; past its end, with every person asked for."""

    def __init__(self, *script: Response | Exception) -> None:
        super().__init__("http://127.0.0.1:1", connect_timeout_s=1, read_timeout_s=1)
        self._script = list(script)
        self.asked: list[list[str]] = []

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        assert path == "/"
        assert headers["x-amz-target"].endswith(".BatchGetItem")
        request = orjson.loads(body)["RequestItems"][TABLE]
        assert request["ConsistentRead"] is True
        keys = [key["sk"]["S"] for key in request["Keys"]]
        self.asked.append(keys)
        answer = self._script.pop(0) if self._script else all_of(keys)
        if isinstance(answer, Exception):
            raise answer
        return answer


def all_of(ids: list[str], unprocessed: list[str] | None = None) -> Response:
    items = [{"sk": {"S": one}, "doc": {"S": f'{{"id":"{one}"}}'}} for one in ids]
    left = [{"pk": {"S": partition(WS, shard_of(o))}, "sk": {"S": o}} for o in unprocessed or ()]
    answer: dict[str, Any] = {
        "Responses": {TABLE: items},
        "UnprocessedKeys": {TABLE: {"Keys": left, "ConsistentRead": True}} if left else {},
    }
    return Response(200, {}, orjson.dumps(answer))


def refused(status: int, code: str = "") -> Response:
    body = orjson.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}) if code else b"<>"
    return Response(status, {}, body)


def reader(transport: Transport, pauses: list[float]) -> LeanRecipients:
    return LeanRecipients(
        settings(), lambda: CREDENTIALS, transport, sleep=pauses.append, jitter=lambda: 1.0
    )


def test_unprocessed_keys_are_asked_for_again() -> None:
    transport, pauses = Scripted(all_of(IDS[:2], IDS[2:5])), list[float]()
    found = reader(transport, pauses).recipients(WS, IDS[:5])

    assert set(found) == set(IDS[:5])
    assert transport.asked == [IDS[:5], IDS[2:5]]
    assert pauses == [0.05]


@pytest.mark.parametrize(
    "trouble",
    [
        refused(500, "InternalServerError"),
        refused(503),
        refused(400, "ThrottlingException"),
        refused(400, "ProvisionedThroughputExceededException"),
        NotSent("connect_failed", "no connection"),
        AnswerLost("read_timeout", "no answer"),
    ],
)
def test_a_read_is_repeated_after_trouble(trouble: Response | Exception) -> None:
    transport, pauses = Scripted(trouble, trouble), list[float]()

    assert set(reader(transport, pauses).recipients(WS, IDS[:3])) == set(IDS[:3])
    assert pauses == [0.05, 0.1]


def test_trouble_without_end_is_an_error() -> None:
    transport = Scripted(*[refused(500)] * 20)

    with pytest.raises(DependencyUnavailable, match=r"3 people .*status 500"):
        reader(transport, []).recipients(WS, IDS[:3])
    assert len(transport.asked) == 6


def test_an_answer_that_is_too_long_is_asked_for_in_halves() -> None:
    transport = Scripted(AnswerLost("unreadable_answer", "too long"))

    assert set(reader(transport, []).recipients(WS, IDS[:5])) == set(IDS[:5])
    assert transport.asked == [IDS[:5], IDS[:2], IDS[2:5]]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", ""])
def test_a_refusal_is_not_repeated(code: str) -> None:
    transport = Scripted(refused(400, code))

    with pytest.raises(ConfigurationError, match=f"{TABLE} .*{code or 'status 400'}"):
        reader(transport, []).recipients(WS, IDS[:3])
    assert len(transport.asked) == 1


def test_partitions_are_those_of_the_store() -> None:
    asked: dict[str, str] = {}

    class Keys(Scripted):
        def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
            for key in orjson.loads(body)["RequestItems"][TABLE]["Keys"]:
                asked[key["sk"]["S"]] = key["pk"]["S"]
            return super().post(path, body, headers)

    every_first_byte = [to_text(SUBSCRIBER, bytes([n]) + b"\x9c" * 11) for n in range(256)]
    reader(Keys(), []).recipients(WS, every_first_byte)

    assert asked == {one: partition(WS, shard_of(one)) for one in every_first_byte}


def test_the_region_has_its_own_endpoint() -> None:
    assert dynamodb_url(settings()) == "https://dynamodb.us-east-1.amazonaws.com"
    assert dynamodb_url(settings("http://127.0.0.1:1")) == "http://127.0.0.1:1"


def test_credentials_come_from_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    session = boto3.Session("id", "key", region_name="us-east-1")
    assert credentials_of(session)().access_key == "id"

    monkeypatch.setattr(session, "get_credentials", lambda: None)
    with pytest.raises(ConfigurationError, match="no AWS credentials"):
        credentials_of(session)
