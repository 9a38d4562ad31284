"""A small client of Tidepost's API; its errors read like sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from local.failure import Busy, LocalCloudError
from local.http import Answer, request


class ApiError(LocalCloudError):
    """The API answered with a problem document."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        self.status = answer.status
        try:
            self.problem: dict[str, Any] = answer.json() or {}
        except ValueError:
            self.problem = {"detail": answer.body.decode(errors="replace")[:500]}
        self.code = str(self.problem.get("type", "")).rpartition(":")[2] or "no-problem-document"
        fields = "; ".join(
            f"{one['field']}: {one['reason']}" for one in self.problem.get("errors", ())
        )
        said = fields or self.problem.get("detail") or self.problem.get("message") or "no reason"
        super().__init__(f"{method} {path} was answered with {self.status} {self.code}: {said}")


class ServerFault(ApiError, Busy):
    """The API answered with a 5xx."""


class Client:
    """Calls the API with one key. Every method raises ApiError for a status of 400 or more."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._key = api_key

    def get(self, path: str, **query: object) -> Any:
        """`GET /v1<path>`."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        """`POST /v1<path>` with JSON; keywords are headers (`Idempotency_Key=`)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, body=body, headers=named)

    def items(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """All items of a listing, page by page."""
        cursor: dict[str, object] = {}
        while True:
            page = self.get(path, **query, **cursor)
            yield from page["items"]
            if page["cursor"] is None:
                return
            cursor = {"cursor": page["cursor"]}

    def upload(self, path: str, content: bytes, content_type: str, **query: object) -> Any:
        """`POST /v1<path>` with a file."""
        return self.call("POST", path, query=query, raw=content, content_type=content_type)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        content_type: str = "application/json",
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Any call; gives the answer's JSON."""
        url = f"{self._url}/v1{path}"
        if query:
            url += f"?{urlencode(query)}"
        payload = raw if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self._key}", **(headers or {})}
        if payload is not None:
            sent["Content-Type"] = content_type
        answer = request(method, url, body=payload, headers=sent)
        if answer.status >= 400:
            kind = ServerFault if answer.status >= 500 else ApiError
            raise kind(method, f"/v1{path}", answer)
        return answer.json()
