"""Time comes from here and nowhere else, so that tests and simulators can own it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present instant, UTC and time zone aware."""

    def now(self) -> datetime:
        """The present instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant by the machine's clock."""
        return datetime.now(UTC)


def to_millis(moment: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC; exact, no float involved."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """The UTC instant `millis` milliseconds after 1970-01-01."""
    return _EPOCH + timedelta(milliseconds=millis)


def to_iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. `2026-11-24T08:15:30.123Z`; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Reads what `to_iso` wrote (and any RFC 3339 instant with an offset).

    Raises:
        ValueError: the text is no instant, or names no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the instant names no UTC offset; write e.g. 2026-11-24T08:15:30Z")
    return moment.astimezone(UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
