"""One pooled HTTP(S) connection keeper for the hot path: strict time-outs, no hidden retry.

Why not an SDK or a big client: a retry that the caller does not see is a
duplicate mail, and the leanest client is several times cheaper per request.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.clock import Clock, SystemClock
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.http1 import Answer, Unreadable, read_answer, request_head

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""No ESP's answer to a send is near this; a longer one is not read to its end."""

MAX_IDLE_S = 50.0
"""Load balancers close idle connections after 60 s and more: we are to be first."""

_ONE_WRITE_BYTES = 32_768
"""A body up to this goes out together with its head."""

_READ_BYTES = 65_536


class NotSent(DependencyUnavailable):
    """The request was surely not received: it was not written, or there was no connection for it.

    `reason` is one of `dns_failed`, `tls_failed`, `connect_timeout`,
    `connect_failed` and `unfit_header`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class AnswerLost(DependencyUnavailable):
    """The request may have been received, but no whole answer came back.

    `reason` is one of `read_timeout`, `connection_lost` and `unreadable_answer`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Asks one host over keep-alive connections. Safe to share between threads.

    `base_url` is `http://` or `https://` with an optional port and path prefix.
    `connect_timeout_s` holds for each step of connecting (TCP, TLS),
    `read_timeout_s` for writing the request and again for the whole answer, so
    that a server that drips bytes cannot hold a worker. At most `pool_size`
    idle connections are kept; more may be open at once.

    Raises:
        ConfigurationError: the URL is not one that can be posted to.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        pool_size: int = 8,
        clock: Clock | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._place, self._tls, self._netloc, self._prefix = _split(self.base_url)
        self._host = self._place[0]
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._pool_size = pool_size
        # The wall clock, since a frozen Lambda's monotonic clock may stand still
        # while the other side closes the connection.
        self._clock = clock or SystemClock()
        self._idle: deque[tuple[socket.socket, float]] = deque()
        self._count = threading.Lock()
        self.connections_opened = 0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Posts once and gives the answer, whatever its status. Redirects are not followed.

        Raises:
            NotSent: nothing was received on the other side.
            AnswerLost: it may have been received.
        """
        return self._request("POST", path, body, headers)

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        """Asks once, as `post` does. `path` may have a query, escaped already.

        Raises:
            NotSent: nothing was received on the other side.
            AnswerLost: there was no whole answer.
        """
        return self._request("GET", path, None, headers)

    def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        try:
            length = None if body is None else len(body)
            head = request_head(method, self._prefix + path, self._netloc, headers, length)
        except ValueError as error:
            raise NotSent(
                "unfit_header",
                f"the request to {self._host} was not sent: {error}; look at the provider's secret",
            ) from error
        connection = self._take()
        try:
            answer, reusable = self._exchange(connection, head, body or b"")
        except BaseException:
            connection.close()
            raise
        if reusable and len(self._idle) < self._pool_size:
            self._idle.append((connection, self._clock.now().timestamp()))
        else:
            connection.close()
        return Response(answer.status, answer.headers, answer.body)

    def close(self) -> None:
        """Closes the idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[0].close()

    def _take(self) -> socket.socket:
        """The idle connection used last, if it is still good, else a new one."""
        now = self._clock.now().timestamp()
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return self._open()
            if 0 <= now - since <= MAX_IDLE_S and _is_quiet(connection):
                return connection
            connection.close()

    def _open(self) -> socket.socket:
        connection: socket.socket | None = None
        try:
            connection = socket.create_connection(self._place, self._connect_timeout_s)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_hostname=self._host)
        except (OSError, UnicodeError) as error:
            if connection:
                connection.close()
            raise NotSent(
                _why_not_connected(error),
                f"no connection to {self._host} ({type(error).__name__}); nothing was sent",
            ) from error
        with self._count:
            self.connections_opened += 1
        return connection

    def _exchange(self, connection: socket.socket, head: bytes, body: bytes) -> tuple[Answer, bool]:
        connection.settimeout(self._read_timeout_s)
        try:
            whole = _write(connection, head, body)
            receive = _receiver(connection, self._read_timeout_s)
            answer = read_answer(receive, MAX_ANSWER_BYTES)
        except TimeoutError as error:
            raise AnswerLost(
                "read_timeout",
                f"{self._host} did not answer in full within {self._read_timeout_s} s",
            ) from error
        except (OSError, EOFError) as error:
            raise AnswerLost(
                "connection_lost",
                f"the connection to {self._host} broke before the answer was whole"
                f" ({type(error).__name__})",
            ) from error
        except Unreadable as error:
            raise AnswerLost(
                "unreadable_answer", f"the answer of {self._host} cannot be read: {error}"
            ) from error
        return answer, whole and not answer.last


def _write(connection: socket.socket, head: bytes, body: bytes) -> bool:
    """Whether all was written: a server may refuse and close before, and its answer counts."""
    try:
        if len(body) > _ONE_WRITE_BYTES:
            connection.sendall(head)
            connection.sendall(body)
        else:
            connection.sendall(head + body)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _receiver(connection: socket.socket, seconds: float) -> Callable[[], bytes]:
    """Reads until an instant, however little each read brings."""
    deadline = time.monotonic() + seconds

    def receive() -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        connection.settimeout(left)
        return connection.recv(_READ_BYTES)

    return receive


def _split(base_url: str) -> tuple[tuple[str, int], ssl.SSLContext | None, str, str]:
    """Host and port, TLS if it is wanted, what stands in the Host header, and path prefix."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"a base_url cannot be read: {error}") from error
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.query
        or "@" in parts.netloc
        or not base_url.isascii()
    ):
        raise ConfigurationError(
            "a base_url must look like https://host[:port][/prefix], in ASCII and without a user,"
            f" but its scheme is {parts.scheme!r} and its host {parts.hostname!r}"
        )
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    return (parts.hostname, port or _PORTS[parts.scheme]), tls, parts.netloc, parts.path


_PORTS = {"http": 80, "https": 443}


def _is_quiet(connection: socket.socket) -> bool:
    """Whether nothing came in while idle: a closed peer, or bytes nobody asked for, would."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return not poll.poll(0)


def _why_not_connected(error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "dns_failed"
    if isinstance(error, ssl.SSLError):
        return "tls_failed"
    return "connect_timeout" if isinstance(error, TimeoutError) else "connect_failed"
