"""Workspaces in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute

from shared.access.model import Workspace
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.storage.tables import TidepostModel, put_together

_ALL = "workspaces"
"""The partition that lists all workspaces: few, and nobody may scan."""


class WorkspaceItem(TidepostModel):
    """One workspace."""

    TABLE = "workspaces"

    name = UnicodeAttribute()
    created_at = UnicodeAttribute()


class WorkspaceListItem(TidepostModel):
    """That there is a workspace."""

    TABLE = "workspaces"


class DynamoWorkspaces:
    """`WorkspaceStore`."""

    def create(self, workspace: Workspace) -> None:
        """As the port says."""
        item = WorkspaceItem(
            f"ws#{workspace.id}",
            "workspace",
            name=workspace.name,
            created_at=to_iso(workspace.created_at),
        )
        listed = WorkspaceListItem(_ALL, workspace.id)
        if not put_together((item, WorkspaceItem.pk.does_not_exist()), (listed, None)):
            raise AlreadyExists(f"there is a workspace {workspace.id} already")

    def get(self, workspace_id: str) -> Workspace:
        """As the port says; consistent."""
        item = WorkspaceItem.find(f"ws#{workspace_id}", "workspace")
        if item is None:
            raise NotFound("workspace", workspace_id)
        return Workspace(workspace_id, item.name, from_iso(item.created_at))

    def ids(self) -> Iterator[str]:
        """As the port says; consistent."""
        for item in WorkspaceListItem.select(_ALL):
            yield item.sk
