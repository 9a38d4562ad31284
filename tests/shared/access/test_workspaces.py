from __future__ import annotations

import pytest

from shared.access.audit import AuditTrail
from shared.access.keys import ApiKeyService
from shared.access.model import AuditAction, Scope
from shared.access.workspaces import OperatorCommands, WorkspaceService
from shared.errors import InvalidInput
from shared.ids import Ids
from tests.fakes import FakeApiKeys, FakeAuditLog, FakeClock, FakeWorkspaces, seeded_bytes


def test_the_first_key_opens_a_new_workspace() -> None:
    clock, store = FakeClock(), FakeWorkspaces()
    ids = Ids(clock, seeded_bytes())
    keys = ApiKeyService(FakeApiKeys(), ids, clock, seeded_bytes(2))
    audit = AuditTrail(FakeAuditLog(), ids, clock)
    commands = OperatorCommands(WorkspaceService(store, ids, clock), keys, audit)

    made = commands.first_key("Acme")

    key = keys.authenticate(f"Bearer {made['api_key']}")
    assert key.workspace == made["workspace"]
    assert key.scopes == {Scope.ADMIN}
    assert key.created_by == "operator"
    assert store.get(made["workspace"]).name == "Acme"
    (entry,) = audit.page(made["workspace"], limit=9).items
    assert (entry.by, entry.action, entry.target) == ("operator", AuditAction.KEY_ISSUE, key.id)
    assert commands.first_key("Acme")["workspace"] != made["workspace"]


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "x" * 101])
def test_a_workspace_has_a_name_on_one_line(name: str) -> None:
    clock, store = FakeClock(), FakeWorkspaces()
    with pytest.raises(InvalidInput):
        WorkspaceService(store, Ids(clock, seeded_bytes()), clock).create(name)
    assert not store.workspaces
