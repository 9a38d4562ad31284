"""HTTP/1.1 for the hot path: the head of a request, and one whole answer.

http.client makes 200 function calls for a request and its answer, most of them
in the e-mail parser that it reads headers with. This makes some 20. It is
strict where a lenient reader could take one answer for another. The rules are
those of RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 65_536
"""Of an answer: status line and headers; also of the trailers of a chunked one."""

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rf"[A-Z]+ /[!-~]* HTTP/1\.1\r\n(?:{_NAME}: [\t -~\x80-\xff]*\r\n)*")
_HEAD = re.compile(
    rf"HTTP/1\.([01]) (\d{{3}})(?: [^\r\n]*)?\r\n((?:{_NAME}:[^\r\n\0]*\r\n)*)\r\n".encode()
)
_FIELD = re.compile(r"([^:]+):[ \t]*(.*?)[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_TRAILERS = re.compile(rf"(?:{_NAME}:[^\r\n\0]*\r\n)*\r\n".encode())
_CONTINUE, _FIRST_FINAL = 100, 200
_NO_BODY = frozenset({204, 304})

Receive = Callable[[], bytes]
"""Gives the next bytes that came, and nothing once the other side has closed."""


class Unreadable(Exception):
    """What came is not HTTP, is cut short, or is longer than wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Header names are lower case; of a header given twice the last one counts.

    `last` says that nothing more may be asked on the connection.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    last: bool


def request_head(
    method: str, target: str, host: str, headers: Mapping[str, str], length: int | None
) -> bytes:
    """The head of a request; without a `length` there is no body.

    `target` is path and query as they stand on the wire. `host` among the
    headers, in lower case, replaces ours.

    Raises:
        ValueError: something cannot stand in a head, such as a value with a line break.
    """
    fields = {"host": host, "accept-encoding": "identity", **headers}
    if length is not None:
        fields["content-length"] = str(length)
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    head = f"{method} {target} HTTP/1.1\r\n{lines}"
    # A value that brings a whole line of its own matches, but makes one line too many.
    if head.count("\n") != 1 + len(fields) or not _REQUEST.fullmatch(head):
        raise ValueError("a header has a line break, or a character that HTTP does not take")
    return f"{head}\r\n".encode("latin-1")


def read_answer(receive: Receive, limit: int) -> Answer:
    """Reads one answer whose body has at most `limit` bytes.

    Raises:
        EOFError: the other side closed before the answer's head was whole.
        Unreadable: it is no HTTP, its body is cut short or too long, or it is
            an interim answer other than 100.
    """
    incoming = _Incoming(receive)
    while True:
        head = incoming.match(_HEAD)
        status = int(head[2])
        if status != _CONTINUE:
            break
    if status < _FIRST_FINAL:
        raise Unreadable(f"status {status} is not a final answer")
    fields = [(name.lower(), value) for name, value in _FIELD.findall(head[3].decode("latin-1"))]
    headers = dict(fields)
    lengths = {value for name, value in fields if name == "content-length"}
    chunked = "transfer-encoding" in headers
    framed = status in _NO_BODY or chunked != bool(lengths)
    try:
        if status in _NO_BODY:
            body = b""
        elif chunked:
            body = _chunked(incoming, headers["transfer-encoding"], limit)
        elif lengths:
            body = incoming.take(_length(lengths, limit))
        else:
            body = incoming.rest(limit)
    except EOFError as error:
        raise Unreadable("the body is cut short") from error
    closing = head[1] == b"0" or "close" in headers.get("connection", "").lower()
    return Answer(status, headers, body, closing or not framed or bool(incoming.data))


def _length(lengths: set[str], limit: int) -> int:
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdecimal()):
        raise Unreadable("its Content-Length is not one number")
    # As text first: int() refuses thousands of digits with an error of its own.
    if len(text) > len(str(limit)) or int(text) > limit:
        raise Unreadable(f"it is longer than {limit} bytes")
    return int(text)


def _chunked(incoming: _Incoming, coding: str, limit: int) -> bytes:
    if coding.lower() != "chunked":
        raise Unreadable("its Transfer-Encoding is not chunked")
    body = bytearray()
    while size := int(incoming.match(_CHUNK)[1], 16):
        if len(body) + size > limit:
            raise Unreadable(f"it is longer than {limit} bytes")
        body += incoming.take(size)
        if incoming.take(2) != b"\r\n":
            raise Unreadable("a chunk does not end where it says")
    incoming.match(_TRAILERS)
    return bytes(body)


class _Incoming:
    """What came and was not used yet."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.data = bytearray()

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Takes what matches, which always ends in a line break.

        Raises:
            EOFError: it ended before.
            Unreadable: it never will match.
        """
        end = b"\r\n" if pattern is _CHUNK else b"\r\n\r\n"
        while True:
            found = pattern.match(bytes(self.data))
            if found:
                del self.data[: found.end()]
                return found
            if end in self.data or len(self.data) > MAX_HEAD_BYTES:
                raise Unreadable("it is not HTTP/1.1")
            self._more()

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises EOFError if it ended before."""
        while len(self.data) < size:
            self._more()
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def rest(self, limit: int) -> bytes:
        """All until the other side closes."""
        while len(self.data) <= limit:
            more = self._receive()
            if not more:
                return self.take(len(self.data))
            self.data += more
        raise Unreadable(f"it is longer than {limit} bytes")

    def _more(self) -> None:
        more = self._receive()
        if not more:
            raise EOFError
        self.data += more
