"""HTTP with the standard library: one request, one answer, no hidden retry."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.failure import Busy

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; None if it is empty."""
        return json.loads(self.body) if self.body else None


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request.

    Raises:
        Busy: no answer came.
    """
    wanted = urllib.request.Request(  # noqa: S310 - http URLs of the local cloud
        url, data=body, method=method, headers=dict(headers or {})
    )
    try:
        with urllib.request.urlopen(wanted, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
            return Answer(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise Busy(
            f"{method} {url.partition('?')[0]} was not answered ({reason}); is the cloud still up?"
        ) from error
