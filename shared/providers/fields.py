"""Reading fields of an ESP's report. Nothing in it is trusted to have its documented type.

A field of a wrong type reads as absent, text is cut, and text for people is
cleaned of addresses: one odd event must never cost the others of its batch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.clock import from_iso
from shared.errors import BadPayload

MESSAGE_ID_KEY = "tidepost_id"
"""Under which our message id travels: custom argument, metadata or tag."""

ID_LENGTH = 200
TYPE_LENGTH = 64
DETAIL_LENGTH = 500
URL_LENGTH = 500
AGENT_LENGTH = 300
ADDRESS_LENGTH = 320
IP_LENGTH = 45

_ADDRESS = re.compile(r"[\w.!#$%*+=^`{|}~'-]{1,64}(?:@|%40)[\w.-]{1,255}")
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
_OLDEST_EPOCH = _OLDEST.timestamp()
_AHEAD = timedelta(days=1)


def decode(body: bytes) -> Any:
    """The body as plain JSON.

    Half a surrogate pair in one event's user agent makes a strict parser
    refuse the whole body; the second, slower try takes it.

    Raises:
        BadPayload: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadPayload("the body is not JSON; send it exactly as the ESP wrote it") from error


def text(value: object, limit: int) -> str:
    """A string of at most `limit` characters that can be stored; `""` if it is none."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


def scrubbed(value: object, limit: int) -> str:
    """As `text`, with every address replaced."""
    # Twice the limit first: a bounded amount of work, and an address at the cut goes whole.
    long = text(value, 2 * limit)
    if "@" in long or "%40" in long:
        long = _ADDRESS.sub("[address]", long)
    return long[:limit]


def mapping(value: object) -> Mapping[str, Any]:
    """An object; an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def first(value: object) -> Any:
    """The first of an array; None if it is empty or none."""
    return value[0] if isinstance(value, list) and value else None


def identifier(value: object) -> str | None:
    """An id; None if it is missing."""
    return text(value, ID_LENGTH) or None


def address(value: object) -> str | None:
    """An address; None if it is missing or looks like none."""
    found = text(value, ADDRESS_LENGTH)
    return found if "@" in found else None


def instant_of_epoch(value: object, now: datetime) -> datetime | None:
    """Seconds since 1970 as an instant; None if it is none or absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not _OLDEST_EPOCH <= value <= (now + _AHEAD).timestamp():
        return None
    return datetime.fromtimestamp(value, UTC)


def instant_of_iso(value: object, now: datetime) -> datetime | None:
    """RFC 3339 text as an instant; None if it is none or absurd."""
    try:
        moment = from_iso(text(value, TYPE_LENGTH))
    except (ValueError, OverflowError):
        return None
    return moment if _OLDEST <= moment <= now + _AHEAD else None


def digest(*parts: str) -> str:
    """A dedupe key made of what identifies a report, where the ESP gives no event id."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]
