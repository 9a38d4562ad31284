"""Posting webhooks over connections that are kept alive."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0  # SendGrid gives a webhook about 10 s, SNS 15


class Poster:
    """One per thread."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; 0 if there was none."""
        parts = urlsplit(url)
        origin = parts.scheme, parts.netloc.rpartition("@")[2]
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        kept = origin in self._connections
        status = self._try(origin, target, body, headers)
        if status == 0 and kept:  # the peer may have closed the idle connection
            status = self._try(origin, target, body, headers)
        return status

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _try(
        self, origin: tuple[str, str], target: str, body: bytes, headers: Mapping[str, str]
    ) -> int:
        connection = self._connections.get(origin)
        if connection is None:
            secure = origin[0] == "https"
            make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = self._connections[origin] = make(origin[1], timeout=_TIMEOUT_S)
        try:
            connection.request("POST", target, body, dict(headers))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connections.pop(origin).close()
            return 0
        return answer.status
