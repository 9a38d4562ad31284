"""listmonk's subscribers: the CSV of its export, or the objects of `GET /api/subscribers`.

Source: listmonk's `cmd/subscribers.go` (columns of the export) and its API
documentation. `attributes` in the CSV, `attribs` in the API, is a JSON object.
The CSV says nothing of lists; the API's objects have `lists` with the state of
each subscription. `unconfirmed` on a list of single opt-in is listmonk's normal
state of somebody who is mailed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.audience.importers.foreign import flat
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.rows import Row, unreadable

_NEEDED = ("email", "status")
_USED = {"email", "name", "attributes", "attribs", "status"}

_STATUS: Mapping[str, SuppressionReason | None] = {
    "enabled": None,
    "disabled": SuppressionReason.UNSUBSCRIBED,
    "blocklisted": SuppressionReason.MANUAL,
}


class Listmonk:
    """`list_names` is listmonk's name or number of a list to the id of one of ours."""

    def __init__(self, list_names: Mapping[str, str]) -> None:
        self._list_names = list_names

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Raises InvalidInput for a CSV that is not listmonk's."""
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            raise unreadable(f"has no column {missing[0]}; is it an export of listmonk's?")
        return [name if name in _USED else "" for name in header]

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """One subscriber. Who has left all her lists there joins none of ours."""
        attributes = record.get("attributes", record.get("attribs", {}))
        if isinstance(attributes, str):
            try:
                attributes = orjson.loads(attributes)
            except orjson.JSONDecodeError:
                return RowRejection(number, "attributes", "is not valid JSON")
        if not isinstance(attributes, Mapping):
            return RowRejection(number, "attributes", "must be an object")
        status = str(record.get("status", "enabled"))
        if status not in _STATUS:
            return RowRejection(number, "status", f"must be one of {', '.join(_STATUS)}")
        name = str(record.get("name") or "")
        said = {"name": name} if name else {}
        states = list(_states(record.get("lists")))
        together = _together([state for _, state in states])
        return Row(
            number,
            record.get("email", ""),
            {**said, **dict(flat(attributes))},
            state=ListState.UNSUBSCRIBED if _STATUS[status] else together,
            lists={
                self._list_names[key]: state.value
                for keys, state in states
                for key in keys
                if key in self._list_names
            },
            suppressed=_STATUS[status],
        )


def _states(lists: object) -> Iterator[tuple[tuple[str, str], ListState]]:
    for one in lists if isinstance(lists, list) else ():
        if not isinstance(one, Mapping):
            continue
        state = ListState.SUBSCRIBED
        if one.get("subscription_status") == "unsubscribed":
            state = ListState.UNSUBSCRIBED
        elif one.get("subscription_status") == "unconfirmed" and one.get("optin") == "double":
            state = ListState.PENDING
        yield (str(one.get("name", "")), str(one.get("id", ""))), state


def _together(states: Sequence[ListState]) -> ListState:
    """What a person's lists there say of the lists that the import names."""
    if not states or ListState.SUBSCRIBED in states:
        return ListState.SUBSCRIBED
    return ListState.PENDING if ListState.PENDING in states else ListState.UNSUBSCRIBED
