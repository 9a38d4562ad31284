"""Between the functions and the emulator: passes AWS calls on, or does to them what is drawn.

Each function has a port of its own, so that a call tells whose it is. Faults of
DynamoDB are what the service itself answers; a message that gets lost goes to a
queue that nobody reads, so its sender sees a real success.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

from chaos.exposure import Exposure
from chaos.faults import FUNCTIONS, Dice, Fault
from chaos.interference import Call, Interference
from chaos.workers import Workers

_TIMEOUT_S = 60.0
_MOST_DELAY_S = 8
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close by RST
_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
)

Answer = tuple[int, list[tuple[str, str]], bytes]


class AwsProxy:
    """One server per function. `lost_queue` is the URL of the queue that nobody reads."""

    def __init__(
        self,
        aws_url: str,
        functions: tuple[str, ...],
        *,
        interference: Interference,
        exposure: Exposure,
        workers: Workers,
        dice: Dice,
        lost_queue: str,
    ) -> None:
        self.upstream = urlsplit(aws_url).netloc
        self.interference = interference
        self.exposure = exposure
        self.workers = workers
        self.dice = dice
        self.lost_queue = lost_queue
        self._servers = {name: _Server(name, self) for name in functions}
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.1,), name=f"proxy {name}")
            for name, server in self._servers.items()
        ]

    @property
    def urls(self) -> Mapping[str, str]:
        """Each function's endpoint."""
        return {
            name: f"http://127.0.0.1:{server.server_address[1]}"
            for name, server in self._servers.items()
        }

    def start(self) -> None:
        """Begins to serve."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the servers; calls under way are left to their threads."""
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def forward(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> Answer:
        """The emulator's answer."""
        connection = http.client.HTTPConnection(self.upstream, timeout=_TIMEOUT_S)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in {"connection", "content-length", "expect"}:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP]
            if method == "HEAD":  # the length of what a GET would give
                kept.append(("Content-Length", answer.getheader("Content-Length", "0")))
            return answer.status, kept, answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, function: str, proxy: AwsProxy) -> None:
        self.function = function
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self._pid: int | None = None

    def _serve(self) -> None:
        server = cast("_Server", self.server)
        proxy = server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        service, _, operation = self.headers.get("X-Amz-Target", ".").partition(".")
        call = Call(server.function, service.partition("_")[0], operation)
        dispatching = server.function == "dispatcher" and call.service == "DynamoDB"
        if self._pid is None and server.function in FUNCTIONS:
            self._pid = proxy.workers.of_connection(self.client_address[1])
        if dispatching:
            proxy.exposure.saw(self._pid, body)
        fault = proxy.interference.decide(call)
        if fault and dispatching:
            proxy.exposure.fault(self._pid)
        self._do(fault, list(self.headers.items()), body)

    def _do(self, fault: Fault | None, headers: list[tuple[str, str]], body: bytes) -> None:
        """Passes the call on as the fault has it."""
        if fault is Fault.THROTTLED:
            self._write(*_throttled())
            return
        if fault is Fault.KILLED_BEFORE_CALL:
            self._kill()
            return
        if fault in {Fault.LATE, Fault.LOST}:
            body = self._resent(fault, body)
        proxy = cast("_Server", self.server).proxy
        for _ in range(2 if fault is Fault.TWICE else 1):
            answer = proxy.forward(self.command, self.path, headers, body)
        if fault is Fault.APPLIED_BUT_ERROR:
            self._write(*_internal_error())
        elif fault is Fault.APPLIED_BUT_CUT:
            self._cut()
        elif fault is Fault.KILLED_AFTER_CALL:
            self._kill()
        else:
            self._write(*answer)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 -- the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's
        """Nothing."""

    def _resent(self, fault: Fault, body: bytes) -> bytes:
        """The message with a delay, or on its way to nowhere."""
        proxy = cast("_Server", self.server).proxy
        request: dict[str, Any] = json.loads(body)
        if fault is Fault.LOST:
            request["QueueUrl"] = proxy.lost_queue
        for entry in request.get("Entries", [request]):
            entry["DelaySeconds"] = proxy.dice.pick("delay", _MOST_DELAY_S + 1)
        return json.dumps(request).encode()

    def _kill(self) -> None:
        if self._pid is not None:
            cast("_Server", self.server).proxy.workers.kill(self._pid)
        self._cut()

    def _cut(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True

    def _write(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _throttled() -> Answer:
    kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    return _error(400, kind, "The level of configured provisioned throughput was exceeded.")


def _internal_error() -> Answer:
    kind = "com.amazonaws.dynamodb.v20120810#InternalServerError"
    return _error(500, kind, "Internal server error")


def _error(status: int, kind: str, message: str) -> Answer:
    body = json.dumps({"__type": kind, "message": message}).encode()
    return status, [("Content-Type", "application/x-amz-json-1.0")], body
