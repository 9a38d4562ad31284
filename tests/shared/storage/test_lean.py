"""The stores over the lean client: against moto over HTTP, and its retries from a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from shared.delivery.frequency import GIVEN, REACHED, Place
from shared.delivery.model import ChunkKey, ChunkOutcome, ChunkPlan
from shared.delivery.rates import BucketState
from shared.delivery.workspace import FrequencyCap
from shared.errors import ConfigurationError, DependencyUnavailable, NotFound, StaleWrite
from shared.ids import SUBSCRIBER, to_text
from shared.mail import MessageKind
from shared.storage import tables
from shared.storage.frequency import DynamoFrequency
from shared.storage.lean import LeanClient
from shared.storage.ledger import DynamoLedger
from shared.storage.rates import DynamoRates, TokenItem
from shared.transport import AnswerLost, NotSent, Response, Transport
from tests.fakes import FakeClock, seeded_bytes

CREDENTIALS = ReadOnlyCredentials("testing", "testing", None, None)
KEY = ChunkKey("ws_1", "cmp_1", 3)
IDS = tuple(to_text(SUBSCRIBER, raw) for raw in map(seeded_bytes(), [12] * 5))


@pytest.fixture
def lean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    tables.bind("tidepost-lean", "us-east-1", url)
    tables.create_all()
    transport = Transport(url, connect_timeout_s=2, read_timeout_s=10)
    client = LeanClient(transport, "us-east-1", lambda: CREDENTIALS, clock=FakeClock())
    tables.bind("tidepost-lean", "us-east-1", url, client=client)
    yield
    transport.close()
    server.stop()


@pytest.mark.usefixtures("lean")
def test_items_go_and_come_back_bytes_too() -> None:
    ledger = DynamoLedger()
    with pytest.raises(NotFound):
        ledger.record(KEY)
    plan = ChunkPlan(KEY, IDS, {"after": "Zoë"})
    assert ledger.put_plan(plan) == plan
    outcome = ledger.save_outcome(ChunkOutcome(KEY, bytes([2] * 500), 1, {"x": (1,)}))
    record = ledger.record(KEY)
    assert (record.plan, record.outcome) == (plan, outcome)


@pytest.mark.usefixtures("lean")
def test_a_condition_that_does_not_hold_is_no_trouble() -> None:
    rates = DynamoRates()
    rates.save("ses", BucketState())
    with pytest.raises(StaleWrite):
        rates.save("ses", BucketState())
    assert rates.load("ses").version == 1
    first = TokenItem("provider#a", "tokens", version=1)
    again = TokenItem("provider#ses", "tokens", version=1)
    absent = TokenItem.pk.does_not_exist()
    assert not tables.put_together((first, absent), (again, absent))
    assert tables.put_together((first, absent))


@pytest.mark.usefixtures("lean")
def test_a_refusal_has_the_item_with_it() -> None:
    store, cap = DynamoFrequency(), FrequencyCap(MessageKind.CAMPAIGN, 2, 7)
    now = FakeClock().now()
    places = [Place(now + timedelta(minutes=2), "00000a", f"{n:012x}") for n in range(3)]
    assert [store.take("ws_1", IDS[0], cap, place, now) for place in places[:2]] == [GIVEN] * 2
    assert store.take("ws_1", IDS[0], cap, places[2], now) == REACHED
    store.give_back("ws_1", IDS[0], cap, places[0])
    assert store.take("ws_1", IDS[0], cap, places[2], now) == GIVEN


@pytest.mark.usefixtures("lean")
def test_a_table_that_is_not_there_is_the_operators_matter() -> None:
    tables.bind("tidepost-gone", "us-east-1", client=tables._binding().client)
    cap = FrequencyCap(MessageKind.CAMPAIGN, 1, 1)
    now = FakeClock().now()
    with pytest.raises(ConfigurationError, match="frequency"):
        DynamoFrequency().take("ws_1", IDS[0], cap, Place(now, "00000a", "0" * 12), now)


class Scripted(Transport):
    """Answers from a script."""

    def __init__(self, *script: Response | Exception) -> None:
        super().__init__("http://127.0.0.1:1", connect_timeout_s=1, read_timeout_s=1)
        self.script = list(script)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        assert (path, headers["x-amz-target"]) == ("/", "DynamoDB_20120810.GetItem")
        assert orjson.loads(body) == {"Key": {"b": {"B": "AAE="}}}
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def refused(status: int, code: str) -> Response:
    return Response(status, {}, orjson.dumps({"__type": f"x#{code}", "message": "no"}))


def call(transport: Scripted, slept: list[float]) -> dict[str, Any]:
    client = LeanClient(
        transport,
        "us-east-1",
        lambda: CREDENTIALS,
        clock=FakeClock(),
        sleep=slept.append,
        jitter=lambda: 1.0,
    )
    return client._make_api_call("GetItem", {"Key": {"b": {"B": b"\0\1"}}})


GOOD = Response(200, {}, b'{"Item":{"b":{"B":"AAE="},"s":{"S":"x"}}}')
TROUBLE: list[Response | Exception] = [
    refused(400, "ThrottlingException"),
    refused(500, "InternalServerError"),
    Response(503, {}, b"<html>"),
    NotSent("connect_failed", "x"),
    AnswerLost("read_timeout", "x"),
]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_what_passes_is_tried_again(trouble: Response | Exception) -> None:
    slept: list[float] = []
    answer = call(Scripted(trouble, trouble, GOOD), slept)
    assert answer == {"Item": {"b": {"B": b"\0\1"}, "s": {"S": "x"}}}
    assert slept == [0.05, 0.1]


def test_a_refusal_is_not_tried_again() -> None:
    slept: list[float] = []
    with pytest.raises(ClientError) as error:
        call(Scripted(refused(400, "ValidationException")), slept)
    assert error.value.response["Error"] == {"Code": "ValidationException", "Message": "no"}
    assert slept == []


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_without_end_is_our_error(trouble: Response | Exception) -> None:
    class Always(Scripted):
        def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
            self.script = [trouble]
            del body
            return super().post(path, b'{"Key":{"b":{"B":"AAE="}}}', headers)

    client = LeanClient(Always(), "us-east-1", lambda: CREDENTIALS, sleep=lambda _: None)
    tables.bind("tidepost-lean", "us-east-1", "http://127.0.0.1:1", client=client)
    with pytest.raises(DependencyUnavailable):
        TokenItem.find("provider#ses", "tokens")
