"""Reading and replacing a workspace's settings."""

from __future__ import annotations

from dataclasses import replace

from shared.delivery.ports import SettingsStore
from shared.delivery.workspace import WorkspaceSettings, check_settings
from shared.errors import InvalidInput


class SettingsService:
    """What the API does with settings."""

    def __init__(self, store: SettingsStore) -> None:
        self._store = store

    def get(self, workspace: str) -> WorkspaceSettings:
        """The settings in force."""
        return self._store.get(workspace)

    def put(self, workspace: str, settings: WorkspaceSettings) -> WorkspaceSettings:
        """Replaces the settings, whatever their version was.

        Raises:
            InvalidInput: names each field at fault.
            StaleWrite: somebody else wrote them at the same moment.
        """
        problems = check_settings(settings)
        if problems:
            raise InvalidInput(problems)
        present = self._store.get(workspace)
        return self._store.save(workspace, replace(settings, version=present.version))
