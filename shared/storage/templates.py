"""Templates in DynamoDB: every version for good, and the newest of each for listing."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import UnicodeAttribute

from shared.clock import from_iso, to_iso
from shared.content.model import Template, TemplateSource
from shared.errors import AlreadyExists, NotFound, StaleWrite
from shared.paging import Page, cut, resume
from shared.storage.tables import VersionedModel, put_together


class TemplateItem(VersionedModel):
    """One version of a template, or the copy of the newest one."""

    TABLE = "workspaces"

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    subject = UnicodeAttribute()
    html = UnicodeAttribute()
    text = UnicodeAttribute()
    created_at = UnicodeAttribute()


class DynamoTemplates:
    """`TemplateStore`. A version and the copy of the newest are written together or not at all."""

    def create(self, template: Template) -> None:
        """As the port says."""
        first = replace(template, version=1)
        absent = TemplateItem.pk.does_not_exist()
        if not put_together((_newest(first), absent), (_version(first), absent)):
            raise AlreadyExists(f"there is a template {template.id} already")

    def get(self, workspace: str, template_id: str, version: int | None = None) -> Template:
        """As the port says; consistent."""
        key = (
            _newest_key(workspace, template_id)
            if version is None
            else _version_key(workspace, template_id, version)
        )
        item = TemplateItem.find(*key)
        if item is None:
            what = template_id if version is None else f"{template_id} version {version}"
            raise NotFound("template", what)
        return _read(workspace, item)

    def add_version(self, template: Template) -> Template:
        """As the port says."""
        added = replace(template, version=template.version + 1)
        written = put_together(
            (_newest(added), TemplateItem.version == template.version),
            (_version(added), TemplateItem.pk.does_not_exist()),
        )
        if not written:
            newest = self.get(template.workspace, template.id)
            raise StaleWrite(
                f"template {template.id} is at version {newest.version}, not {template.version}: "
                "read it again, then decide"
            )
        return added

    def delete(self, workspace: str, template_id: str) -> None:
        """As the port says."""
        self.get(workspace, template_id)
        TemplateItem(*_newest_key(workspace, template_id)).discard()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Template]:
        """As the port says: ids sort by time. Consistent."""
        after = resume(cursor)
        where = TemplateItem.sk > after if after else None
        items = TemplateItem.select(f"ws#{workspace}#templates", where, page_size=limit + 1)
        return cut((_read(workspace, item) for item in items), limit, lambda one: one.id)


def _newest_key(workspace: str, template_id: str) -> tuple[str, str]:
    return f"ws#{workspace}#templates", template_id


def _version_key(workspace: str, template_id: str, version: int) -> tuple[str, str]:
    return f"ws#{workspace}#template#{template_id}", f"v{version:08d}"


def _newest(template: Template) -> TemplateItem:
    return _item(_newest_key(template.workspace, template.id), template)


def _version(template: Template) -> TemplateItem:
    return _item(_version_key(template.workspace, template.id, template.version), template)


def _item(key: tuple[str, str], template: Template) -> TemplateItem:
    return TemplateItem(
        *key,
        id=template.id,
        name=template.name,
        subject=template.source.subject,
        html=template.source.html,
        text=template.source.text,
        created_at=to_iso(template.created_at),
        version=template.version,
    )


def _read(workspace: str, item: TemplateItem) -> Template:
    return Template(
        id=item.id,
        workspace=workspace,
        name=item.name,
        source=TemplateSource(item.subject, item.html, item.text),
        created_at=from_iso(item.created_at),
        version=int(item.version),
    )
