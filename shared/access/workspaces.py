"""Workspaces, and the one command that operators need before there is any API key."""

from __future__ import annotations

from shared.access.audit import AuditTrail
from shared.access.keys import ApiKeyService, name_problems
from shared.access.model import AuditAction, Scope, Workspace
from shared.access.ports import WorkspaceStore
from shared.clock import Clock
from shared.errors import InvalidInput
from shared.ids import WORKSPACE, Ids

_FIRST_KEY_REQUESTS_PER_MINUTE = 3_000
_OPERATOR = "operator"


class WorkspaceService:
    """Creates tenants."""

    def __init__(self, workspaces: WorkspaceStore, ids: Ids, clock: Clock) -> None:
        self._workspaces = workspaces
        self._ids = ids
        self._clock = clock

    def create(self, name: str) -> Workspace:
        """A new workspace. Names need not be unique.

        Raises:
            InvalidInput: the name is empty, too long or not on one line.
        """
        problems = name_problems("workspace", name)
        if problems:
            raise InvalidInput(problems)
        workspace = Workspace(self._ids.new(WORKSPACE), name, self._clock.now())
        self._workspaces.create(workspace)
        return workspace


class OperatorCommands:
    """What only an operator may do: whoever can invoke the jobs function directly."""

    def __init__(
        self, workspaces: WorkspaceService, keys: ApiKeyService, audit: AuditTrail
    ) -> None:
        self._workspaces = workspaces
        self._keys = keys
        self._audit = audit

    def first_key(self, workspace_name: str) -> dict[str, str]:
        """Creates a workspace and its first key, which has the scope `admin`.

        Returns `{"workspace": <id>, "api_key": <text, shown this once>}`. Each
        call makes another workspace.
        """
        workspace = self._workspaces.create(workspace_name)
        key, text = self._keys.issue(
            workspace.id,
            "first key",
            [Scope.ADMIN],
            _FIRST_KEY_REQUESTS_PER_MINUTE,
            created_by=_OPERATOR,
        )
        self._audit.record(
            workspace.id, _OPERATOR, AuditAction.KEY_ISSUE, key.id, {"scopes": [Scope.ADMIN.value]}
        )
        return {"workspace": workspace.id, "api_key": text}
