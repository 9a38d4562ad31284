"""What workspaces have set for their sending, in DynamoDB."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.delivery.schedule import quiet_of, quiet_text
from shared.delivery.workspace import FrequencyCap, WorkspaceSettings
from shared.errors import StaleWrite
from shared.mail import MessageKind
from shared.storage.tables import VersionedModel


class SettingsItem(VersionedModel):
    """A workspace's settings; `doc` is compact JSON of all fields but the version."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoSettings:
    """`SettingsStore`."""

    def get(self, workspace: str) -> WorkspaceSettings:
        """As the port says."""
        item = SettingsItem.find(*_key(workspace))
        if item is None:
            return WorkspaceSettings()
        doc: dict[str, Any] = orjson.loads(item.doc)
        quiet = doc.pop("quiet_hours")
        hours = quiet_of(quiet) if quiet else None
        caps = tuple(
            FrequencyCap(MessageKind(cap["kind"]), cap["messages"], cap["days"])
            for cap in doc.pop("frequency_cap", ())
        )
        return WorkspaceSettings(
            quiet_hours=hours, frequency_cap=caps, version=int(item.version), **doc
        )

    def save(self, workspace: str, settings: WorkspaceSettings) -> WorkspaceSettings:
        """As the port says."""
        saved = replace(settings, version=settings.version + 1)
        doc = asdict(replace(saved, quiet_hours=None))
        del doc["version"]
        if saved.quiet_hours:
            doc["quiet_hours"] = quiet_text(saved.quiet_hours)
        item = SettingsItem(*_key(workspace), doc=orjson.dumps(doc).decode(), version=saved.version)
        if settings.version:
            item.put_over(settings.version)
        elif not item.put(SettingsItem.pk.does_not_exist()):
            raise StaleWrite("somebody else wrote the settings first: read them again, then decide")
        return saved


def _key(workspace: str) -> tuple[str, str]:
    return f"ws#{workspace}", "settings"
