"""What workspaces have set for their audience, in DynamoDB."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.settings import AudienceSettings, QualityAction
from shared.audience.types import AttributeType
from shared.errors import StaleWrite
from shared.storage.tables import VersionedModel


class AudienceSettingsItem(VersionedModel):
    """A workspace's settings; `doc` is compact JSON of all fields but the version."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoAudienceSettings:
    """`AudienceSettingsStore`."""

    def get(self, workspace: str) -> AudienceSettings:
        """As the port says."""
        item = AudienceSettingsItem.find(*_key(workspace))
        if item is None:
            return AudienceSettings()
        doc: dict[str, Any] = orjson.loads(item.doc)
        attributes = {name: AttributeType(kind) for name, kind in doc.pop("attributes").items()}
        actions = {name: QualityAction(action) for name, action in doc.items()}
        return AudienceSettings(attributes=attributes, version=int(item.version), **actions)

    def save(self, workspace: str, settings: AudienceSettings) -> AudienceSettings:
        """As the port says."""
        saved = replace(settings, version=settings.version + 1)
        doc = asdict(saved)
        del doc["version"]
        item = AudienceSettingsItem(
            *_key(workspace), doc=orjson.dumps(doc).decode(), version=saved.version
        )
        if settings.version:
            item.put_over(settings.version)
        elif not item.put(AudienceSettingsItem.pk.does_not_exist()):
            raise StaleWrite("somebody else wrote the settings first: read them again, then decide")
        return saved


def _key(workspace: str) -> tuple[str, str]:
    return f"ws#{workspace}", "audience"
