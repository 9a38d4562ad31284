"""A stub of the ESPs that takes its time: every answer comes 50 ms after its request.

`python -m benchmarks.slow_esp CERTIFICATE` prints its URL and ends with its
standard input. One event loop for all connections: what it does for a request
besides waiting must not be what is measured.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys

import orjson

from benchmarks.esp import answer_to

THINKS_S = 0.05

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing has come yet."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a server always
        self._transport = transport
        self._came = b""

    def data_received(self, data: bytes) -> None:
        """Starts to think once the request is whole."""
        self._came += data
        head, found, body = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        self._came = b""
        status, answer = answer_to(head.split(b" ", 2)[1].decode(), body)
        content = orjson.dumps(answer) if answer is not None else b""
        reply = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content)
        asyncio.get_running_loop().call_later(THINKS_S, self._transport.write, reply)


async def _serve(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, ssl=context)
    print(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
