"""Sender domains: proven by a DNS record, bound to one workspace, checked before any mail."""

from __future__ import annotations

from collections.abc import Callable

from shared.access.model import DomainState, SenderDomain
from shared.access.ports import SenderDomainStore, TxtLookup
from shared.access.senders import normalise_domain
from shared.clock import Clock
from shared.errors import Conflict
from shared.ids import DOMAIN, Ids
from shared.paging import Page

_PREFIX = "_tidepost."
_TOKEN_BYTES = 16
_TAKEN = (
    "this domain is verified by another workspace of this deployment; "
    "it has to be deleted there before it can be used here"
)


class SenderDomainService:
    """Adds, proves and looks up the domains that a workspace may send from."""

    def __init__(
        self,
        domains: SenderDomainStore,
        txt: TxtLookup,
        ids: Ids,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._domains = domains
        self._txt = txt
        self._ids = ids
        self._clock = clock
        self._random_bytes = random_bytes

    def add(self, workspace: str, domain: str) -> SenderDomain:
        """A pending domain, with the token that its DNS has to show.

        Raises:
            InvalidInput: that is not a domain name.
            AlreadyExists: this workspace has it already.
            Conflict: another workspace has verified it.
        """
        name = normalise_domain(domain)
        if self._domains.owner(name) not in (None, workspace):
            raise Conflict(_TAKEN)
        added = SenderDomain(
            id=self._ids.new(DOMAIN),
            workspace=workspace,
            domain=name,
            token=self._random_bytes(_TOKEN_BYTES).hex(),
            created_at=self._clock.now(),
        )
        self._domains.create(added)
        return added

    def verify(self, workspace: str, domain_id: str) -> SenderDomain:
        """Looks the record up and binds the domain; verifying again changes nothing.

        Raises:
            NotFound: this workspace has no such domain.
            Conflict: the record is not there, or another workspace was first.
            DependencyUnavailable: no resolver answered.
        """
        domain = self._domains.get(workspace, domain_id)
        if domain.state is DomainState.VERIFIED:
            return domain
        name, value = record_name(domain), record_value(domain)
        found = self._txt.txt(name)
        if value not in (text.strip() for text in found):
            seen = f"{len(found)} other TXT records are" if found else "no TXT record is"
            raise Conflict(
                f"the domain is not proven yet: set a TXT record named {name} with the value "
                f"{value} and verify again ({seen} there now; DNS may take some minutes)"
            )
        return self._domains.verify(domain, self._clock.now())

    def get(self, workspace: str, domain_id: str) -> SenderDomain:
        """One domain. Raises NotFound."""
        return self._domains.get(workspace, domain_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[SenderDomain]:
        """The workspace's domains, oldest first."""
        return self._domains.page(workspace, limit=limit, cursor=cursor)

    def delete(self, workspace: str, domain_id: str) -> None:
        """Gives a domain free; mail from it stops at once. Raises NotFound."""
        self._domains.delete(workspace, domain_id)


def record_name(domain: SenderDomain) -> str:
    """The name of the TXT record that proves a domain."""
    return _PREFIX + domain.domain


def record_value(domain: SenderDomain) -> str:
    """What that TXT record has to hold."""
    return f"tidepost-verify={domain.token}"
