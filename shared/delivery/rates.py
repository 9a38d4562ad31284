"""Token buckets of a provider: how many messages may go now, and when the next ones may.

Pure. The whole state of a provider (windows per second, hour and day, those of
its mailbox groups, and the warm-up quota) is one small value that is stored
under a version: a worker reads it, takes, and writes it back only if nobody
else did. So no race can ever pass a limit by one message.

The hour and the day are fixed UTC windows, which is how ESPs count. The second
is a virtual schedule (GCRA): a take of n messages moves `paced_until` ahead by
n / rate, and the worker posts no earlier than the returned start. The lead is
bounded, so that a take never books more than `MAX_LEAD` seconds ahead.

A share of every window is reserved: only transactional mail (`express`) may
use it. Of the second it is a lane of its own, so that a transactional message
never waits behind the time that bulk mail has booked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

MAX_LEAD_S = 20.0
"""How far ahead a worker may book sending time and wait it out by itself."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """What a provider may send to one mailbox group; None is no limit."""

    per_hour: int | None = None
    per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """A provider's rate limits in messages; None is no limit.

    `groups` limits mailbox groups further. `reserve` is the share of every
    window, from 0 to 1, that only transactional mail may use; counts are
    rounded down, so a window of fewer than 1 / reserve messages has none.
    """

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None
    groups: Mapping[str, GroupLimits] = field(default_factory=dict)
    reserve: float = 0.0


@dataclass(frozen=True, slots=True)
class BucketState:
    """What was used. `used` maps a window such as `h2026-11-24T08` to a count.

    `groups` has the same for each mailbox group with limits of its own.
    `express_until` is the end of what is booked in the reserved lane, and
    `taken_at` the start of the newest grant. `quota` is the day's warm-up
    quota; None while the provider is not warming.
    """

    version: int = 0
    used: Mapping[str, int] | None = None
    paced_until: datetime | None = None
    quota: int | None = None
    express_until: datetime | None = None
    taken_at: datetime | None = None
    groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def count(self, window: str) -> int:
        """How many were taken in a window."""
        return (self.used or {}).get(window, 0)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a take gave. Post nothing before `start`, then at most `per_second`.

    `granted` may be less than was asked for, down to 0; `retry_at` then says
    when more can be had, and `limited_by` which window was in the way.
    `by_group` says how many of each mailbox group were granted, if the take
    named groups. `short` maps the groups whose own windows were in the way to
    those windows; it is empty if the provider's own were.
    """

    granted: int
    start: datetime
    per_second: float | None = None
    retry_at: datetime | None = None
    limited_by: str = ""
    by_group: Mapping[str, int] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Room:
    """What could be taken now: by window, None is without limit, and by mailbox group.

    `lane` is whose time a take would book, from `start` on at `per_second`, and
    `opens` says when each window opens anew.
    """

    windows: Mapping[str, int | None]
    groups: Mapping[str, Mapping[str, int | None]]
    start: datetime
    per_second: float | None
    lane: str
    opens: Mapping[str, datetime]

    @property
    def retry_at(self) -> datetime | None:
        """When something can be taken again; None if that is now."""
        closed = [self.opens[name] for name, left in self.windows.items() if left == 0]
        return max(closed, default=None)

    @property
    def total(self) -> int | None:
        """The least of all windows; None if there is no limit at all."""
        return _least(self.windows)

    def of_group(self, group: str) -> int | None:
        """The least of a group's own windows."""
        return _least(self.groups.get(group, {}))

    def without(self, count: int, by_group: Mapping[str, int]) -> Room:
        """The same after `count` were taken from it, so many of them of each mailbox group."""
        opens = dict(self.opens)
        if self.per_second is not None and count:
            opens["per_second"] = self.start + _duration(count, self.per_second)
        return replace(
            self,
            opens=opens,
            windows=_reduced(self.windows, count),
            groups={
                group: _reduced(own, by_group.get(group, 0)) for group, own in self.groups.items()
            },
        )


def windows(now: datetime) -> tuple[str, str]:
    """The names of the hour's and the day's window."""
    moment = now.astimezone(UTC)
    return moment.strftime("h%Y-%m-%dT%H"), moment.strftime("d%Y-%m-%d")


def room(state: BucketState, limits: Limits, now: datetime, *, express: bool = False) -> Room:
    """What could be taken now, by transactional mail if `express`."""
    moment = now.astimezone(UTC)
    reserve = 0.0 if express else limits.reserve
    lane, rate, start = _lane(state, limits, moment, express=express)
    hour, day = _current(state, start)
    found: dict[str, int | None] = {
        "per_hour": _left(limits.per_hour, reserve, state.count(hour)),
        "per_day": _left(limits.per_day, reserve, state.count(day)),
        "warmup_quota": _left(state.quota, reserve, state.count(day)),
        "per_second": None,
    }
    if rate is not None:
        lead = (start - moment).total_seconds()
        # A rate below one in MAX_LEAD_S would never fit: an idle provider always gives one.
        found["per_second"] = max(int((MAX_LEAD_S - lead) * rate), int(lead == 0), 0)
    groups = {}
    for group, own in limits.groups.items():
        used = state.groups.get(group, {})
        groups[group] = {
            "per_hour": _left(own.per_hour, reserve, used.get(hour, 0)),
            "per_day": _left(own.per_day, reserve, used.get(day, 0)),
        }
    opens = _openings(start) | {"per_second": getattr(state, lane) or start}
    return Room(found, groups, start, rate, lane, opens)


