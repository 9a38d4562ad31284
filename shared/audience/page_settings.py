"""How a workspace's public pages look: its name, logo, colour and default language."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

from shared.audience.texts import DEFAULT, Languages
from shared.errors import FieldProblem, InvalidInput

MAX_NAME = 100
MAX_URL = 500
_COLOR = re.compile(r"#[0-9a-f]{6}")
_LOGO = re.compile(
    r"(https://(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*(?::\d{1,5})?)/[A-Za-z0-9._~%/?&=+@-]*"
)
"""Nothing in it can end an attribute or a header's directive."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """A workspace's settings, with the defaults for one that never set any.

    `name` is who the pages are from; empty shows none. `color` is that of
    buttons, as `#rrggbb`. `locale` is the language for those who name none.
    """

    name: str = ""
    logo_url: str = ""
    color: str = "#1f4fbf"
    locale: str = DEFAULT
    version: int = 0

    @property
    def text_color(self) -> str:
        """Black or white, whichever can be read better on `color`: never below 4.5 to 1."""
        return max("#000000", "#ffffff", key=lambda text: contrast(text, self.color))

    @property
    def logo_origin(self) -> str:
        """Where the logo comes from, as a content security policy names it; empty if none."""
        match = _LOGO.fullmatch(self.logo_url)
        return match[1] if match else ""


class PageSettingsStore(Protocol):
    """Keeps each workspace's settings."""

    def get(self, workspace: str) -> PageSettings:
        """A consistent read; the defaults with version 0 if there are none."""
        ...

    def save(self, workspace: str, settings: PageSettings) -> PageSettings:
        """Writes under its version (0: there is none yet). Raises StaleWrite."""
        ...


class PageSettingsService:
    """What the API does with them."""

    def __init__(self, store: PageSettingsStore, languages: Languages) -> None:
        self._store = store
        self._languages = languages

    def get(self, workspace: str) -> PageSettings:
        """The settings in force."""
        return self._store.get(workspace)

    def put(self, workspace: str, settings: PageSettings) -> PageSettings:
        """Replaces the settings, whatever their version was.

        Raises:
            InvalidInput: names each field at fault.
            StaleWrite: somebody else wrote them at the same moment.
        """
        wanted = replace(settings, name=settings.name.strip(), color=settings.color.lower())
        problems = []
        if len(wanted.name) > MAX_NAME or not wanted.name.isprintable():
            reason = f"must be one line of at most {MAX_NAME} characters"
            problems.append(FieldProblem("name", reason))
        if wanted.logo_url and (len(wanted.logo_url) > MAX_URL or not wanted.logo_origin):
            reason = f"must be an https:// address of at most {MAX_URL} characters, host in ASCII"
            problems.append(FieldProblem("logo_url", reason))
        if not _COLOR.fullmatch(wanted.color):
            problems.append(FieldProblem("color", "must be written as #rrggbb"))
        if wanted.locale not in self._languages:
            reason = f"must be one of {', '.join(self._languages)}"
            problems.append(FieldProblem("locale", reason))
        if problems:
            raise InvalidInput(problems)
        present = self._store.get(workspace)
        return self._store.save(workspace, replace(wanted, version=present.version))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#rrggbb`, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    red, green, blue = (_linear(int(color[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  # WCAG's constants
