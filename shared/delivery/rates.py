"""Token buckets of a provider: how many messages may go now, and when the next ones may.

Pure. The whole state of a provider (windows per second, hour and day, and the
warm-up quota) is one small value that is stored under a version: a worker
reads it, takes, and writes it back only if nobody else did. So no race can
ever pass a limit by one message.

The hour and the day are fixed UTC windows, which is how ESPs count. The second
is a virtual schedule (GCRA): a take of n messages moves `paced_until` ahead by
n / rate, and the worker posts no earlier than the returned start. The lead is
bounded, so that a take never books more than `MAX_LEAD` seconds ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

MAX_LEAD_S = 20.0
"""How far ahead a worker may book sending time and wait it out by itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A provider's rate limits in messages; None is no limit."""

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None


@dataclass(frozen=True, slots=True)
class BucketState:
    """What was used. `used` maps a window such as `h2026-11-24T08` to a count.

    `quota` is the day's warm-up quota; None while the provider is not warming.
    """

    version: int = 0
    used: Mapping[str, int] | None = None
    paced_until: datetime | None = None
    quota: int | None = None

    def count(self, window: str) -> int:
        """How many were taken in a window."""
        return (self.used or {}).get(window, 0)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a take gave. Post nothing before `start`, then at most `per_second`.

    `granted` may be less than was asked for, down to 0; `retry_at` then says
    when more can be had, and `limited_by` which window was in the way.
    """

    granted: int
    start: datetime
    per_second: float | None = None
    retry_at: datetime | None = None
    limited_by: str = ""


def windows(now: datetime) -> tuple[str, str]:
    """The names of the hour's and the day's window."""
    moment = now.astimezone(UTC)
    return moment.strftime("h%Y-%m-%dT%H"), moment.strftime("d%Y-%m-%d")


def take(state: BucketState, limits: Limits, want: int, now: datetime) -> tuple[BucketState, Grant]:
    """Takes up to `want` tokens. The state returned has to be saved before anything is posted.

    They count in the hour and the day of the grant's `start`.
    """
    moment = now.astimezone(UTC)
    start = moment if limits.per_second is None else max(moment, state.paced_until or moment)
    hour, day = _current(state, start)
    next_hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    next_day = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    room = {
        "per_hour": _left(limits.per_hour, state.count(hour)),
        "per_day": _left(limits.per_day, state.count(day)),
        "warmup_quota": _left(state.quota, state.count(day)),
        "per_second": None,
    }
    if limits.per_second is not None:
        lead = (start - moment).total_seconds()
        # A rate below one in MAX_LEAD_S would never fit: an idle provider always gives one.
        room["per_second"] = max(int((MAX_LEAD_S - lead) * limits.per_second), int(lead == 0), 0)
    granted = min([want, *(left for left in room.values() if left is not None)])
    paced_until = state.paced_until
    if limits.per_second is not None and granted:
        paced_until = start + _duration(granted, limits.per_second)
    opens = {"per_hour": next_hour, "per_day": next_day, "warmup_quota": next_day}
    opens["per_second"] = paced_until or start
    full = [name for name, left in room.items() if left == granted < want]
    limited_by = max(full, key=opens.__getitem__, default="")
    retry_at = opens[limited_by] if limited_by else None
    grant = Grant(granted, start, limits.per_second, retry_at, limited_by)
    if granted == 0:
        return state, grant
    used = {window: n for window, n in (state.used or {}).items() if window[0] == "d"}
    used |= {hour: state.count(hour) + granted, day: state.count(day) + granted}
    return replace(state, used=_newest(used), paced_until=paced_until), grant


def refund(state: BucketState, count: int, start: datetime) -> BucketState:
    """Gives tokens back that were not used. `start` is that of the grant, and no other instant.

    The pace is not given back: the time booked may be over already.
    """
    used = dict(state.used or {})
    for window in windows(start):
        if window in used:
            used[window] = max(0, used[window] - count)
    return replace(state, used=used)


def _current(state: BucketState, moment: datetime) -> tuple[str, str]:
    """The windows to count in: never older than what another worker has opened already.

    Else a worker whose clock is behind would find an hour that is over empty again.
    """
    hour, day = windows(moment)
    known = state.used or {}
    return max([hour, *(w for w in known if w[0] == "h")]), max(
        [day, *(w for w in known if w[0] == "d")]
    )


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _duration(count: int, per_second: float) -> timedelta:
    """How long `count` messages take at that rate, exact and rounded up to a microsecond."""
    numerator, denominator = per_second.as_integer_ratio()
    return timedelta(microseconds=-(-count * 1_000_000 * denominator // numerator))


def _newest(used: Mapping[str, int], days: int = 3) -> dict[str, int]:
    """Drops windows that no reader asks for any more; the item stays small."""
    kept = sorted(w for w in used if w[0] == "d")[-days:]
    return {w: n for w, n in used.items() if w[0] != "d" or w in kept}
