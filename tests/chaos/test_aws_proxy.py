"""What the proxy does to a call, seen from both of its sides."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from chaos.aws_proxy import AwsProxy
from chaos.exposure import Exposure
from chaos.faults import Dice, Fault, Tally
from chaos.interference import Call, Interference
from chaos.workers import Workers

LOST = "http://q.example/lost"
PUT = {"pk": {"S": "ws#ws_0a#cmp_0b#3"}, "sk": {"S": "R#0000000011"}}
SEND = {"QueueUrl": "http://q.example/bulk", "Entries": [{"Id": "0", "MessageBody": "{}"}]}


class Upstream(HTTPServer):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Answering)


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Upstream)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"fine": true}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
        pass


class Fixed(Interference):
    """Always the same fault."""

    fault: Fault | None = None

    def decide(self, call: Call) -> Fault | None:
        assert call.function == "dispatcher"
        return self.fault


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fixed() -> Fixed:
    return Fixed(Dice(1), Tally())


@pytest.fixture
def proxy(upstream: Upstream, fixed: Fixed) -> Iterator[AwsProxy]:
    proxy = AwsProxy(
        f"http://127.0.0.1:{upstream.server_address[1]}",
        ("dispatcher",),
        interference=fixed,
        exposure=Exposure(),
        workers=Workers(-1, {}),
        dice=Dice(1),
        lost_queue=LOST,
    )
    proxy.start()
    yield proxy
    proxy.stop()


def ask(proxy: AwsProxy, target: str, body: object) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(proxy.urls["dispatcher"]).netloc, timeout=5)
    try:
        connection.request("POST", "/", json.dumps(body), {"X-Amz-Target": target})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def put(proxy: AwsProxy) -> tuple[int, dict[str, Any]]:
    return ask(proxy, "DynamoDB_20120810.PutItem", PUT)


def send(proxy: AwsProxy) -> tuple[int, dict[str, Any]]:
    return ask(proxy, "AmazonSQS.SendMessageBatch", SEND)


def test_it_passes_calls_on(proxy: AwsProxy, upstream: Upstream) -> None:
    assert put(proxy) == (200, {"fine": True})
    assert upstream.asked == [PUT]


def test_a_throttled_call_is_not_applied(proxy: AwsProxy, upstream: Upstream, fixed: Fixed) -> None:
    fixed.fault = Fault.THROTTLED
    status, answer = put(proxy)
    assert status == 400
    assert answer["__type"].endswith("#ProvisionedThroughputExceededException")
    assert upstream.asked == []


def test_an_applied_call_may_be_answered_with_an_error(
    proxy: AwsProxy, upstream: Upstream, fixed: Fixed
) -> None:
    fixed.fault = Fault.APPLIED_BUT_ERROR
    assert put(proxy)[0] == 500
    assert upstream.asked == [PUT]


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        (Fault.APPLIED_BUT_CUT, 1),
        (Fault.KILLED_AFTER_CALL, 1),
        (Fault.KILLED_BEFORE_CALL, 0),
    ],
)
def test_or_not_at_all(
    proxy: AwsProxy, upstream: Upstream, fixed: Fixed, fault: Fault, applied: int
) -> None:
    fixed.fault = fault
    with pytest.raises(ConnectionError):
        put(proxy)
    assert len(upstream.asked) == applied


def test_messages_come_twice_late_or_never(
    proxy: AwsProxy, upstream: Upstream, fixed: Fixed
) -> None:
    for fault in (Fault.TWICE, Fault.LATE, Fault.LOST):
        fixed.fault = fault
        assert send(proxy)[0] == 200
    first, second, late, lost = upstream.asked
    assert first == second == SEND
    assert late["QueueUrl"] == SEND["QueueUrl"]
    assert 0 <= late["Entries"][0]["DelaySeconds"] <= 8
    assert lost["QueueUrl"] == LOST
