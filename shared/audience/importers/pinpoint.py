"""Amazon Pinpoint's endpoints: JSON lines of its exports, or CSV with dotted columns.

Source: Pinpoint's API reference (`EndpointResponse`), and its user guide,
"Importing segments". Values of attributes are lists of texts. Only endpoints
of the channel EMAIL are people to us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.audience.fields import known_locale, known_time_zone
from shared.audience.importers.foreign import flat
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.rows import Row, unreadable


class Pinpoint:
    """An endpoint with `OptOut` ALL is suppressed; an INACTIVE one joins no list."""

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Raises InvalidInput for a CSV that is not Pinpoint's."""
        if "Address" not in header:
            raise unreadable("has no column Address; is it a file of Amazon Pinpoint's?")
        return list(header)

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """One endpoint. Attributes of the user and of the endpoint become one person's.

        Where both have a name, the user's is named with `user_` before it, and
        a metric's with `metric_`.
        """
        endpoint = _nested(record)
        if str(endpoint.get("ChannelType", "EMAIL")).upper() != "EMAIL":
            return RowRejection(number, "ChannelType", "is not EMAIL")
        user, place = _part(endpoint, "User"), _part(endpoint, "Location")
        demographic = _part(endpoint, "Demographic")
        attributes = dict(flat(_part(endpoint, "Attributes")))
        for prefix, part in (
            ("user_", _part(user, "UserAttributes")),
            ("metric_", _numbers(_part(endpoint, "Metrics"))),
            ("location_", {_LOCATION.get(name, name): value for name, value in place.items()}),
        ):
            for name, value in flat(part):
                attributes[name if name not in attributes else f"{prefix}{name}"[:64]] = value
        if user.get("UserId"):
            attributes.setdefault("user_id", str(user["UserId"]))
        opted_out = str(endpoint.get("OptOut", "NONE")).upper() == "ALL"
        active = str(endpoint.get("EndpointStatus", "ACTIVE")).upper() != "INACTIVE"
        state = ListState.SUBSCRIBED if active else None
        return Row(
            number,
            endpoint.get("Address", ""),
            attributes,
            locale=known_locale(str(demographic.get("Locale") or "")) or None,
            time_zone=known_time_zone(str(demographic.get("Timezone") or "")) or None,
            state=ListState.UNSUBSCRIBED if opted_out else state,
            suppressed=SuppressionReason.UNSUBSCRIBED if opted_out else None,
        )


_LOCATION = {"PostalCode": "postal_code"}


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics are numbers, also where a CSV made text of them."""
    numbers = {}
    for name, value in metrics.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            numbers[name] = value
    return numbers


def _nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """`{"User.UserId": 1}` as `{"User": {"UserId": 1}}`; the last part keeps its dots."""
    nested: dict[str, Any] = {}
    for path, value in record.items():
        *groups, name = path.split(".", 2 if path.startswith("User.") else 1)
        inner = nested
        for group in groups:
            present = inner.setdefault(group, {})
            inner = present if isinstance(present, dict) else {}
        inner[name] = value
    return nested
