"""A stub of the three ESPs in a process of its own: accepts everything at once, and counts.

`python -m benchmarks.esp CERTIFICATE` serves over TLS with that key and
certificate, prints its URL and ends with its standard input. `POST /_counts`
gives the number of requests by path since it was last asked. It does nothing
else: the sandbox of `local/` speaks the ESPs' APIs in full, and would take most
of the machine's time.
"""

from __future__ import annotations

import ssl
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson

from benchmarks.children import serve_until_parent_ends

COUNTS_PATH = "/_counts"

_ACCEPTED = 202


class StubEsp(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one TLS record for head and body
    counts: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        """Takes a mail, or forgets what was counted."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == COUNTS_PATH:
            counted = orjson.dumps(self.counts)
            self.counts.clear()
            self._send(200, counted)
            return
        self.counts[self.path] += 1
        status, answer = answer_to(self.path, body)
        self._send(status, orjson.dumps(answer) if answer is not None else b"")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Message-Id", "stub-message-id")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Quiet."""


def answer_to(path: str, body: bytes) -> tuple[int, Any]:
    """Status and body as esp-facts say; every recipient is accepted."""
    match path:
        case "/v3/mail/send":
            return _ACCEPTED, None
        case "/email":
            return 200, _postmark(orjson.loads(body)["To"])
        case "/email/batch":
            return 200, [_postmark(one["To"]) for one in orjson.loads(body)]
        case "/v2/email/outbound-emails":
            return 200, {"MessageId": "stub-message-id"}
        case "/v2/email/outbound-bulk-emails":
            results = [
                {"Status": "SUCCESS", "MessageId": "stub-message-id"}
                for _ in orjson.loads(body)["BulkEmailEntries"]
            ]
            return 200, {"BulkEmailEntryResults": results}
    return 404, {"message": f"no ESP has a path {path}"}


def _postmark(to: str) -> dict[str, Any]:
    return {
        "To": to,
        "SubmittedAt": "2026-11-24T08:15:30.1234567+00:00",
        "MessageID": "b7bc2f4a-e38e-4336-af7d-e6c392c2f817",
        "ErrorCode": 0,
        "Message": "OK",
    }


def main(certificate: str) -> None:
    """Serves until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), StubEsp)
    # The handshake belongs to the connection's own thread, not to the one that accepts.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    serve_until_parent_ends(server, "https")


if __name__ == "__main__":
    main(sys.argv[1])
