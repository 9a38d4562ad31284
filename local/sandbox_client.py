"""Steers and reads the ESP sandbox over its HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from local.failure import LocalCloudError
from local.http import request

_PAGE = 1000


class SandboxClient:
    """The `/_sandbox` interface. Every method raises LocalCloudError if it is refused."""

    def __init__(self, url: str) -> None:
        self.url = url

    def behave(self, changes: dict[str, Any]) -> None:
        """Merges changes into the behaviour document."""
        self._call("PATCH", "behaviour", changes)

    def replace(self, document: dict[str, Any]) -> None:
        """Puts another behaviour document into force."""
        self._call("PUT", "behaviour", document)

    def behaviour(self) -> dict[str, Any]:
        """The behaviour document in force."""
        document: dict[str, Any] = self._call("GET", "behaviour")
        return document

    def stats(self) -> dict[str, Any]:
        """What it accepted, what happened, and how its webhooks stand."""
        stats: dict[str, Any] = self._call("GET", "stats")
        return stats

    def faults(self) -> dict[str, Any]:
        """What it did to requests: `counts`, and `faults` with provider, fault and keys."""
        faults: dict[str, Any] = self._call("GET", "faults")
        return faults

    def forget(self) -> None:
        """Empties the mailbox, the counts and the ESPs' suppression lists."""
        self._call("DELETE", "messages")

    def put_txt(self, name: str, texts: Sequence[str]) -> None:
        """Sets a TXT record in its DNS."""
        self._call("PUT", f"dns/{quote(name)}", {"TXT": list(texts)})

    def message(self, message_id: str) -> dict[str, Any]:
        """One message with its bodies, by its own, the provider's or Tidepost's id."""
        found: dict[str, Any] = self._call("GET", f"messages/{quote(message_id)}")
        return found

    def messages(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Messages without their bodies, in order; `provider`, `to`, `tidepost_id` narrow it."""
        offset = 0
        while True:
            query = urlencode({**wanted, "limit": _PAGE, "offset": offset})
            page = self._call("GET", f"messages?{query}")["messages"]
            yield from page
            offset += len(page)
            if len(page) < _PAGE:
                return

    def message_at(self, place: int) -> dict[str, Any] | None:
        """The message of that place in the order of acceptance, without its bodies."""
        found = self._call("GET", f"messages?limit=1&offset={place}")["messages"]
        return found[0] if found else None

    def report(self, event: dict[str, Any]) -> None:
        """Has an ESP report an event at once: `message_id`, `type` and more."""
        self._call("POST", "events", event)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        payload = None if body is None else json.dumps(body).encode()
        answer = request(
            method,
            f"{self.url}/_sandbox/{path}",
            body=payload,
            headers={"Content-Type": "application/json"},
        )
        if answer.status >= 400:
            said = answer.body.decode(errors="replace")
            raise LocalCloudError(f"the ESP sandbox refused {method} {path}: {said}")
        return answer.json()
