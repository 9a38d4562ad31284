"""Whose colours and which language a page has. It never fails: at worst a page is plain."""

from __future__ import annotations

from contextlib import suppress

from functions.public.exchange import Request
from functions.public.pages import Look
from shared.audience.page_settings import PageSettings, PageSettingsStore
from shared.audience.preferences import PreferenceService
from shared.audience.texts import Languages, accepted, language_of
from shared.errors import DependencyUnavailable, NotFound


class Looks:
    """The language is the person's, else `?lang=`, the browser's, the workspace's, English."""

    def __init__(
        self, pages: PageSettingsStore, people: PreferenceService, languages: Languages
    ) -> None:
        self._pages = pages
        self._people = people
        self._languages = languages

    def __call__(self, request: Request, workspace: str = "", subscriber: str = "") -> Look:
        """The look of a page that is about a workspace and a person, if that is known."""
        settings, locale = PageSettings(), ""
        with suppress(DependencyUnavailable, NotFound):
            if workspace:
                settings = self._pages.get(workspace)
            if subscriber:
                locale = self._people.person(workspace, subscriber).locale
        wishes = (locale, request.language, *accepted(request.accept_language), settings.locale)
        texts = self._languages[language_of(self._languages, *wishes)]
        return Look(settings, texts, self._languages)
