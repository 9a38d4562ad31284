"""One pooled HTTP(S) connection keeper for the hot path: strict time-outs, no hidden retry.

Why not an SDK or a big client: a retry that the caller does not see is a
duplicate mail, and the leanest client is several times cheaper per request.
"""

from __future__ import annotations

import contextlib
import io
import select
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import gaierror, socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.clock import Clock, SystemClock
from shared.errors import ConfigurationError, DependencyUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""No ESP's answer to a send is near this; a longer one is not read to its end."""

MAX_IDLE_S = 50.0
"""Load balancers close idle connections after 60 s and more: we are to be first."""


class NotSent(DependencyUnavailable):
    """The request was surely not received: no connection, or TLS failed before it was written.

    `reason` is one of `dns_failed`, `tls_failed`, `connect_timeout` and `connect_failed`.
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
    """Posts to one host over keep-alive connections. Safe to share between threads.

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
        scheme, self._host, self._port, self._prefix = _split(self.base_url)
        self._tls = ssl.create_default_context() if scheme == "https" else None
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._pool_size = pool_size
        # The wall clock, since a frozen Lambda's monotonic clock may stand still
        # while the other side closes the connection.
        self._clock = clock or SystemClock()
        self._idle: deque[tuple[HTTPConnection, float]] = deque()
        self._count = threading.Lock()
        self.connections_opened = 0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Posts once and gives the answer, whatever its status. Redirects are not followed.

        Raises:
            NotSent: nothing was received on the other side.
            AnswerLost: it may have been received.
        """
        connection = self._take()
        try:
            response, reusable = self._exchange(connection, path, body, headers)
        except BaseException:
            connection.close()
            raise
        if reusable and len(self._idle) < self._pool_size:
            self._idle.append((connection, self._clock.now().timestamp()))
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Closes the idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[0].close()

    def _take(self) -> HTTPConnection:
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

    def _open(self) -> HTTPConnection:
        connection = (
            HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout_s, context=self._tls
            )
            if self._tls
            else HTTPConnection(self._host, self._port, timeout=self._connect_timeout_s)
        )
        connection.auto_open = 0  # never connects again by itself in the middle of a POST
        connection.response_class = _Answer
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            raise NotSent(
                _why_not_connected(error),
                f"no connection to {self._host} ({type(error).__name__}); nothing was sent",
            ) from error
        with self._count:
            self.connections_opened += 1
        return connection

    def _exchange(
        self, connection: HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Response, bool]:
        connection.sock.settimeout(self._read_timeout_s)
        whole = False
        try:
            # A server may refuse and close before it has read all: its answer counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", self._prefix + path, body, headers)
                whole = True
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES + 1)
        except TimeoutError as error:
            raise AnswerLost(
                "read_timeout",
                f"{self._host} did not answer in full within {self._read_timeout_s} s",
            ) from error
        except (OSError, HTTPException) as error:
            raise AnswerLost(
                "connection_lost",
                f"the connection to {self._host} broke before the answer was whole"
                f" ({type(error).__name__})",
            ) from error
        if len(content) > MAX_ANSWER_BYTES or answer.length or answer.status < 200:  # noqa: PLR2004 - 1xx is no answer
            raise AnswerLost(
                "unreadable_answer",
                f"{self._host} answered {answer.status} with a body that is cut short,"
                f" is longer than {MAX_ANSWER_BYTES} bytes, or is none",
            )
        response = Response(
            answer.status,
            {name.lower(): value for name, value in answer.msg.raw_items()},
            content,
        )
        return response, whole and not answer.will_close and answer.isclosed()


class _Deadlined(io.RawIOBase):
    """Reads a socket until an instant, however little each read brings."""

    def __init__(self, sock: socket, source: io.RawIOBase, seconds: float) -> None:
        self._sock, self._source = sock, source
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()


class _Answer(HTTPResponse):
    """An HTTPResponse whose time-out is for the whole of it; it starts when the request is out."""

    def __init__(self, sock: socket, *args: object, **kwargs: object) -> None:
        super().__init__(sock, *args, **kwargs)  # type: ignore[arg-type]  # handed on as they come
        self.fp = io.BufferedReader(_Deadlined(sock, self.fp.detach(), sock.gettimeout() or 0))


def _split(base_url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path prefix."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"a base_url cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ConfigurationError(
            "a base_url must look like https://host[:port][/prefix], "
            f"but its scheme is {parts.scheme!r} and its host {parts.hostname!r}"
        )
    return parts.scheme, parts.hostname, port, parts.path


def _is_quiet(connection: HTTPConnection) -> bool:
    """Whether nothing came in while idle: a closed peer, or bytes nobody asked for, would."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _why_not_connected(error: Exception) -> str:
    if isinstance(error, gaierror | UnicodeError):
        return "dns_failed"
    if isinstance(error, ssl.SSLError):
        return "tls_failed"
    return "connect_timeout" if isinstance(error, TimeoutError) else "connect_failed"
