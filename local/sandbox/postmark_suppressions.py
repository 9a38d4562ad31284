"""Postmark's `/message-streams/<stream>/suppressions`."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import unquote

from local.sandbox.addresses import is_valid
from local.sandbox.behaviour import Provider
from local.sandbox.suppressions import Entry, SuppressionLists, Why
from local.sandbox.wire import Answer, JsonObject, Refused, Request, json_answer

PATHS = ("/message-streams",)

_PROVIDER: Provider = "postmark"
_MAX_CHANGES = 50
_SHOWN: Mapping[Why, tuple[str, str]] = {
    Why.BOUNCE: ("HardBounce", "Recipient"),
    Why.COMPLAINT: ("SpamComplaint", "Recipient"),
    Why.UNSUBSCRIBE: ("ManualSuppression", "Recipient"),
    Why.PLACED: ("ManualSuppression", "Customer"),
}


class PostmarkSuppressionApi:
    """The suppressions of one Postmark server, a list for each stream."""

    def __init__(self, lists: SuppressionLists, server_token: str) -> None:
        self._lists = lists
        self._server_token = server_token

    def handle(self, request: Request, path: str) -> Answer:
        """Answers a request below `PATHS`.

        Raises:
            Refused: it is not accepted.
        """
        token = request.headers.get("x-postmark-server-token", "")
        if not hmac.compare_digest(token.encode(), self._server_token.encode()):
            raise _refusal(401, 10, "Bad or missing Server API token.")
        match request.method, path.split("/")[2:]:
            case "GET", [stream, "suppressions", "dump"]:
                return self._dump(unquote(stream), request.parameters())
            case "POST", [stream, "suppressions"]:
                return self._change(request, unquote(stream), delete=False)
            case "POST", [stream, "suppressions", "delete"]:
                return self._change(request, unquote(stream), delete=True)
        raise _refusal(404, 404, "Not found.")

    def _dump(self, stream: str, wanted: Mapping[str, str]) -> Answer:
        try:
            first = date.fromisoformat(wanted.get("fromdate", "0001-01-01"))
            last = date.fromisoformat(wanted.get("todate", "9999-12-31"))
        except ValueError:
            raise _refusal(422, 300, "A date is not of the form 2020-02-01.") from None
        address = wanted.get("EmailAddress", "").lower()
        found = [
            _item(entry)
            for entry in self._lists.entries(_PROVIDER, stream)
            if first <= entry.at.date() <= last and address in {"", entry.address}
        ]
        return json_answer(200, {"Suppressions": found})

    def _change(self, request: Request, stream: str, *, delete: bool) -> Answer:
        try:
            items: Any = json.loads(request.body)["Suppressions"]
            addresses = [str(item["EmailAddress"]) for item in items]
        except (ValueError, TypeError, KeyError):
            raise _refusal(422, 402, "Received invalid JSON input.") from None
        if len(addresses) > _MAX_CHANGES:
            raise _refusal(422, 300, f"At most {_MAX_CHANGES} suppressions at once.")
        change = self._delete if delete else self._create
        return json_answer(200, {"Suppressions": [change(one, stream) for one in addresses]})

    def _create(self, address: str, stream: str) -> JsonObject:
        if not is_valid(address):
            return _status(address, "Failed", "An invalid email address was provided.")
        self._lists.put(_PROVIDER, address, Why.PLACED, stream)
        return _status(address, "Suppressed")

    def _delete(self, address: str, stream: str) -> JsonObject:
        whys = (Why.BOUNCE, Why.UNSUBSCRIBE, Why.PLACED)
        if self._lists.take_off(_PROVIDER, address, *whys, stream=stream):
            return _status(address, "Deleted")
        if self._lists.has(_PROVIDER, address, stream):
            return _status(address, "Failed", "You do not have the required authority.")
        return _status(address, "Deleted")


def _item(entry: Entry) -> JsonObject:
    reason, origin = _SHOWN[entry.why]
    return {
        "EmailAddress": entry.address,
        "SuppressionReason": reason,
        "Origin": origin,
        "CreatedAt": entry.at.isoformat(),
    }


def _status(address: str, status: str, message: str | None = None) -> JsonObject:
    return {"EmailAddress": address, "Status": status, "Message": message}


def _refusal(status: int, code: int, message: str) -> Refused:
    return Refused(json_answer(status, {"ErrorCode": code, "Message": message}))
