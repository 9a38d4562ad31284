"""How a workspace's public pages look."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.page_settings import PageSettings

page_settings = Endpoints("settings", "/v1/settings/pages")

_DEFAULTS = PageSettings()
_EXAMPLE: JsonDict = {
    "name": "Example shop",
    "logo_url": "https://www.example.com/logo.png",
    "color": "#7a1fa2",
    "locale": "de",
}


class PageSettingsBody(Body):
    """All settings. What is left out goes back to its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[str, Field(max_length=100)] = Field(
        default=_DEFAULTS.name, description="Who the pages are from; empty shows none"
    )
    logo_url: Annotated[str, Field(max_length=500)] = Field(
        default=_DEFAULTS.logo_url, description="An https:// address; empty shows none"
    )
    color: str = Field(
        default=_DEFAULTS.color,
        description="Of buttons, as `#rrggbb`; their text is black or white, which reads better",
    )
    locale: str = Field(
        default=_DEFAULTS.locale, description="For people and browsers who name no language"
    )

    def settings(self) -> PageSettings:
        """As the domain has it."""
        return PageSettings(
            name=self.name, logo_url=self.logo_url, color=self.color, locale=self.locale
        )


class PageSettingsAnswer(Answer):
    """The settings in force. `version` counts their changes."""

    name: str
    logo_url: str
    color: str
    locale: str
    version: int

    @classmethod
    def of(cls, found: PageSettings) -> PageSettingsAnswer:
        """From the domain's value."""
        return cls(
            name=found.name,
            logo_url=found.logo_url,
            color=found.color,
            locale=found.locale,
            version=found.version,
        )


@page_settings.get("", scope=Scope.SUBSCRIBERS_READ)
def get_page_settings(call: CurrentCall) -> PageSettingsAnswer:
    """Get how the workspace's public pages look."""
    return PageSettingsAnswer.of(call.services.page_settings.get(call.workspace))


@page_settings.put("", scope=Scope.ADMIN)
def put_page_settings(body: PageSettingsBody, call: CurrentCall) -> PageSettingsAnswer:
    """Replace how the workspace's public pages look.

    These are the pages to sign up, to confirm, to unsubscribe, and the preference centre.
    """
    saved = call.services.page_settings.put(call.workspace, body.settings())
    call.record(AuditAction.SETTINGS_CHANGE, call.workspace, version=saved.version)
    return PageSettingsAnswer.of(saved)
