"""When a campaign may send, as bodies and answers have it."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import AwareDatetime, Field, NaiveDatetime

from functions.api.schema import Answer, Body, Instant
from shared.delivery.schedule import QuietHours, Schedule

TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["21:00"])]


class QuietHoursBody(Body):
    """From `start` up to `end`; over midnight if `end` is the earlier."""

    start: TimeOfDay
    end: TimeOfDay

    def hours(self) -> QuietHours:
        """As the domain has it."""
        return QuietHours(time.fromisoformat(self.start), time.fromisoformat(self.end))


class QuietHoursAnswer(Answer):
    """From `start` up to `end`."""

    start: str
    end: str

    @classmethod
    def of(cls, quiet: QuietHours | None) -> QuietHoursAnswer | None:
        """From the domain's value."""
        if quiet is None:
            return None
        return cls(start=f"{quiet.start:%H:%M}", end=f"{quiet.end:%H:%M}")


class ScheduleBody(Body):
    """What a campaign says of its times. What is left out stays, and null takes it away."""

    start_at: AwareDatetime | None = Field(
        default=None, description="When it starts; launch it before. Left out: at launch"
    )
    end_at: AwareDatetime | None = Field(
        default=None, description="Who is not mailed by then is skipped with the reason `ended`"
    )
    local_time: NaiveDatetime | None = Field(
        default=None,
        description="Without an offset: each recipient is mailed when it is that time there",
        examples=["2026-12-01T09:00:00"],
    )
    quiet_hours: QuietHoursBody | None = Field(
        default=None, description="When nobody is mailed, by each recipient's own clock"
    )
    time_zone: str | None = Field(
        default=None,
        max_length=64,
        description="IANA name; for recipients whose own is not known",
        examples=["Europe/Berlin"],
    )

    def schedule(self, present: Schedule) -> Schedule:
        """What is said in place of what was."""
        said = self.model_fields_set
        quiet = self.quiet_hours.hours() if self.quiet_hours else None
        return Schedule(
            start_at=_utc(self.start_at) if "start_at" in said else present.start_at,
            end_at=_utc(self.end_at) if "end_at" in said else present.end_at,
            local_time=self.local_time if "local_time" in said else present.local_time,
            quiet_hours=quiet if "quiet_hours" in said else present.quiet_hours,
            time_zone=(self.time_zone or "") if "time_zone" in said else present.time_zone,
        )


class ScheduleAnswer(Answer):
    """A campaign's times. After its launch the workspace's defaults are in it."""

    start_at: Instant | None
    end_at: Instant | None
    local_time: str | None
    quiet_hours: QuietHoursAnswer | None
    time_zone: str | None

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleAnswer:
        """From the domain's value."""
        return cls(
            start_at=schedule.start_at,
            end_at=schedule.end_at,
            local_time=schedule.local_time.isoformat() if schedule.local_time else None,
            quiet_hours=QuietHoursAnswer.of(schedule.quiet_hours),
            time_zone=schedule.time_zone or None,
        )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