def take(
    state: BucketState,
    limits: Limits,
    want: int,
    now: datetime,
    *,
    by_group: Mapping[str, int] | None = None,
    express: bool = False,
) -> tuple[BucketState, Grant]:
    """Takes up to `want` tokens. The state returned has to be saved before anything is posted.

    They count in the hour and the day of the grant's `start`. `by_group` says
    how the `want` are spread over mailbox groups, and must sum up to it;
    without it no group's limit applies. `express` is for transactional mail.
    """
    found = room(state, limits, now, express=express)
    start = found.start
    asked = by_group or {}
    rooms = {group: found.of_group(group) for group in asked}
    fitting = {
        group: count if (left := rooms[group]) is None else min(count, left)
        for group, count in asked.items()
    }
    eligible = sum(fitting.values()) if asked else want
    granted = eligible if found.total is None else min(eligible, found.total)
    shares = _allot(granted, fitting)
    lane_end = getattr(state, found.lane)
    if found.per_second is not None and granted:
        lane_end = start + _duration(granted, found.per_second)
    opens = {**found.opens, "per_second": lane_end or start}
    limited_by, retry_at, short = "", None, {}
    if granted < eligible:
        full = [name for name, left in found.windows.items() if left == granted]
        limited_by = max(full, key=opens.__getitem__)
        retry_at = opens[limited_by]
    elif eligible < want:
        short = {
            group: max(
                (w for w, left in found.groups[group].items() if left == fitting[group]),
                key=opens.__getitem__,
            )
            for group, count in asked.items()
            if fitting[group] < count
        }
        first = min(short, key=lambda group: opens[short[group]])
        limited_by, retry_at = f"{first} {short[first]}", opens[short[first]]
    grant = Grant(granted, start, found.per_second, retry_at, limited_by, shares, short)
    if granted == 0:
        return state, grant
    return replace(
        state,
        used=_counted(state.used or {}, _current(state, start), granted),
        groups=_groups(state, limits, shares, start),
        taken_at=start,
        **{found.lane: lane_end},
    ), grant


def refund(
    state: BucketState, count: int, start: datetime, by_group: Mapping[str, int] | None = None
) -> BucketState:
    """Gives tokens back that were not used. `start` is that of the grant, and no other instant.

    The pace is not given back: the time booked may be over already.
    """
    groups = {
        group: _less(used, (by_group or {}).get(group, 0), start)
        for group, used in state.groups.items()
    }
    return replace(state, used=_less(state.used or {}, count, start), groups=groups)


def _lane(
    state: BucketState, limits: Limits, moment: datetime, *, express: bool
) -> tuple[str, float | None, datetime]:
    """Whose time is booked, at which rate, and from when it is free."""
    rate = limits.per_second
    if rate is None:
        return "paced_until", None, moment
    common = max(moment, state.paced_until or moment)
    if not limits.reserve:
        return "paced_until", rate, common
    reserved = max(moment, state.express_until or moment)
    if express and reserved < common:
        return "express_until", rate * limits.reserve, reserved
    return "paced_until", rate * (1 - limits.reserve), common


def _current(state: BucketState, moment: datetime) -> tuple[str, str]:
    """The windows to count in: never older than what another worker has opened already.

    Else a worker whose clock is behind would find an hour that is over empty again.
    """
    hour, day = windows(moment)
    known = state.used or {}
    return max([hour, *(w for w in known if w[0] == "h")]), max(
        [day, *(w for w in known if w[0] == "d")]
    )


def _openings(start: datetime) -> dict[str, datetime]:
    """When each window opens anew."""
    next_hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    next_day = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return {"per_hour": next_hour, "per_day": next_day, "warmup_quota": next_day}


def _left(limit: int | None, reserve: float, used: int) -> int | None:
    return None if limit is None else max(0, limit - int(limit * reserve) - used)


def _reduced(left: Mapping[str, int | None], count: int) -> dict[str, int | None]:
    return {name: None if n is None else max(0, n - count) for name, n in left.items()}


def _least(found: Mapping[str, int | None]) -> int | None:
    return min((left for left in found.values() if left is not None), default=None)


def _allot(granted: int, fitting: Mapping[str, int]) -> dict[str, int]:
    """Spreads what was granted over the groups, in their order."""
    shares = {}
    for group, count in fitting.items():
        shares[group] = min(count, granted)
        granted -= shares[group]
    return shares


def _groups(
    state: BucketState, limits: Limits, shares: Mapping[str, int], start: datetime
) -> dict[str, Mapping[str, int]]:
    """The groups' windows after a take. A group without limits is not counted."""
    current = _current(state, start)
    groups = {group: used for group, used in state.groups.items() if group in limits.groups}
    for group, count in shares.items():
        if group in limits.groups and count:
            used = {w: n for w, n in groups.get(group, {}).items() if w in current}
            groups[group] = used | {window: used.get(window, 0) + count for window in current}
    return groups


def _counted(used: Mapping[str, int], current: tuple[str, str], count: int) -> dict[str, int]:
    kept = {window: n for window, n in used.items() if window[0] == "d"}
    return _newest(kept | {window: used.get(window, 0) + count for window in current})


def _less(used: Mapping[str, int], count: int, start: datetime) -> dict[str, int]:
    named = windows(start)
    return {w: max(0, n - count) if w in named else n for w, n in used.items()}


def _duration(count: int, per_second: float) -> timedelta:
    """How long `count` messages take at that rate, exact and rounded up to a microsecond."""
    numerator, denominator = per_second.as_integer_ratio()
    return timedelta(microseconds=-(-count * 1_000_000 * denominator // numerator))


def _newest(used: Mapping[str, int], days: int = 3) -> dict[str, int]:
    """Drops windows that no reader asks for any more; the item stays small."""
    kept = sorted(w for w in used if w[0] == "d")[-days:]
    return {w: n for w, n in used.items() if w[0] != "d" or w in kept}
