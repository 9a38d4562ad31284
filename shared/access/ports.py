"""What access needs from the outside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from shared.access.model import ApiKey, AuditEntry, AuditFilter, SenderDomain, Workspace
from shared.paging import Page

EVERYTHING = AuditFilter()


class WorkspaceStore(Protocol):
    """Keeps workspaces."""

    def create(self, workspace: Workspace) -> None:
        """Raises AlreadyExists."""
        ...

    def get(self, workspace_id: str) -> Workspace:
        """Raises NotFound."""
        ...

    def ids(self) -> Iterator[str]:
        """The ids of all workspaces, ascending; read a page at a time."""
        ...


class ApiKeyStore(Protocol):
    """Keeps API keys, looked up by the id that the key itself carries."""

    def create(self, key: ApiKey) -> None:
        """Raises AlreadyExists."""
        ...

    def find(self, key_id: str) -> ApiKey | None:
        """The key of that id in any workspace, revoked or not."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """A workspace's keys, oldest first."""
        ...

    def revoke(self, workspace: str, key_id: str, at: datetime) -> ApiKey:
        """Revoking twice keeps the first time. Raises NotFound."""
        ...

    def count_request(self, key_id: str, minute: datetime) -> int:
        """Adds one to the key's counter of that minute; returns the count with it."""
        ...


class SenderDomainStore(Protocol):
    """Keeps sender domains and who owns them."""

    def create(self, domain: SenderDomain) -> None:
        """Raises AlreadyExists if this workspace has that domain already."""
        ...

    def get(self, workspace: str, domain_id: str) -> SenderDomain:
        """Raises NotFound."""
        ...

    def find(self, workspace: str, domain: str) -> SenderDomain | None:
        """This workspace's entry for a domain; consistent."""
        ...

    def owner(self, domain: str) -> str | None:
        """The workspace that has verified the domain; consistent."""
        ...

    def verify(self, domain: SenderDomain, at: datetime) -> SenderDomain:
        """Claims the domain for its workspace, once and for all others.

        Raises:
            Conflict: another workspace owns it.
        """
        ...

    def delete(self, workspace: str, domain_id: str) -> None:
        """Removes the entry and gives the domain free. Raises NotFound."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[SenderDomain]:
        """A workspace's domains, oldest first."""
        ...


class AuditLog(Protocol):
    """Keeps what was done: an entry can be neither changed nor removed."""

    def append(self, entry: AuditEntry, *, until: datetime | None = None) -> None:
        """Adds an entry that is forgotten at `until`, or never. Raises AlreadyExists."""
        ...

    def page(
        self,
        workspace: str,
        *,
        oldest: datetime,
        newest: datetime,
        wanted: AuditFilter = EVERYTHING,
        limit: int,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Those of a workspace's entries from `oldest` to `newest` that are `wanted`, newest first.

        What a page reads is bounded, so that it may be short, or
        empty, and not be the last.
        """
        ...


class TxtLookup(Protocol):
    """Asks the DNS."""

    def txt(self, name: str) -> list[str]:
        """The TXT records of a name; an empty list if there are none.

        Raises:
            DependencyUnavailable: no resolver answered in time.
        """
        ...
