"""Sender domains in DynamoDB: a workspace's entries, and who owns a domain."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from shared.access.model import DomainState, SenderDomain
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, Conflict, NotFound, StaleWrite
from shared.paging import Page, cut, resume
from shared.storage.tables import TidepostModel, VersionedModel, put_together


class SenderDomainItem(VersionedModel):
    """A workspace's entry for a domain."""

    TABLE = "workspaces"

    id = UnicodeAttribute()
    token = UnicodeAttribute()
    created_at = UnicodeAttribute()
    state = UnicodeAttribute()
    verified_at = UnicodeAttribute(null=True)


class DomainOwnerItem(TidepostModel):
    """The one workspace that has verified a domain."""

    TABLE = "workspaces"

    workspace = UnicodeAttribute()


class DynamoSenderDomains:
    """`SenderDomainStore`. A workspace has few domains, so lookups by id read all its entries."""

    def create(self, domain: SenderDomain) -> None:
        """As the port says."""
        if not _item(domain).put(SenderDomainItem.pk.does_not_exist()):
            raise AlreadyExists(f"this workspace has the domain {domain.domain} already")

    def get(self, workspace: str, domain_id: str) -> SenderDomain:
        """As the port says; consistent."""
        for domain in _all(workspace):
            if domain.id == domain_id:
                return domain
        raise NotFound("sender domain", domain_id)

    def find(self, workspace: str, domain: str) -> SenderDomain | None:
        """As the port says."""
        item = SenderDomainItem.find(_partition(workspace), domain)
        return _read(workspace, item) if item else None

    def owner(self, domain: str) -> str | None:
        """As the port says."""
        item = DomainOwnerItem.find(f"domain#{domain}", "owner")
        return item.workspace if item else None

    def verify(self, domain: SenderDomain, at: datetime) -> SenderDomain:
        """As the port says. The claim and the entry are written together or not at all.

        Verifying again keeps the first time.

        Raises:
            Conflict: another workspace owns it.
            NotFound: the entry was deleted in the meantime.
            StaleWrite: the entry was changed in the meantime.
        """
        verified = replace(
            domain, state=DomainState.VERIFIED, verified_at=at, version=domain.version + 1
        )
        claimable = DomainOwnerItem.pk.does_not_exist() | (
            DomainOwnerItem.workspace == domain.workspace
        )
        claim = DomainOwnerItem(f"domain#{domain.domain}", "owner", workspace=domain.workspace)
        as_read = (
            (SenderDomainItem.id == domain.id)
            & (SenderDomainItem.version == domain.version)
            & (SenderDomainItem.state == DomainState.PENDING.value)
        )
        if put_together((claim, claimable), (_item(verified), as_read)):
            return verified
        if self.owner(domain.domain) not in (None, domain.workspace):
            raise Conflict(f"the domain {domain.domain} belongs to another workspace")
        stored = self.get(domain.workspace, domain.id)
        if stored.state is DomainState.VERIFIED:
            return stored
        raise StaleWrite(f"the entry for {domain.domain} was changed: read it again, then decide")

    def delete(self, workspace: str, domain_id: str) -> None:
        """As the port says; after a crash in between it can be done again."""
        domain = self.get(workspace, domain_id)
        owner = DomainOwnerItem(f"domain#{domain.domain}", "owner")
        owner.discard(DomainOwnerItem.workspace == workspace)
        SenderDomainItem(_partition(workspace), domain.domain).discard()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[SenderDomain]:
        """As the port says; consistent."""
        after = resume(cursor) or ""
        rest = (domain for domain in _all(workspace) if domain.id > after)
        return cut(rest, limit, lambda domain: domain.id)


def _all(workspace: str) -> list[SenderDomain]:
    items = SenderDomainItem.select(_partition(workspace))
    return sorted((_read(workspace, item) for item in items), key=lambda domain: domain.id)


def _partition(workspace: str) -> str:
    return f"ws#{workspace}#domains"


def _item(domain: SenderDomain) -> SenderDomainItem:
    return SenderDomainItem(
        _partition(domain.workspace),
        domain.domain,
        id=domain.id,
        token=domain.token,
        created_at=to_iso(domain.created_at),
        state=domain.state.value,
        verified_at=to_iso(domain.verified_at) if domain.verified_at else None,
        version=domain.version,
    )


def _read(workspace: str, item: SenderDomainItem) -> SenderDomain:
    return SenderDomain(
        id=item.id,
        workspace=workspace,
        domain=item.sk,
        token=item.token,
        created_at=from_iso(item.created_at),
        state=DomainState(item.state),
        verified_at=from_iso(item.verified_at) if item.verified_at else None,
        version=int(item.version),
    )
