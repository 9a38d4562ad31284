"""A small HTTP server on 127.0.0.1 that keeps what it was sent and answers as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """One request. Header names are lower case; `connection` numbers the connections."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer; a str, list or dict body is sent as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False
    """Close the connection without having announced it."""
    length: int | None = None
    """A Content-Length other than the true one."""


class Hang:
    """Never answers (until the server ends)."""


class Reset:
    """Reads the request and resets the connection."""


Reaction = Answer | Hang | Reset


class RecordingServer:
    """`react` decides on each request; by default everything is answered with an empty 200."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Recorded] = []
        self.react: Callable[[Recorded], Reaction] = lambda _: Answer()
        self.ended = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorded = Recorded(self.path, headers, body, self.client_address)
                owner.requests.append(recorded)
                owner.answer(self, owner.react(recorded))

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away or does not trust us is part of the tests."""

        self.http = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.http.socket = tls.wrap_socket(
                self.http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def answer(self, handler: BaseHTTPRequestHandler, reaction: Reaction) -> None:
        """Does what the reaction says."""
        if isinstance(reaction, Hang):
            self.ended.wait()
            handler.close_connection = True
            return
        if isinstance(reaction, Reset):
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            handler.close_connection = True
            return
        body = reaction.body
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        handler.send_response(reaction.status)
        for name, value in reaction.headers.items():
            handler.send_header(name, value)
        length = len(body) if reaction.length is None else reaction.length
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(body)
        if reaction.close or reaction.length is not None:
            handler.close_connection = True


@contextmanager
def recording_server(tls: ssl.SSLContext | None = None) -> Iterator[RecordingServer]:
    """A running server; ends with the block."""
    server = RecordingServer(tls)
    thread = threading.Thread(
        target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
