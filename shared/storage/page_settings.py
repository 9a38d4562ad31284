"""How workspaces' public pages look, in DynamoDB."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.page_settings import PageSettings
from shared.errors import StaleWrite
from shared.storage.tables import VersionedModel


class PageSettingsItem(VersionedModel):
    """A workspace's settings; `doc` is compact JSON of all fields but the version."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoPageSettings:
    """`PageSettingsStore`."""

    def get(self, workspace: str) -> PageSettings:
        """As the port says."""
        item = PageSettingsItem.find(*_key(workspace))
        if item is None:
            return PageSettings()
        doc: dict[str, Any] = orjson.loads(item.doc)
        return PageSettings(version=int(item.version), **doc)

    def save(self, workspace: str, settings: PageSettings) -> PageSettings:
        """As the port says."""
        saved = replace(settings, version=settings.version + 1)
        doc = asdict(saved)
        del doc["version"]
        item = PageSettingsItem(
            *_key(workspace), doc=orjson.dumps(doc).decode(), version=saved.version
        )
        if settings.version:
            item.put_over(settings.version)
        elif not item.put(PageSettingsItem.pk.does_not_exist()):
            raise StaleWrite("somebody else wrote the settings first: read them again, then decide")
        return saved


def _key(workspace: str) -> tuple[str, str]:
    return f"ws#{workspace}", "pages"
