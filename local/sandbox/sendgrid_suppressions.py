"""SendGrid's `/v3/suppression/...` and `/v3/asm/suppressions/global`."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from urllib.parse import unquote

from local.sandbox.addresses import is_valid
from local.sandbox.behaviour import Provider
from local.sandbox.suppressions import Entry, SuppressionLists, Why
from local.sandbox.wire import Answer, JsonObject, Refused, Request, json_answer

PATHS = ("/v3/suppression", "/v3/asm/suppressions/global")

_PROVIDER: Provider = "sendgrid"
_MAX_PAGE = 500
_WHYS: Mapping[str, tuple[Why, ...]] = {
    "bounces": (Why.BOUNCE,),
    "spam_reports": (Why.COMPLAINT,),
    "unsubscribes": (Why.UNSUBSCRIBE, Why.PLACED),
    "invalid_emails": (),
}


class SendGridSuppressionApi:
    """The lists of one SendGrid account."""

    def __init__(self, lists: SuppressionLists, api_key: str) -> None:
        self._lists = lists
        self._api_key = api_key

    def handle(self, request: Request, path: str) -> Answer:
        """Answers a request to one of `PATHS` or below.

        Raises:
            Refused: it is not accepted.
        """
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            raise _refusal(401, "authorization required")
        _, _, noun, *rest = path.split("/")
        match request.method, noun, rest:
            case "GET", "suppression", [name] if name in _WHYS:
                return self._page(name, request.parameters())
            case "DELETE", "suppression", [name] if name in _WHYS:
                for address in _read(request).get("emails") or ():
                    self._lists.take_off(_PROVIDER, str(address), *_WHYS[name])
                return Answer(204)
            case "POST", "asm", ["suppressions", "global"]:
                return self._place(_read(request))
            case "DELETE", "asm", ["suppressions", "global", address]:
                self._lists.take_off(_PROVIDER, unquote(address), *_WHYS["unsubscribes"])
                return Answer(204)
        raise _refusal(404, "not found")

    def _page(self, name: str, wanted: Mapping[str, str]) -> Answer:
        try:
            since, until = int(wanted.get("start_time", 0)), int(wanted.get("end_time", 2**62))
            limit, offset = int(wanted.get("limit", _MAX_PAGE)), int(wanted.get("offset", 0))
        except ValueError:
            raise _refusal(400, "a query parameter is no number") from None
        if not 0 < limit <= _MAX_PAGE:
            raise _refusal(400, f"limit must be 1 to {_MAX_PAGE}")
        found = [
            _item(name, entry)
            for entry in self._lists.entries(_PROVIDER)
            if entry.why in _WHYS[name] and since <= int(entry.at.timestamp()) <= until
        ]
        return json_answer(200, found[offset : offset + limit])

    def _place(self, body: JsonObject) -> Answer:
        addresses = body.get("recipient_emails")
        if not isinstance(addresses, list) or not all(map(is_valid, addresses)):
            raise _refusal(400, "recipient_emails must be a list of addresses")
        for address in addresses:
            self._lists.put(_PROVIDER, address, Why.PLACED)
        return json_answer(201, {"recipient_emails": addresses})


def _item(name: str, entry: Entry) -> JsonObject:
    item: JsonObject = {"created": int(entry.at.timestamp()), "email": entry.address}
    if name == "bounces":
        item |= {"reason": "550 5.1.1 The account does not exist", "status": "5.1.1"}
    elif name == "spam_reports":
        item["ip"] = "192.0.2.1"
    return item


def _read(request: Request) -> JsonObject:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise _refusal(400, "Bad Request") from None
    if not isinstance(body, dict):
        raise _refusal(400, "Bad Request")
    return body


def _refusal(status: int, message: str) -> Refused:
    return Refused(json_answer(status, {"errors": [{"field": None, "message": message}]}))
