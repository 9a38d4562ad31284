"""Mailchimp's audience export: one CSV each of subscribed, unsubscribed and cleaned contacts.

Sources: Mailchimp's help pages "Export contacts" and "Export column
descriptions". The three files differ in their columns: only the unsubscribed
have `UNSUB_TIME`, only the cleaned `CLEAN_TIME`. Times are in UTC, without
saying so. A file of non-subscribed contacts looks like one of subscribed ones:
import it without lists.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.audience.fields import known_locale, known_time_zone
from shared.audience.importers.foreign import MAX_NAME, attribute_name
from shared.audience.importers.plain import ATTRIBUTE, split_tags
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.rows import Row, unreadable
from shared.audience.types import AttributeType, from_text

_OWN = {
    "email address": "email",
    "email": "email",
    "tags": "tags",
    "timezone": "time_zone",
    "language": "locale",
    "unsub_time": "unsub_time",
    "clean_time": "clean_time",
    "status": "status",
    "cc": "attributes.country",
}
_LEFT_OUT = frozenset(
    {
        "latitude", "longitude", "gmtoff", "dstoff", "last_changed", "leid", "euid", "notes",
        "unsub_campaign_title", "unsub_campaign_id", "unsub_reason_other",
        "clean_campaign_title", "clean_campaign_id",
    }
)  # fmt: skip
"""Of no use outside of Mailchimp, or guessed by it from an IP address."""

_STATES: Mapping[str, tuple[ListState | None, SuppressionReason | None]] = {
    "subscribed": (ListState.SUBSCRIBED, None),
    "pending": (ListState.PENDING, None),
    "unsubscribed": (ListState.UNSUBSCRIBED, None),
    "cleaned": (None, SuppressionReason.HARD_BOUNCE),
}
_NOT_SUBSCRIBED = (None, None)
"""`transactional`, `nonsubscribed`, `archived` and whatever else never asked for campaigns."""

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})", re.ASCII)


class Mailchimp:
    """Who unsubscribed stays so on the import's lists, who was cleaned is suppressed."""

    def __init__(self, types: Mapping[str, AttributeType]) -> None:
        self._types = types

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Merge fields become attributes. Raises InvalidInput without an `Email Address`."""
        keys: list[str] = []
        for name in header:
            plain = name.strip().lower()
            key = "" if plain in _LEFT_OUT else _OWN.get(plain, "")
            if not key and plain not in _LEFT_OUT:
                key = _free(ATTRIBUTE + attribute_name(name), keys)
            keys.append("" if key in keys else key)
        if "email" not in keys:
            raise unreadable("has no column named Email Address; is it an export of Mailchimp's?")
        return keys

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """One contact. A time zone or language that we do not know is left out."""
        status = str(record.get("status", "")).lower()
        if "unsub_time" in record:
            status = status or "unsubscribed"
        elif "clean_time" in record:
            status = status or "cleaned"
        state, suppressed = _STATES.get(status or "subscribed", _NOT_SUBSCRIBED)
        attributes = {
            name: from_text(_TIME.sub(r"\1T\2Z", cell), self._types.get(name))
            for key, cell in record.items()
            if (name := key.removeprefix(ATTRIBUTE)) != key
        }
        tags = split_tags(str(record.get("tags", "")).replace('"', ""), ",")
        return Row(
            number,
            record.get("email", ""),
            attributes,
            tags,
            known_locale(str(record.get("locale", ""))) or None,
            known_time_zone(str(record.get("time_zone", ""))) or None,
            state=state,
            suppressed=suppressed,
        )


def _free(key: str, taken: Collection[str]) -> str:
    """The key, with a number if two columns come to the same name."""
    longest = len(ATTRIBUTE) + MAX_NAME - len("_99")
    numbered = (f"{key[:longest]}_{number}" for number in range(2, 100))
    return key if key not in taken else next((one for one in numbered if one not in taken), "")
