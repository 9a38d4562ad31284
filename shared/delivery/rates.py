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
    """Takes up to `want` tokens. The state returned has to be saved before anything is posted."""
    hour, day = windows(now)
    next_hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    next_day = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    granted, limited_by, retry_at = want, "", None
    for name, limit, used, opens in (
        ("per_hour", limits.per_hour, state.count(hour), next_hour),
        ("per_day", limits.per_day, state.count(day), next_day),
        ("warmup_quota", state.quota, state.count(day), next_day),
    ):
        if limit is not None and limit - used < granted:
            granted, limited_by, retry_at = max(0, limit - used), name, opens
    start = now
    paced_until = state.paced_until
    if limits.per_second is not None:
        start = max(now, paced_until or now)
        room = MAX_LEAD_S - (start - now).total_seconds()
        fits = max(0, int(room * limits.per_second))
        if fits < granted:
            granted, limited_by = fits, "per_second"
            retry_at = start
        paced_until = start + timedelta(seconds=granted / limits.per_second)
    grant = Grant(granted, start, limits.per_second, retry_at, limited_by)
    if granted == 0:
        return state, grant
    used_now = {hour: state.count(hour) + granted, day: state.count(day) + granted}
    if state.used:
        used_now = {w: n for w, n in state.used.items() if w[0] == "d"} | used_now
    return replace(state, used=_newest(used_now), paced_until=paced_until), grant


def refund(state: BucketState, count: int, taken_at: datetime) -> BucketState:
    """Gives tokens back that were taken at `taken_at` and not used."""
    used = dict(state.used or {})
    for window in windows(taken_at):
        if window in used:
            used[window] = max(0, used[window] - count)
    return replace(state, used=used)


def _newest(used: Mapping[str, int], days: int = 3) -> dict[str, int]:
    """Drops windows that no reader asks for any more; the item stays small."""
    kept = sorted(w for w in used if w[0] == "d")[-days:]
    return {w: n for w, n in used.items() if w[0] != "d" or w in kept}
