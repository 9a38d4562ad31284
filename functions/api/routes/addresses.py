"""Checks of addresses, and a workspace's settings for its audience."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.quality import AddressReport
from shared.audience.settings import AudienceSettings, QualityAction, QualityFlag
from shared.audience.types import AttributeType

addresses = Endpoints("subscribers", "/v1/addresses")
audience_settings = Endpoints("settings", "/v1/settings/audience")

_DEFAULTS = AudienceSettings()
_EXAMPLE: JsonDict = {
    "disposable": "reject",
    "role": "flag",
    "typo": "flag",
    "no_mx": "accept",
    "attributes": {"birthday": "date", "orders": "number"},
}


class CheckBody(Body):
    """Addresses to be checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"addresses": ["ada@gmial.com"]}]})

    addresses: Annotated[list[Annotated[str, Field(max_length=320)]], Field(min_length=1)]
    mx: bool = Field(default=False, description="Ask DNS too; then for at most 10 addresses")


class CheckedAnswer(Answer):
    """What can be said of one address."""

    address: str = Field(description="Its one form, as it would be stored; empty if it is none")
    problem: str = Field(description="Why it is no address; empty if it is one")
    flags: list[QualityFlag]
    suggestion: str = Field(description="What was probably meant; empty if it looks right")
    action: QualityAction = Field(description="What the workspace's settings make of it")

    @classmethod
    def of(cls, report: AddressReport) -> CheckedAnswer:
        """From the domain's value."""
        return cls(
            address=report.address,
            problem=report.problem,
            flags=list(report.flags),
            suggestion=report.suggestion,
            action=report.action,
        )


class CheckAnswer(Answer):
    """One item for each address, in order."""

    items: list[CheckedAnswer]


class AudienceSettingsBody(Body):
    """All settings. What is left out goes back to its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    disposable: QualityAction = Field(
        default=_DEFAULTS.disposable, description="For domains that give out throw-away addresses"
    )
    role: QualityAction = Field(
        default=_DEFAULTS.role, description="For addresses such as info@ or sales@"
    )
    typo: QualityAction = Field(
        default=_DEFAULTS.typo, description="For domains one slip away from a well-known one"
    )
    no_mx: QualityAction = Field(
        default=_DEFAULTS.no_mx,
        description="For domains that take no mail; `accept` asks no DNS. Imports never ask",
    )
    attributes: dict[str, AttributeType] = Field(
        default_factory=dict, description="Types that attributes must have, by name"
    )

    def settings(self) -> AudienceSettings:
        """As the domain has it."""
        return AudienceSettings(
            disposable=self.disposable,
            role=self.role,
            typo=self.typo,
            no_mx=self.no_mx,
            attributes=self.attributes,
        )


class AudienceSettingsAnswer(Answer):
    """The settings in force. `version` counts their changes."""

    disposable: QualityAction
    role: QualityAction
    typo: QualityAction
    no_mx: QualityAction
    attributes: dict[str, AttributeType]
    version: int

    @classmethod
    def of(cls, found: AudienceSettings) -> AudienceSettingsAnswer:
        """From the domain's value."""
        return cls(
            disposable=found.disposable,
            role=found.role,
            typo=found.typo,
            no_mx=found.no_mx,
            attributes=dict(found.attributes),
            version=found.version,
        )


@addresses.post("/check", scope=Scope.SUBSCRIBERS_READ, once=False)
def check_addresses(body: CheckBody, call: CurrentCall) -> CheckAnswer:
    """Check up to 100 addresses.

    Nothing is stored. `action` is what would become of each if it were added now.
    """
    reports = call.services.addresses.check(call.workspace, body.addresses, ask_dns=body.mx)
    return CheckAnswer(items=[CheckedAnswer.of(report) for report in reports])


@audience_settings.get("", scope=Scope.SUBSCRIBERS_READ)
def get_audience_settings(call: CurrentCall) -> AudienceSettingsAnswer:
    """Get the workspace's settings for its audience."""
    return AudienceSettingsAnswer.of(call.services.audience_settings.get(call.workspace))


@audience_settings.put("", scope=Scope.ADMIN)
def put_audience_settings(body: AudienceSettingsBody, call: CurrentCall) -> AudienceSettingsAnswer:
    """Replace the workspace's settings for its audience.

    They hold for whoever is added or changed from then on.
    """
    saved = call.services.audience_settings.put(call.workspace, body.settings())
    call.record(AuditAction.SETTINGS_CHANGE, call.workspace, version=saved.version)
    return AudienceSettingsAnswer.of(saved)
