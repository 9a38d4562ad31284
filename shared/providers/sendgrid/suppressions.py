"""SendGrid's suppression lists, through its own SDK.

Sources: SendGrid's API reference, "Suppressions". Bounces, invalid emails and
spam reports are facts about an address; the list of global unsubscribes is
where a caller may put addresses. Blocks are not read: they are passing
rejections, and SendGrid sends to those addresses again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from shared.audience.model import SuppressionReason
from shared.audience.suppressions.ports import KnownAddress, Listed, Pulled
from shared.config import SendGridProvider
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.providers.pacing import Pace

PER_SECOND = 5
"""SendGrid allows 600 requests a minute to most of its endpoints."""

PAGE = 500
"""The most that its lists give at once."""

_LISTS: Mapping[str, SuppressionReason] = {
    "bounces": SuppressionReason.HARD_BOUNCE,
    "invalid_emails": SuppressionReason.HARD_BOUNCE,
    "spam_reports": SuppressionReason.COMPLAINT,
    "unsubscribes": SuppressionReason.UNSUBSCRIBED,
}
_FACTS = ("bounces", "invalid_emails", "spam_reports")
_NOT_FOUND = 404
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class SendGridSuppressions:
    """One account's."""

    most = 100

    def __init__(self, config: SendGridProvider, api_key: str, pace: Pace) -> None:
        api = SendGridAPIClient(api_key=api_key, host=config.base_url.rstrip("/"))
        self._client = api.client
        self._client.timeout = config.read_timeout_s
        self._name = config.name
        self._pace = pace

    def pull(self, since: datetime, until: datetime, cursor: str = "") -> Pulled:
        """As the port says; list by list. The cursor is the list and how many of it were read."""
        name, _, text = (cursor or f"{next(iter(_LISTS))}:0").partition(":")
        offset = int(text)
        query = {
            "start_time": int(since.timestamp()),
            "end_time": int(until.timestamp()),
            "limit": PAGE,
            "offset": offset,
        }
        found = self._call(lambda: self._list(name).get(query_params=query))
        if not isinstance(found, list):
            raise DependencyUnavailable(f"{self._name}: SendGrid's list {name} is no list")
        entries = tuple(listed for item in found if (listed := _listed(item, _LISTS[name])))
        if len(found) >= PAGE:
            return Pulled(entries, f"{name}:{offset + len(found)}")
        names = list(_LISTS)
        rest = names[names.index(name) + 1 :]
        return Pulled(entries, f"{rest[0]}:0" if rest else "")

    def place(self, entries: Sequence[KnownAddress]) -> frozenset[str]:
        """As the port says: on the list of global unsubscribes, which stops all of its mail."""
        body = {"recipient_emails": [entry.address for entry in entries]}
        self._call(lambda: self._global().post(request_body=body))
        return frozenset()

    def take_away(self, addresses: Sequence[str], *, own: bool) -> None:
        """As the port says."""
        for address in addresses:
            in_path = quote(address, safe="")
            self._call(lambda: self._global()._(in_path).delete(), gone=True)  # noqa: B023  # called at once
        for name in _FACTS if own else ():
            body = {"delete_all": False, "emails": list(addresses)}
            self._call(lambda: self._list(name).delete(request_body=body), gone=True)  # noqa: B023  # called at once

    def _list(self, name: str) -> Any:
        return self._client.suppression._(name)

    def _global(self) -> Any:
        return self._client.asm.suppressions._("global")

    def _call(self, call: Callable[[], Any], *, gone: bool = False) -> Any:
        """What the answer's JSON says; with `gone` a 404 is as good as done."""
        self._pace.wait()
        try:
            answer = call()
            return json.loads(answer.body) if answer.body else None
        except HTTPError as error:
            status = int(error.status_code)
            if gone and status == _NOT_FOUND:
                return None
            if status in _PASSING:
                raise DependencyUnavailable(
                    f"{self._name}: SendGrid answered {status}; it will be asked again"
                ) from error
            raise ConfigurationError(
                f"{self._name}: SendGrid answered {status} to a call about suppressions; give"
                " the API key full access to Suppressions"
            ) from error
        except (OSError, HTTPException) as error:
            raise DependencyUnavailable(
                f"{self._name}: SendGrid did not answer ({type(error).__name__})"
            ) from error
        except ValueError as error:
            raise DependencyUnavailable(f"{self._name}: SendGrid's answer is no JSON") from error


def _listed(item: Any, reason: SuppressionReason) -> Listed | None:
    """An entry; None for a bounce whose status (RFC 3463) says that it is passing."""
    if str(item.get("status") or "").startswith("4."):
        return None
    return Listed(str(item["email"]), reason, datetime.fromtimestamp(item["created"], UTC))
