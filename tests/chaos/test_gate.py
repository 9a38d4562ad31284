"""The door before an ESP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from chaos.gate import Gate


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that answers each connection's bytes with the same."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            with client:
                while data := client.recv(100):
                    client.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def gate(echo: int) -> Iterator[Gate]:
    gate = Gate(echo)
    gate.start()
    yield gate
    gate.stop()


def ask(client: socket.socket, what: bytes) -> bytes:
    client.sendall(what)
    return client.recv(100)


def connect(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=5)


def test_it_relays(gate: Gate) -> None:
    with connect(gate) as client:
        assert ask(client, b"one") == b"one"
        assert ask(client, b"two") == b"two"


def test_shut_it_refuses_and_ends_idle_connections(gate: Gate) -> None:
    with connect(gate) as client:
        assert ask(client, b"one") == b"one"
        gate.shut()
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(gate)


def test_opened_again_it_relays_on_the_same_port(gate: Gate) -> None:
    gate.shut()
    gate.open()
    with connect(gate) as client:
        assert ask(client, b"one") == b"one"
