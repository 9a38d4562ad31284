"""Templates: created, revised under version numbers, previewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared import ids as kinds
from shared.clock import Clock
from shared.content.compiled import SAMPLE_CONTEXT, compile_template, render_directly
from shared.content.model import Template, TemplateSource
from shared.content.ports import TemplateStore
from shared.errors import FieldProblem, InvalidInput
from shared.ids import Ids
from shared.paging import Page

_MAX_NAME = 200


class TemplateService:
    """What the API does with templates. Every write compiles the template first."""

    def __init__(self, templates: TemplateStore, ids: Ids, clock: Clock) -> None:
        self._templates = templates
        self._ids = ids
        self._clock = clock

    def create(self, workspace: str, name: str, source: TemplateSource) -> Template:
        """A new template, version 1.

        Raises:
            InvalidInput: the name, or a part (TemplateInvalid names the line).
        """
        _check_name(name)
        compile_template(source)
        template = Template(
            id=self._ids.new(kinds.TEMPLATE),
            workspace=workspace,
            name=name,
            source=source,
            created_at=self._clock.now(),
        )
        self._templates.create(template)
        return template

    def get(self, workspace: str, template_id: str, version: int | None = None) -> Template:
        """One version, the newest if None. Raises NotFound."""
        return self._templates.get(workspace, template_id, version)

    def revise(
        self, workspace: str, template_id: str, name: str, source: TemplateSource
    ) -> Template:
        """The next version. Campaigns that were launched keep theirs.

        Raises:
            NotFound: there is no such template.
            InvalidInput: as for `create`.
            StaleWrite: somebody else revised it at the same moment.
        """
        _check_name(name)
        compile_template(source)
        newest = self._templates.get(workspace, template_id)
        return self._templates.add_version(
            replace(newest, name=name, source=source, created_at=self._clock.now())
        )

    def delete(self, workspace: str, template_id: str) -> None:
        """Raises NotFound. Campaigns that were launched keep their version."""
        self._templates.delete(workspace, template_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Template]:
        """The workspace's templates, oldest first."""
        return self._templates.page(workspace, limit=limit, cursor=cursor)

    def preview(
        self, workspace: str, template_id: str, data: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """The newest version rendered with `data` over the sample context.

        Raises:
            NotFound: there is no such template.
            TemplateInvalid: it fails with this data.
        """
        template = self._templates.get(workspace, template_id)
        rendered = render_directly(template.source, {**SAMPLE_CONTEXT, **data})
        return {"subject": rendered.subject, "html": rendered.html, "text": rendered.text}


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise InvalidInput(
            FieldProblem("name", f"must be one line of 1 to {_MAX_NAME} printable characters")
        )
