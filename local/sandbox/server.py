"""The HTTP server that puts the sandbox's parts together."""

from __future__ import annotations

import http.server
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from local.sandbox import (
    postmark,
    postmark_suppressions,
    sendgrid,
    sendgrid_suppressions,
    ses,
    ses_suppressions,
)
from local.sandbox.behaviour import Behaviour, Document, Provider
from local.sandbox.control import Control
from local.sandbox.dns import DnsServer, Zone
from local.sandbox.identity import Identity, load_identity
from local.sandbox.mailbox import Mailbox
from local.sandbox.postmark_events import PostmarkChannel
from local.sandbox.reception import Reception
from local.sandbox.sendgrid_events import SendGridChannel
from local.sandbox.ses_events import SesChannel
from local.sandbox.sns import Topic
from local.sandbox.suppressions import SuppressionLists
from local.sandbox.webhooks import Webhooks
from local.sandbox.wire import Answer, Ending, Refused, Request, json_answer
from shared.clock import Clock, SystemClock

_IDLE_S = 120
_POLL_S = 0.05  # how soon a stop is noticed
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close by RST
_LIST_PATHS: dict[Provider, tuple[str, ...]] = {
    "sendgrid": sendgrid_suppressions.PATHS,
    "postmark": postmark_suppressions.PATHS,
    "ses": ses_suppressions.PATHS,
}
_PATHS: dict[Provider, tuple[str, ...]] = {
    "sendgrid": sendgrid.PATHS + _LIST_PATHS["sendgrid"],
    "postmark": postmark.PATHS + _LIST_PATHS["postmark"],
    "ses": ses.PATHS + _LIST_PATHS["ses"],
}


class _Api(Protocol):
    def handle(self, request: Request, path: str) -> Answer: ...


class Sandbox:
    """All of it: three APIs, mailbox, webhooks, DNS. Port 0 takes a free port."""

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int = 0,
        dns_port: int = 0,
        document: Document | None = None,
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        verbose: bool = False,
    ) -> None:
        clock = clock or SystemClock()
        self.verbose = verbose
        self.stopping = threading.Event()
        self.behaviour = Behaviour(document)
        lists = SuppressionLists(self.behaviour, clock)
        self.mailbox = Mailbox(clock, lists)
        self._identity = load_identity(state_dir, clock, random_bytes)
        identity = self._identity
        self._topic = Topic(identity, clock, random_bytes)
        self.webhooks = Webhooks(
            {
                "sendgrid": SendGridChannel(identity.sendgrid_key, clock),
                "postmark": PostmarkChannel(
                    identity.postmark_webhook_user, identity.postmark_webhook_password
                ),
                "ses": SesChannel(self._topic, clock),
            },
            self.behaviour,
            self.mailbox,
            clock,
        )
        reception = Reception(
            self.behaviour, self.mailbox, self.webhooks, self.stopping, random_bytes
        )
        self._apis: dict[Provider, _Api] = {
            "sendgrid": sendgrid.SendGridApi(reception, identity.sendgrid_api_key, clock),
            "postmark": postmark.PostmarkApi(reception, identity.postmark_server_token, clock),
            "ses": ses.SesApi(reception, clock),
        }
        self._lists: dict[Provider, _Api] = {
            "sendgrid": sendgrid_suppressions.SendGridSuppressionApi(
                lists, identity.sendgrid_api_key
            ),
            "postmark": postmark_suppressions.PostmarkSuppressionApi(
                lists, identity.postmark_server_token
            ),
            "ses": ses_suppressions.SesSuppressionApi(lists, clock),
        }
        zone = Zone()
        self._control = Control(self.behaviour, self.mailbox, self.webhooks, zone, identity)
        self._dns = DnsServer(zone, dns_port)
        self._http = _Server(port, self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_S,), name="sandbox http"
        )

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def dns_port(self) -> int:
        """The UDP port of the DNS server."""
        return self._dns.port

    def identity(self) -> Identity:
        """Keys and credentials; `.public()` is what a deployment must know."""
        return self._identity

    def start(self) -> None:
        """Begins to serve, in threads of its own."""
        self.webhooks.start()
        self.webhooks.retarget()
        self._dns.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends all threads and frees the ports."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.end_connections()
        self._http.server_close()
        self.webhooks.stop()
        self._dns.stop()

    def outage(self, path: str) -> Answer | None:
        """What a provider in an outage answers on that path; None if all is well."""
        routed = _route(path)
        mode = self.behaviour.outage(routed[0]) if routed else None
        if routed is None or mode is None:
            return None
        if mode == "close":
            return Answer(ending=Ending.DROP)
        if mode == "maintenance" and routed[0] == "postmark":
            return json_answer(503, {"ErrorCode": 100, "Message": "Maintenance"})
        return Answer(503, b"Service Unavailable", {"Content-Type": "text/plain"})

    def answer(self, request: Request) -> Answer:
        """The answer to any request."""
        try:
            return self._answer(request)
        except Refused as refused:
            return refused.answer

    def _answer(self, request: Request) -> Answer:
        routed = _route(request.path)
        if routed is not None:
            provider, path = routed
            of_lists = any(path.startswith(one) for one in _LIST_PATHS[provider])
            return (self._lists if of_lists else self._apis)[provider].handle(request, path)
        if request.path.startswith("/_sandbox/"):
            return self._control.handle(request)
        if request.method == "GET" and request.path == "/sns/cert.pem":
            kind = {"Content-Type": "application/x-pem-file"}
            return Answer(200, self._topic.certificate_pem.encode(), kind)
        if request.method == "POST" and request.path in ("/", "/sns", "/sns/"):
            return self._topic.handle(request)
        if request.method == "GET":
            return self._control.page(request)
        return json_answer(404, {"error": "there is nothing here"})


def _route(path: str) -> tuple[Provider, str] | None:
    """Which API a path belongs to, and the path without the provider's prefix."""
    for provider, known in _PATHS.items():
        rest = path.removeprefix(f"/{provider}")
        if rest != path and not rest.startswith("/"):
            continue
        if any(rest == one or rest.startswith(one + "/") for one in known):
            return provider, rest
    return None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, port: int, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Wakes every thread that waits for a request on a connection kept alive."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the peer was quicker

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a peer that goes away is no error
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tidepost-esp-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _IDLE_S

    def _serve(self) -> None:
        sandbox = cast("_Server", self.server).sandbox
        path, _, query = self.path.partition("?")
        answer = sandbox.outage(path)
        if answer is not None and answer.ending is Ending.DROP:
            self._end(0)
            return
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self._write(Answer(411), close=True)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = answer or sandbox.answer(Request(self.command, path, query, headers, body))
        if answer.ending is Ending.ANSWER:
            self._write(answer)
            return
        routed = _route(path)
        hang = answer.ending is Ending.HANG and routed is not None
        self._end(sandbox.behaviour.settings(routed[0]).hang_s if hang and routed else 0)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 -- the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 -- the base's
        """One line per request if asked for, without the query: it may hold an address."""
        sandbox = cast("_Server", self.server).sandbox
        if sandbox.verbose:
            print(f"{self.command} {self.path.partition('?')[0]} {args[1:2]}", file=sys.stderr)

    def _write(self, answer: Answer, *, close: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _end(self, after_s: float) -> None:
        cast("_Server", self.server).sandbox.stopping.wait(after_s)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True


def read_document(path: Path) -> Document:
    """Reads a behaviour document from a file.

    Raises:
        ConfigurationError: names each field that is wrong.
        OSError, ValueError: the file cannot be read, or is not JSON.
    """
    return Document.parse(json.loads(path.read_text()))
