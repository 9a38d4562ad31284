"""Fetching SNS's certificate: one GET, no redirect, bounded in time and size."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared.errors import BadSignature, DependencyUnavailable
from shared.providers.ses.certificates import fetch_over_https


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path[1:4])
        body = b"x" * (100_000 if self.path.endswith("large") else 10)
        self.send_response(status)
        self.send_header("Location", "/200")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:  # quiet
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def without_tls(host: str, *, timeout: float, context: object) -> http.client.HTTPConnection:
        assert context is not None
        return http.client.HTTPConnection(host, timeout=timeout)

    monkeypatch.setattr(http.client, "HTTPSConnection", without_tls)
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_certificate_is_read(host: str) -> None:
    assert fetch_over_https(host, "/200") == b"x" * 10


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/403", BadSignature),
        ("/404", BadSignature),
        ("/301", DependencyUnavailable),
        ("/500", DependencyUnavailable),
        ("/200-large", DependencyUnavailable),
    ],
)
def test_what_is_no_certificate(path: str, error: type[Exception], host: str) -> None:
    with pytest.raises(error):
        fetch_over_https(host, path)


def test_nobody_answers() -> None:
    with pytest.raises(DependencyUnavailable):
        fetch_over_https("127.0.0.1:9", "/SimpleNotificationService-x.pem")
