from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared import transport as module
from shared.errors import ConfigurationError
from shared.transport import AnswerLost, NotSent, Transport
from tests.recording_server import (
    Answer,
    Hang,
    RecordingServer,
    Reset,
    free_port,
    recording_server,
)

JSON = {"Content-Type": "application/json"}


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.time


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def transport(server: RecordingServer, clock: HandClock) -> Iterator[Transport]:
    made = Transport(server.url, connect_timeout_s=2, read_timeout_s=0.3, clock=clock)
    yield made
    made.close()


def test_gives_status_headers_in_lower_case_and_body(
    server: RecordingServer, transport: Transport
) -> None:
    server.react = lambda _: Answer(429, {"a": 1}, {"Retry-After": "7"})
    response = transport.post("/x", b"body", JSON | {"X-One": "two"})
    assert (response.status, response.headers["retry-after"]) == (429, "7")
    assert response.body == b'{"a": 1}'
    [request] = server.requests
    assert (request.path, request.body) == ("/x", b"body")
    assert request.headers["x-one"] == "two"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


def test_a_path_prefix_of_the_base_url_is_kept(server: RecordingServer) -> None:
    made = Transport(f"{server.url}/esp/sendgrid/", connect_timeout_s=2, read_timeout_s=2)
    made.post("/v3/mail/send", b"", {})
    made.close()
    assert server.requests[0].path == "/esp/sendgrid/v3/mail/send"


def test_a_connection_is_used_again(server: RecordingServer, transport: Transport) -> None:
    for _ in range(5):
        transport.post("/", b"x", JSON)
    assert transport.connections_opened == 1
    assert len({request.connection for request in server.requests}) == 1


def test_threads_share_the_pool_and_never_a_connection(
    server: RecordingServer, transport: Transport
) -> None:
    everyone = threading.Barrier(4)

    def react(_: object) -> Answer:
        everyone.wait(timeout=5)
        return Answer()

    server.react = react
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            list(threads.map(lambda i: transport.post("/", b"%d" % i, JSON), range(4)))
    assert transport.connections_opened == 4
    assert sorted(request.body for request in server.requests) == sorted(
        [b"0", b"1", b"2", b"3"] * 3
    )


def test_no_more_idle_connections_are_kept_than_the_pool_holds(server: RecordingServer) -> None:
    made = Transport(server.url, connect_timeout_s=2, read_timeout_s=5, pool_size=1)
    both = threading.Barrier(2)

    def react(_: object) -> Answer:
        both.wait(timeout=5)
        return Answer()

    server.react = react
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: made.post("/", b"", {}), range(2)))
        list(threads.map(lambda _: made.post("/", b"", {}), range(2)))
    made.close()
    assert made.connections_opened == 3


def test_a_connection_that_the_server_closed_while_idle_is_not_posted_on(
    server: RecordingServer, transport: Transport
) -> None:
    server.react = lambda _: Answer(close=True)
    for _ in range(3):
        transport.post("/", b"x", JSON)
        _until_closed(transport)
    assert len(server.requests) == transport.connections_opened == 3


def _until_closed(transport: Transport) -> None:
    """Waits until the server's closing has arrived, without which there is nothing to see."""
    connection, _ = transport._idle[-1]
    deadline = time.monotonic() + 5
    while module._is_quiet(connection) and time.monotonic() < deadline:
        time.sleep(0.001)


def test_a_connection_idle_for_too_long_is_not_posted_on(
    transport: Transport, clock: HandClock
) -> None:
    transport.post("/", b"x", JSON)
    clock.time += dt.timedelta(seconds=module.MAX_IDLE_S)
    transport.post("/", b"x", JSON)
    assert transport.connections_opened == 1
    clock.time += dt.timedelta(seconds=module.MAX_IDLE_S + 1)
    transport.post("/", b"x", JSON)
    assert transport.connections_opened == 2
    clock.time -= dt.timedelta(hours=1)  # the clock was set back: nothing is known of the age
    transport.post("/", b"x", JSON)
    assert transport.connections_opened == 3


def test_an_announced_close_is_honoured(server: RecordingServer, transport: Transport) -> None:
    server.react = lambda _: Answer(headers={"Connection": "close"})
    transport.post("/", b"x", JSON)
    transport.post("/", b"x", JSON)
    assert transport.connections_opened == 2


@pytest.mark.parametrize("value", ["secret\n", "a\r\nX: b", "a\0", "€"])
def test_a_header_that_would_be_two_is_not_sent(
    server: RecordingServer, transport: Transport, value: str
) -> None:
    with pytest.raises(NotSent) as caught:
        transport.post("/", b"x", {"Authorization": value})
    assert caught.value.reason == "unfit_header"
    assert "secret\n" not in str(caught.value)
    assert server.requests == []


def test_refused_is_not_sent() -> None:
    made = Transport(f"http://127.0.0.1:{free_port()}", connect_timeout_s=2, read_timeout_s=2)
    with pytest.raises(NotSent) as caught:
        made.post("/", b"x", JSON)
    assert caught.value.reason == "connect_failed"
    assert made.connections_opened == 0


