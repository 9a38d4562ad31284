"""What a workspace has set for its sending, and whether it may send at all. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.delivery.schedule import QuietHours, quiet_problems, zone_problems
from shared.errors import FieldProblem
from shared.mail import MessageKind

MAX_CONFIRM_ABOVE = 100_000_000

MAX_CAP_MESSAGES = 31
"""So many places of a person fit into an item of 1 KB, which is one write unit."""

MAX_CAP_DAYS = 31


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most `messages` of a kind to a person within any `days` times 24 hours."""

    kind: MessageKind
    messages: int
    days: int


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """A workspace's settings, with the defaults for one that never set any.

    `time_zone` and `quiet_hours` hold for campaigns that name none. A launch to
    more than `confirm_above` recipients asks for confirmation. The brake pauses
    a campaign at `max_hard_bounce_rate` or `max_complaint_rate` of its accepted
    mail (0.04 and 0.0008: below 0.05 and 0.001, where Amazon SES puts an
    account under review), once `brake_after` messages were accepted. A kind of
    message without a `frequency_cap` has none.
    """

    time_zone: str = "UTC"
    quiet_hours: QuietHours | None = None
    confirm_above: int = 50_000
    max_hard_bounce_rate: float = 0.04
    max_complaint_rate: float = 0.0008
    brake_after: int = 500
    frequency_cap: tuple[FrequencyCap, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether a workspace or the deployment may send, and who said so. On is the default."""

    enabled: bool = True
    reason: str = ""
    by: str = ""
    at: datetime | None = None


def check_settings(settings: WorkspaceSettings) -> list[FieldProblem]:
    """What is wrong with settings, field by field."""
    problems = zone_problems("time_zone", settings.time_zone)
    if not settings.time_zone:
        problems.append(FieldProblem("time_zone", "must be named"))
    if settings.quiet_hours:
        problems += quiet_problems("quiet_hours", settings.quiet_hours)
    if not 0 <= settings.confirm_above <= MAX_CONFIRM_ABOVE:
        problems.append(FieldProblem("confirm_above", f"must be 0 to {MAX_CONFIRM_ABOVE}"))
    for name in ("max_hard_bounce_rate", "max_complaint_rate"):
        if not 0 < getattr(settings, name) <= 1:
            problems.append(FieldProblem(name, "must be above 0 and at most 1"))
    if settings.brake_after < 1:
        problems.append(FieldProblem("brake_after", "must be at least 1"))
    return problems + _cap_problems(settings.frequency_cap)


def _cap_problems(caps: Sequence[FrequencyCap]) -> list[FieldProblem]:
    problems = []
    for place, cap in enumerate(caps):
        if not 1 <= cap.messages <= MAX_CAP_MESSAGES:
            reason = f"must be 1 to {MAX_CAP_MESSAGES}"
            problems.append(FieldProblem(f"frequency_cap.{place}.messages", reason))
        if not 1 <= cap.days <= MAX_CAP_DAYS:
            reason = f"must be 1 to {MAX_CAP_DAYS}"
            problems.append(FieldProblem(f"frequency_cap.{place}.days", reason))
    if len({cap.kind for cap in caps}) < len(caps):
        problems.append(FieldProblem("frequency_cap", "must have each kind of message once"))
    return problems
