"""One answer, whatever pieces it comes in; and nothing that could be taken for another one."""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Iterable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import http1
from shared.http1 import Answer, Receive, Unreadable, read_answer, request_head

LIMIT = 100
HEAD = b"HTTP/1.1 200 OK\r\n"


def coming(pieces: Iterable[bytes]) -> Receive:
    left = iter(piece for piece in pieces if piece)
    return lambda: next(left, b"")


def read(data: bytes) -> Answer:
    return read_answer(coming([data]), LIMIT)


ANSWERS = [
    HEAD + b"Content-Length: 5\r\nX-Id:  a b \r\n\r\nhello",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
    HEAD + b"\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\n"
    + HEAD
    + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    b"HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    HEAD + b"Content-Length: 2\r\nConnection: Keep-Alive, Close\r\n\r\n{}",
    HEAD + "Content-Length: 0\r\nX-Name: Zürich\r\n\r\n".encode("latin-1"),
]


class Socket:
    """As much of a socket as http.client reads from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@pytest.mark.parametrize("data", ANSWERS)
def test_it_reads_what_http_client_reads(data: bytes) -> None:
    oracle = http.client.HTTPResponse(cast("Any", Socket(data)), method="POST")
    oracle.begin()
    body = oracle.read()
    answer = read(data)
    assert (answer.status, answer.body) == (oracle.status, body)
    expected = {name.lower(): value.strip() for name, value in oracle.getheaders()}
    assert answer.headers == expected
    assert answer.last == oracle.will_close


@given(st.sampled_from(ANSWERS), st.data())
def test_the_pieces_it_comes_in_do_not_matter(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert read_answer(coming(pieces), LIMIT) == read(data)


@given(st.sampled_from(ANSWERS), st.data())
def test_an_answer_cut_short_is_never_whole(data: bytes, draw: st.DataObject) -> None:
    if b"Length" not in data and b"length" not in data and b"chunked" not in data:
        return  # nothing says where it ends
    if b" 100 " in data:
        return
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises((EOFError, Unreadable)):
        read(cut)


@given(st.binary(max_size=80), st.sampled_from([b"", b"HTTP/1.1 ", HEAD, HEAD + b"Content-"]))
def test_noise_is_refused_or_read_and_raises_nothing_else(noise: bytes, start: bytes) -> None:
    with contextlib.suppress(EOFError, Unreadable):
        read(start + noise)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        HEAD + b" folded: 1\r\n\r\n",
        HEAD + b"X : 1\r\n\r\n",
        HEAD + b"X: a\0b\r\n\r\n",
        HEAD + b"X: a\rb\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1, 1\r\n\r\nx",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        HEAD + b"Content-Length: 101\r\n\r\n" + bytes(101),
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        HEAD + "Content-Length: ²\r\n\r\nxx".encode("latin-1"),
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n65\r\n" + bytes(101) + b"\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n",
        HEAD + b"\r\n" + bytes(101),
        HEAD + b"X: " + b"x" * http1.MAX_HEAD_BYTES,
    ],
)
def test_what_could_be_misread_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n",
        HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        HEAD + b"\r\nx",
    ],
)
def test_nothing_is_asked_again_where_it_is_not_sure_that_this_was_all(data: bytes) -> None:
    answer = read(data)
    assert (answer.body, answer.last) == (b"x", True)


def test_the_head_of_a_request() -> None:
    head = request_head("POST", "/x?a=1", "h:1", {"authorization": "Bearer é"}, 3)
    assert head == (
        b"POST /x?a=1 HTTP/1.1\r\nhost: h:1\r\naccept-encoding: identity\r\n"
        b"authorization: Bearer \xe9\r\ncontent-length: 3\r\n\r\n"
    )
    assert b"content-length" not in request_head("GET", "/", "h", {}, None)
    assert request_head("POST", "/", "h", {"host": "signed"}, 0).count(b"host") == 1


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/", {"X": "a\r\nY: b"}),
        ("/", {"X": "a\r\n\r\nGET / HTTP/1.1"}),
        ("/", {"X": "a\nb"}),
        ("/", {"X": "a\rb"}),
        ("/", {"X": "a\0b"}),
        ("/", {"X": "€"}),
        ("/", {"X\r\nY": "a"}),
        ("/", {"": "a"}),
        ("/", {"X:": "a"}),
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("", {}),
    ],
)
def test_a_head_that_would_not_be_one_is_refused(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_head("POST", target, "h", headers, 0)