def test_an_unknown_host_is_not_sent() -> None:
    made = Transport("http://no-such-host.invalid", connect_timeout_s=2, read_timeout_s=2)
    with pytest.raises(NotSent) as caught:
        made.post("/", b"x", JSON)
    assert caught.value.reason == "dns_failed"


def test_a_host_that_cannot_be_a_name_is_not_sent() -> None:
    made = Transport(f"http://{'x' * 64}.example", connect_timeout_s=2, read_timeout_s=2)
    with pytest.raises(NotSent):
        made.post("/", b"x", JSON)


def test_a_time_out_of_the_connection_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]  # more than the backlog takes
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        made = Transport(f"http://127.0.0.1:{port}", connect_timeout_s=0.2, read_timeout_s=2)
        with pytest.raises(NotSent) as caught:
            made.post("/", b"x", JSON)
        assert caught.value.reason == "connect_timeout"
        for filler in fillers:
            filler.close()


def test_a_silent_server_is_answer_lost_after_one_post(
    server: RecordingServer, transport: Transport
) -> None:
    server.react = lambda _: Hang()
    with pytest.raises(AnswerLost) as caught:
        transport.post("/", b"x", JSON)
    assert caught.value.reason == "read_timeout"
    assert len(server.requests) == 1


def test_a_reset_after_the_request_is_answer_lost_after_one_post(
    server: RecordingServer, transport: Transport
) -> None:
    server.react = lambda _: Reset()
    with pytest.raises(AnswerLost) as caught:
        transport.post("/", b"x", JSON)
    assert caught.value.reason == "connection_lost"
    assert len(server.requests) == 1


def test_a_reset_on_a_used_connection_is_not_repeated(
    server: RecordingServer, transport: Transport
) -> None:
    transport.post("/", b"first", JSON)
    server.react = lambda _: Reset()
    with pytest.raises(AnswerLost):
        transport.post("/", b"second", JSON)
    assert [request.body for request in server.requests] == [b"first", b"second"]
    assert transport.connections_opened == 1
    server.react = lambda _: Answer()
    transport.post("/", b"third", JSON)
    assert transport.connections_opened == 2


def test_a_body_cut_short_is_answer_lost(server: RecordingServer, transport: Transport) -> None:
    server.react = lambda _: Answer(200, b"half", length=8)
    with pytest.raises(AnswerLost) as caught:
        transport.post("/", b"x", JSON)
    assert caught.value.reason == "unreadable_answer"


def test_an_answer_that_is_too_long_is_answer_lost(
    server: RecordingServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 10)
    server.react = lambda _: Answer(200, b"x" * 11)
    with pytest.raises(AnswerLost) as caught:
        transport.post("/", b"x", JSON)
    assert caught.value.reason == "unreadable_answer"
    server.react = lambda _: Answer(200, b"x" * 10)
    assert transport.post("/", b"x", JSON).body == b"x" * 10
    assert transport.connections_opened == 2


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", "read_timeout"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "read_timeout"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "unreadable_answer"),
        (b"SMTP? 220 hello\r\n\r\n", "unreadable_answer"),
    ],
)
def test_a_server_that_drips_bytes_or_talks_nonsense_is_answer_lost(
    head: bytes, reason: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        done = threading.Event()

        def drip() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(head)
                while not done.wait(0.02):
                    peer.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        made = Transport(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            connect_timeout_s=2,
            read_timeout_s=0.2,
        )
        with pytest.raises(AnswerLost) as caught:
            made.post("/", b"x", JSON)
        done.set()
        thread.join()
        assert caught.value.reason == reason


def test_the_time_out_is_whole_again_for_the_next_post_on_the_connection(
    transport: Transport,
) -> None:
    for _ in range(3):
        transport.post("/", b"x", JSON)
        connection, _ = transport._idle[-1]
        connection.settimeout(1e-9)  # what a slow answer leaves behind
    assert transport.connections_opened == 1


def test_an_answer_that_comes_before_all_was_written_counts() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def refuse_early() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1024)
                peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(1 << 20):
                    pass

        thread = threading.Thread(target=refuse_early, daemon=True)
        thread.start()
        made = Transport(
            f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout_s=2, read_timeout_s=5
        )
        assert made.post("/", bytes(8_000_000), JSON).status == 413
        made.close()
        thread.join()


@pytest.mark.parametrize(
    "url", ["", "api.sendgrid.com", "ftp://host", "http://", "http://h:99999", "http://h/?a=b"]
)
def test_a_url_that_cannot_be_posted_to_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Transport(url, connect_timeout_s=1, read_timeout_s=1)


def test_https_verifies_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with recording_server(context) as server:
        untrusting = Transport(server.url, connect_timeout_s=2, read_timeout_s=2)
        with pytest.raises(NotSent) as caught:
            untrusting.post("/", b"x", JSON)
        assert caught.value.reason == "tls_failed"
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusting = Transport(server.url, connect_timeout_s=2, read_timeout_s=2)
        for _ in range(3):
            assert trusting.post("/", b"x", JSON).status == 200
        assert trusting.connections_opened == 1
        trusting.close()


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
