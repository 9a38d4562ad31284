"""SES's account-level suppression list: `/v2/email/suppression/addresses`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote

from local.sandbox import sigv4
from local.sandbox.addresses import is_valid
from local.sandbox.behaviour import Provider
from local.sandbox.identity import AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
from local.sandbox.suppressions import SuppressionLists, Why
from local.sandbox.wire import Answer, Refused, Request, json_answer
from shared.clock import Clock, from_iso

PATHS = ("/v2/email/suppression/addresses",)

_PROVIDER: Provider = "ses"
_MAX_PAGE = 1000
_WHYS: Mapping[str, Why] = {"BOUNCE": Why.BOUNCE, "COMPLAINT": Why.COMPLAINT}
_REASONS = {why: reason for reason, why in _WHYS.items()}


class SesSuppressionApi:
    """One account's list. Whoever puts an address there must call it a bounce or a complaint."""

    def __init__(self, lists: SuppressionLists, clock: Clock) -> None:
        self._lists = lists
        self._clock = clock

    def handle(self, request: Request, path: str) -> Answer:
        """Answers a request to `PATHS` or below.

        Raises:
            Refused: it is not accepted.
        """
        secrets = {AWS_ACCESS_KEY_ID: AWS_SECRET_ACCESS_KEY}
        try:
            sigv4.check(request, "ses", secrets, self._clock.now())
        except sigv4.BadAuthorization as error:
            raise _refusal(403, error.code, str(error)) from None
        address = unquote(path.removeprefix(PATHS[0]).removeprefix("/"))
        match request.method, bool(address):
            case "GET", False:
                return self._page(request.parameters())
            case "PUT", False:
                return self._put(request)
            case "DELETE", True:
                if not self._lists.take_off(_PROVIDER, address, *_REASONS):
                    raise _refusal(404, "NotFoundException", "That address is not on the list.")
                return json_answer(200, {})
        raise _refusal(405, "MethodNotAllowedException", "There is no such operation here.")

    def _page(self, wanted: Mapping[str, str]) -> Answer:
        try:
            after = from_iso(wanted["StartDate"]) if "StartDate" in wanted else None
            before = from_iso(wanted["EndDate"]) if "EndDate" in wanted else None
            size = int(wanted.get("PageSize", _MAX_PAGE))
            start = int(wanted.get("NextToken", "0"))
        except ValueError:
            raise _refusal(400, "BadRequestException", "A parameter cannot be read.") from None
        if not 0 < size <= _MAX_PAGE:
            raise _refusal(400, "BadRequestException", f"PageSize must be 1 to {_MAX_PAGE}.")
        found = [
            {
                "EmailAddress": entry.address,
                "Reason": _REASONS[entry.why],
                "LastUpdateTime": entry.at.timestamp(),
            }
            for entry in self._lists.entries(_PROVIDER)
            if entry.why in _REASONS
            and (after is None or entry.at > after)
            and (before is None or entry.at < before)
        ]
        page = found[start : start + size]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return json_answer(200, {"SuppressedDestinationSummaries": page, **more})

    def _put(self, request: Request) -> Answer:
        try:
            body = json.loads(request.body)
            address, reason = str(body["EmailAddress"]), _WHYS[body["Reason"]]
        except (ValueError, TypeError, KeyError):
            raise _refusal(400, "BadRequestException", "EmailAddress or Reason is bad.") from None
        if not is_valid(address):
            raise _refusal(400, "BadRequestException", "That is no address.")
        self._lists.put(_PROVIDER, address, reason)
        return json_answer(200, {})


def _refusal(status: int, code: str, message: str) -> Refused:
    headers = {"x-amzn-ErrorType": code}
    return Refused(json_answer(status, {"__type": code, "message": message}, headers))
