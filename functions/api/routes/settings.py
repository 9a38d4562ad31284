"""A workspace's settings for its sending."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schedules import QuietHoursAnswer, QuietHoursBody
from functions.api.schema import Answer, Body
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.delivery.workspace import (
    MAX_CAP_DAYS,
    MAX_CAP_MESSAGES,
    MAX_CONFIRM_ABOVE,
    FrequencyCap,
    WorkspaceSettings,
)
from shared.mail import MessageKind

settings = Endpoints("settings", "/v1/settings")

_DEFAULTS = WorkspaceSettings()
_EXAMPLE: JsonDict = {
    "time_zone": "Europe/Berlin",
    "quiet_hours": {"start": "21:00", "end": "08:00"},
    "confirm_above": 50000,
    "frequency_cap": [{"kind": "campaign", "messages": 3, "days": 7}],
}


class CapBody(Body):
    """At most so many messages of a kind to a person within any `days` times 24 hours."""

    kind: MessageKind
    messages: int = Field(ge=1, le=MAX_CAP_MESSAGES)
    days: int = Field(ge=1, le=MAX_CAP_DAYS)


class CapAnswer(Answer):
    """At most so many messages of a kind to a person within any `days` times 24 hours."""

    kind: MessageKind
    messages: int
    days: int


class SettingsBody(Body):
    """All settings. What is left out goes back to its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    time_zone: Annotated[str, Field(max_length=64)] = _DEFAULTS.time_zone
    quiet_hours: QuietHoursBody | None = Field(
        default=None, description="For campaigns that name none"
    )
    confirm_above: int = Field(
        default=_DEFAULTS.confirm_above,
        ge=0,
        le=MAX_CONFIRM_ABOVE,
        description="A launch to more recipients asks for confirmation",
    )
    max_hard_bounce_rate: float = Field(
        default=_DEFAULTS.max_hard_bounce_rate, gt=0, le=1, description="The brake's, of accepted"
    )
    max_complaint_rate: float = Field(
        default=_DEFAULTS.max_complaint_rate, gt=0, le=1, description="The brake's, of accepted"
    )
    brake_after: int = Field(
        default=_DEFAULTS.brake_after, ge=1, description="Accepted messages before it judges"
    )
    frequency_cap: list[CapBody] = Field(
        default_factory=list,
        max_length=len(MessageKind),
        description="One for each kind of message; a kind without one has no cap",
    )

    def settings(self) -> WorkspaceSettings:
        """As the domain has it."""
        return WorkspaceSettings(
            time_zone=self.time_zone,
            quiet_hours=self.quiet_hours.hours() if self.quiet_hours else None,
            confirm_above=self.confirm_above,
            max_hard_bounce_rate=self.max_hard_bounce_rate,
            max_complaint_rate=self.max_complaint_rate,
            brake_after=self.brake_after,
            frequency_cap=tuple(
                FrequencyCap(cap.kind, cap.messages, cap.days) for cap in self.frequency_cap
            ),
        )


class SettingsAnswer(Answer):
    """The settings in force. `version` counts their changes."""

    time_zone: str
    quiet_hours: QuietHoursAnswer | None
    confirm_above: int
    max_hard_bounce_rate: float
    max_complaint_rate: float
    brake_after: int
    frequency_cap: list[CapAnswer]
    version: int

    @classmethod
    def of(cls, found: WorkspaceSettings) -> SettingsAnswer:
        """From the domain's value."""
        return cls(
            time_zone=found.time_zone,
            quiet_hours=QuietHoursAnswer.of(found.quiet_hours),
            confirm_above=found.confirm_above,
            max_hard_bounce_rate=found.max_hard_bounce_rate,
            max_complaint_rate=found.max_complaint_rate,
            brake_after=found.brake_after,
            frequency_cap=[
                CapAnswer(kind=cap.kind, messages=cap.messages, days=cap.days)
                for cap in found.frequency_cap
            ],
            version=found.version,
        )


@settings.get("", scope=Scope.CAMPAIGNS_READ)
def get_settings(call: CurrentCall) -> SettingsAnswer:
    """Get the workspace's settings."""
    return SettingsAnswer.of(call.services.settings.get(call.workspace))


@settings.put("", scope=Scope.ADMIN)
def put_settings(body: SettingsBody, call: CurrentCall) -> SettingsAnswer:
    """Replace the workspace's settings.

    They hold for campaigns launched from then on; the brake's hold within a minute, and
    frequency caps within ten seconds.
    """
    saved = call.services.settings.put(call.workspace, body.settings())
    call.record(AuditAction.SETTINGS_CHANGE, call.workspace, version=saved.version)
    return SettingsAnswer.of(saved)
