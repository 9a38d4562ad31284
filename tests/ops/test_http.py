from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ops.http import Web
from shared.errors import ConfigurationError, DependencyUnavailable


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("X-Type", self.headers["Content-Type"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_any_status_is_an_answer(url: str) -> None:
    answer = Web().request("POST", url, body={"a": 1})
    assert (answer.status, answer.json()) == (401, {"a": 1})
    assert answer.headers["x-type"] == "application/json"


def test_no_answer_is_an_error_that_says_where() -> None:
    with pytest.raises(DependencyUnavailable, match=r"GET http://127\.0\.0\.1:1/x"):
        Web().request("GET", "http://127.0.0.1:1/x")


def test_other_schemes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no http or https"):
        Web().request("GET", "file:///etc/passwd")
