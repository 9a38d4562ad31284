"""Kill switches in DynamoDB: one small item a workspace, and one for the deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from shared.clock import from_iso, to_iso
from shared.delivery.workspace import Switch
from shared.storage.tables import TidepostModel


class SwitchItem(TidepostModel):
    """Whether sending is on, and who said so."""

    TABLE = "workspaces"

    v = NumberAttribute(default=1)
    enabled = BooleanAttribute()
    reason = UnicodeAttribute()
    by = UnicodeAttribute()
    at = UnicodeAttribute(null=True)


class DynamoSwitches:
    """`SwitchStore`."""

    def get(self, workspaces: Sequence[str]) -> Mapping[str, Switch]:
        """As the port says, in one BatchGetItem."""
        found = {
            item.pk: Switch(
                item.enabled, item.reason, item.by, from_iso(item.at) if item.at else None
            )
            for item in SwitchItem.find_many(_key(name) for name in workspaces)
        }
        return {name: found.get(_key(name)[0], Switch()) for name in workspaces}

    def put(self, workspace: str, switch: Switch) -> None:
        """As the port says."""
        SwitchItem(
            *_key(workspace),
            enabled=switch.enabled,
            reason=switch.reason,
            by=switch.by,
            at=to_iso(switch.at) if switch.at else None,
        ).put()


def _key(workspace: str) -> tuple[str, str]:
    return f"ws#{workspace}" if workspace else "deployment", "sending"
