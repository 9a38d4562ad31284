"""What content needs from the outside."""

from __future__ import annotations

from typing import Protocol

from shared.content.model import Template
from shared.paging import Page


class TemplateStore(Protocol):
    """Keeps templates, every version of them."""

    def create(self, template: Template) -> None:
        """Writes version 1. Raises AlreadyExists if there is a template of that id."""
        ...

    def get(self, workspace: str, template_id: str, version: int | None = None) -> Template:
        """One version, the newest if None. Raises NotFound."""
        ...

    def add_version(self, template: Template) -> Template:
        """Writes `template` as the version after `template.version`.

        Raises:
            StaleWrite: that version exists already.
            NotFound: there is no such template.
        """
        ...

    def delete(self, workspace: str, template_id: str) -> None:
        """Takes it out of `get` without version and of `page`.

        Versions that campaigns were launched with stay readable by number.

        Raises:
            NotFound: there is no such template.
        """
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Template]:
        """The newest version of each, oldest template first."""
        ...
