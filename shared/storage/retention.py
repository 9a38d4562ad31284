"""How long workspaces keep what, in DynamoDB."""

from __future__ import annotations

from dataclasses import asdict, replace

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.errors import StaleWrite
from shared.retention import DAYS, Retention
from shared.storage.tables import VersionedModel


class RetentionItem(VersionedModel):
    """A workspace's settings; `doc` is compact JSON of all fields but the version."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoRetention:
    """`RetentionStore`."""

    def get(self, workspace: str) -> Retention:
        """As the port says."""
        item = RetentionItem.find(*_key(workspace))
        if item is None:
            return Retention()
        return Retention(**orjson.loads(item.doc), version=int(item.version))

    def save(self, workspace: str, retention: Retention) -> Retention:
        """As the port says."""
        saved = replace(retention, version=retention.version + 1)
        doc = {name: days for name, days in asdict(saved).items() if name in DAYS}
        item = RetentionItem(
            *_key(workspace), doc=orjson.dumps(doc).decode(), version=saved.version
        )
        if retention.version:
            item.put_over(retention.version)
        elif not item.put(RetentionItem.pk.does_not_exist()):
            raise StaleWrite("somebody else wrote the settings first: read them again, then decide")
        return saved


def _key(workspace: str) -> tuple[str, str]:
    return f"ws#{workspace}", "retention"
