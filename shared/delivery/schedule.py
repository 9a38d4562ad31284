"""When a campaign may send: start, end, quiet hours, and a local time of each recipient. Pure.

Instants are UTC, hours of the day are of the recipient's own time zone, or of
the campaign's where the recipient's is not known.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any

from shared.clock import from_iso, to_iso
from shared.errors import FieldProblem

FARTHEST = timedelta(days=60)
"""How far ahead a start may lie: the job that plans it is kept for 90 days."""

ENDED = "ended"
"""Why those were skipped who were not mailed by the campaign's end."""

_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=12)
"""UTC+14 (Kiritimati) and UTC-12: where a local time comes first and last."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` up to `end`, over midnight if `end` is the earlier of the two."""

    start: time
    end: time

    def cover(self, at: time) -> bool:
        """Whether that time of the day is quiet."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    @property
    def end_is_next_day(self) -> bool:
        """Whether they go over midnight."""
        return self.end <= self.start


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a campaign may send. Blank means: at once, without end, at any hour.

    `local_time` has no zone: it is read on each recipient's own clock. Who has
    it behind already when the campaign starts is mailed at once.
    """

    start_at: datetime | None = None
    end_at: datetime | None = None
    local_time: datetime | None = None
    quiet_hours: QuietHours | None = None
    time_zone: str = ""

    @property
    def by_recipient(self) -> bool:
        """Whether it is not the same for everybody at every moment."""
        return self.local_time is not None or self.quiet_hours is not None

    def with_defaults(self, time_zone: str, quiet_hours: QuietHours | None) -> Schedule:
        """The same, with the workspace's zone and quiet hours where it names none."""
        return replace(
            self,
            time_zone=self.time_zone or time_zone,
            quiet_hours=self.quiet_hours or quiet_hours,
        )

    def ended(self, now: datetime) -> bool:
        """Whether nothing more may be sent."""
        return self.end_at is not None and now >= self.end_at

    def opens(self, time_zone: str, now: datetime) -> datetime:
        """The first instant from `now` on at which a person of that time zone may be mailed."""
        zone = zone_of(time_zone) or zone_of(self.time_zone) or UTC
        at = now
        if self.local_time is not None:
            at = max(at, self.local_time.replace(tzinfo=zone).astimezone(UTC))
        quiet = self.quiet_hours
        local = at.astimezone(zone)
        if quiet is None or not quiet.cover(local.time()):
            return at
        ends = local.replace(hour=quiet.end.hour, minute=quiet.end.minute, second=0, microsecond=0)
        if quiet.end_is_next_day and local.time() >= quiet.start:
            ends += timedelta(days=1)
        return max(at, ends.astimezone(UTC))

    def to_item(self) -> dict[str, str]:
        """Plain JSON, as stored; blanks are left out."""
        item = {"time_zone": self.time_zone}
        if self.start_at:
            item["start_at"] = to_iso(self.start_at)
        if self.end_at:
            item["end_at"] = to_iso(self.end_at)
        if self.local_time:
            item["local_time"] = self.local_time.isoformat()
        if self.quiet_hours:
            item["quiet_hours"] = quiet_text(self.quiet_hours)
        return {name: value for name, value in item.items() if value}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Schedule:
        """Reads what `to_item` wrote."""
        start, end = item.get("start_at"), item.get("end_at")
        local, quiet = item.get("local_time"), item.get("quiet_hours")
        return cls(
            start_at=from_iso(start) if start else None,
            end_at=from_iso(end) if end else None,
            local_time=datetime.fromisoformat(local) if local else None,
            quiet_hours=quiet_of(quiet) if quiet else None,
            time_zone=item.get("time_zone", ""),
        )


ANY_TIME = Schedule()
"""At once, without end, at any hour."""


def quiet_text(quiet: QuietHours) -> str:
    """As in `21:00-08:00`."""
    return f"{quiet.start:%H:%M}-{quiet.end:%H:%M}"


def quiet_of(text: str) -> QuietHours:
    """Reads what `quiet_text` wrote."""
    start, _, end = text.partition("-")
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end))


@cache
def zone_of(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of that IANA name; None if there is none."""
    if not name or name not in _names():
        return None
    return zoneinfo.ZoneInfo(name)


def check_schedule(schedule: Schedule, now: datetime) -> list[FieldProblem]:
    """What is wrong with a schedule of which nothing was sent yet, field by field."""
    problems = zone_problems("time_zone", schedule.time_zone)
    start, end, local = schedule.start_at, schedule.end_at, schedule.local_time
    if start and start <= now:
        problems.append(FieldProblem("start_at", "is in the past; leave it out to start at once"))
    if start and start > now + FARTHEST:
        problems.append(FieldProblem("start_at", f"is more than {FARTHEST.days} days ahead"))
    if end and end <= (start or now):
        what = "start_at" if start else "the present"
        problems.append(FieldProblem("end_at", f"must be later than {what}"))
    if local and local.replace(tzinfo=UTC) + _WESTERNMOST <= now:
        reason = "is over in every time zone; name a later one or leave it out"
        problems.append(FieldProblem("local_time", reason))
    if local and local.replace(tzinfo=UTC) > now + FARTHEST:
        problems.append(FieldProblem("local_time", f"is more than {FARTHEST.days} days ahead"))
    if local and end and local.replace(tzinfo=UTC) - _EASTERNMOST >= end:
        problems.append(FieldProblem("local_time", "comes after end_at in every time zone"))
    if schedule.quiet_hours:
        problems += _check_quiet(schedule, now)
    return problems


def quiet_problems(field: str, quiet: QuietHours) -> list[FieldProblem]:
    """Quiet hours that leave no hour of the day."""
    if quiet.start == quiet.end:
        return [FieldProblem(field, "leave no time to send: start and end are the same")]
    return []


def zone_problems(field: str, name: str) -> list[FieldProblem]:
    """A time zone that there is not."""
    if name and zone_of(name) is None:
        return [FieldProblem(field, "is no time zone; write an IANA name such as Europe/Berlin")]
    return []


def _check_quiet(schedule: Schedule, now: datetime) -> list[FieldProblem]:
    quiet, local = schedule.quiet_hours, schedule.local_time
    if quiet is None:
        return []
    problems = quiet_problems("quiet_hours", quiet)
    if problems:
        return problems
    if local and quiet.cover(local.time()):
        return [FieldProblem("local_time", "is within the quiet hours")]
    first = schedule.opens(schedule.time_zone, max(now, schedule.start_at or now))
    if schedule.end_at and not local and first >= schedule.end_at > (schedule.start_at or now):
        return [FieldProblem("quiet_hours", "leave no time to send before end_at")]
    return []


@cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
