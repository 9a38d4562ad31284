"""Postmark's suppressions, which each message stream has of its own.

Through postmarker's client. It has no manager for suppressions; its general
`call` does the rest of what an SDK does. Source: Postmark's "Suppressions API".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError
from requests import RequestException

from shared.audience.model import SuppressionReason
from shared.audience.suppressions.ports import KnownAddress, Listed, Pulled
from shared.clock import from_iso
from shared.config import PostmarkProvider
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.providers.pacing import Pace

PER_SECOND = 5
"""Postmark names no limit but asks for moderation."""

WINDOW = timedelta(days=90)
"""A dump is not paged: it is asked for quarter by quarter."""

_MARGIN = timedelta(days=1)
"""Postmark filters by days and does not say in which time zone."""

_REASONS: Mapping[tuple[str, str], SuppressionReason] = {
    ("HardBounce", "Recipient"): SuppressionReason.HARD_BOUNCE,
    ("SpamComplaint", "Recipient"): SuppressionReason.COMPLAINT,
    ("ManualSuppression", "Recipient"): SuppressionReason.UNSUBSCRIBED,
}
"""By reason and origin. What the account's owner put there (`Customer`) or Postmark's
staff (`Admin`) is nobody's bounce, and we may have put it there ourselves."""

_BAD_TOKEN = 10
_TOO_MANY, _SERVER_FAULT = 429, 500


class PostmarkSuppressions:
    """One server's."""

    most = 50

    def __init__(self, config: PostmarkProvider, server_token: str, pace: Pace) -> None:
        # A path that begins with a slash would drop the base URL's own path.
        self._client = PostmarkClient(
            server_token=server_token,
            timeout=(config.connect_timeout_s, config.read_timeout_s),
            root_api_url=config.base_url.rstrip("/") + "/",
        )
        self._name = config.name
        self._streams = sorted({config.campaign_stream, config.transactional_stream})
        self._pace = pace

    def pull(self, since: datetime, until: datetime, cursor: str = "") -> Pulled:
        """As the port says; the cursor is the stream's number and the day to go on from."""
        number, _, text = (cursor or "0:").partition(":")
        stream = int(number)
        first = date.fromisoformat(text) if text else (since - _MARGIN).date()
        last = (until + _MARGIN).date()
        end = min(first + WINDOW, last)
        found = self._dump(
            self._streams[stream], fromdate=first.isoformat(), todate=end.isoformat()
        )
        entries = tuple(
            listed
            for item in found
            if (listed := _listed(item)) is not None and since <= listed.at <= until
        )
        if end < last:
            return Pulled(entries, f"{stream}:{end.isoformat()}")
        more = stream + 1 < len(self._streams)
        return Pulled(entries, f"{stream + 1}:" if more else "")

    def place(self, entries: Sequence[KnownAddress]) -> frozenset[str]:
        """As the port says, on every stream that we send through."""
        refused: set[str] = set()
        for stream in self._streams:
            failed = self._change(stream, "", [entry.address for entry in entries])
            refused |= {entry.id for entry in entries if entry.address.lower() in failed}
        return frozenset(refused)

    def take_away(self, addresses: Sequence[str], *, own: bool) -> None:
        """As the port says. Postmark keeps spam complaints, whoever asks."""
        for stream in self._streams:
            there = [one for one in addresses if self._is_there(stream, one, own=own)]
            if there and self._change(stream, "/delete", there):
                raise ConfigurationError(
                    f"{self._name}: Postmark keeps an address on stream {stream!r}; it lets go"
                    " of spam complaints only through its support"
                )

    def _is_there(self, stream: str, address: str, *, own: bool) -> bool:
        found = self._dump(stream, EmailAddress=address)
        return any(own or item.get("Origin") == "Customer" for item in found)

    def _dump(self, stream: str, **query: str) -> list[Any]:
        answer = self._call("GET", f"{_path(stream)}/dump", None, query)
        return list(answer.get("Suppressions") or ())

    def _change(self, stream: str, action: str, addresses: Sequence[str]) -> set[str]:
        """Gives the addresses, in lower case, for which it failed."""
        body = {"Suppressions": [{"EmailAddress": address} for address in addresses]}
        answer = self._call("POST", _path(stream) + action, body, {})
        return {
            str(item.get("EmailAddress")).lower()
            for item in answer.get("Suppressions") or ()
            if item.get("Status") == "Failed"
        }

    def _call(self, method: str, path: str, body: Any, query: Mapping[str, str]) -> dict[str, Any]:
        self._pace.wait()
        try:
            answer = self._client.call(method, path, data=body, **query)
        except ClientError as error:
            status = _status(error.__cause__)
            if status == _TOO_MANY or status >= _SERVER_FAULT:
                raise DependencyUnavailable(
                    f"{self._name}: Postmark answered {status}; it will be asked again"
                ) from error
            hint = (
                "check the server token" if error.error_code == _BAD_TOKEN else "check the streams"
            )
            raise ConfigurationError(
                f"{self._name}: Postmark answered {status} with code {error.error_code} to a call"
                f" about suppressions; {hint} in providers.json and its secret"
            ) from error
        except (RequestException, KeyError, ValueError) as error:
            # postmarker stumbles over an error whose body has no ErrorCode.
            raise DependencyUnavailable(
                f"{self._name}: Postmark gave no good answer ({type(error).__name__})"
            ) from error
        return answer if isinstance(answer, dict) else {}


def _path(stream: str) -> str:
    return f"message-streams/{quote(stream, safe='')}/suppressions"


def _status(error: BaseException | None) -> int:
    response = getattr(error, "response", None)
    return int(response.status_code) if response is not None else 0


def _listed(item: Any) -> Listed | None:
    reason = _REASONS.get((str(item.get("SuppressionReason")), str(item.get("Origin"))))
    if reason is None:
        return None
    return Listed(str(item["EmailAddress"]), reason, from_iso(str(item["CreatedAt"])))
