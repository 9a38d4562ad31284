"""HTTP for checks: one request, one answer, with a time-out and no hidden retry."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import ConfigurationError, DependencyUnavailable

_TIMEOUT_S = 30.0
"""API Gateway gives up after 29."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status; header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The body's JSON object; an empty one if it is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class Web:
    """Asks a deployment over the network."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a `body` is sent as JSON.

        Raises:
            ConfigurationError: that is no http or https URL.
            DependencyUnavailable: nobody answered in time.
        """
        if not url.startswith(("https://", "http://")):
            raise ConfigurationError(f"{url} is no http or https URL")
        sent = dict(headers or {})
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        wanted = urllib.request.Request(url, content, sent, method=method)  # noqa: S310  # checked
        try:
            with urllib.request.urlopen(wanted, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # too
                return _answer(answer.status, answer.read(), answer.headers.items())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers.items())
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise DependencyUnavailable(f"{method} {url} was not answered: {reason}") from error


def _answer(status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> Answer:
    return Answer(status, body, {name.lower(): value for name, value in headers})
