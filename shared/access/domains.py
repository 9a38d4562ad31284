"""Sender domains: proven by a DNS record, bound to one workspace, checked before any mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import idna

from shared.access.model import DomainState, SenderDomain
from shared.access.ports import SenderDomainStore, TxtLookup
from shared.clock import Clock
from shared.errors import Conflict, FieldProblem, InvalidInput
from shared.ids import DOMAIN, Ids
from shared.paging import Page

_PREFIX = "_tidepost."
_MAX_NAME = 253 - len(_PREFIX)
"""RFC 1035 allows 253 characters, of which the record's own label takes some."""

_TOKEN_BYTES = 16
_SENDER = "sender.email"
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

    def check_sender(self, workspace: str, address: str) -> None:
        """Whether the workspace may send from an address: asked at launch and at send.

        The address's domain must be verified by this workspace, or lie below
        one that is. The nearest verified domain decides, so that a subdomain
        which another workspace has proven is theirs alone.

        Raises:
            InvalidInput: names `sender.email`; never says who owns the domain.
        """
        name = _domain_of(address)
        if self._nearest_owner(name) != workspace:
            raise _refused(name)

    def check_not_foreign(self, workspace: str, address: str) -> None:
        """As `check_sender`, but a domain that nobody has verified is fine: asked at save.

        Raises:
            InvalidInput: names `sender.email`.
        """
        name = _domain_of(address)
        if self._nearest_owner(name) not in (None, workspace):
            raise _refused(name)

    def _nearest_owner(self, name: str) -> str | None:
        owners = (self._domains.owner(candidate) for candidate in _upwards(name))
        return next((owner for owner in owners if owner is not None), None)


def record_name(domain: SenderDomain) -> str:
    """The name of the TXT record that proves a domain."""
    return _PREFIX + domain.domain


def record_value(domain: SenderDomain) -> str:
    """What that TXT record has to hold."""
    return f"tidepost-verify={domain.token}"


def normalise_domain(text: str, field: str = "domain") -> str:
    """A domain name in lower-case ASCII (IDNA 2008 with UTS 46 mapping), without a final dot.

    Raises:
        InvalidInput: the text is no host name of two labels or more.
    """
    try:
        name = idna.encode(text.strip().removesuffix("."), uts46=True, std3_rules=True).decode()
    except idna.IDNAError as error:
        raise InvalidInput(FieldProblem(field, f"is not a domain name: {error}")) from error
    labels = name.split(".")
    if len(labels) == 1 or len(name) > _MAX_NAME or labels[-1].isdigit():
        raise InvalidInput(FieldProblem(field, "is not a domain name such as news.example.com"))
    return name


def _domain_of(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if not local:
        raise InvalidInput(FieldProblem(_SENDER, "is not an email address"))
    return normalise_domain(domain, field=_SENDER)


def _refused(name: str) -> InvalidInput:
    return InvalidInput(
        FieldProblem(
            _SENDER,
            f"{name} is not a verified sender domain of this workspace; "
            "add it under /v1/sender-domains and verify it",
        )
    )


def _upwards(name: str) -> Iterator[str]:
    labels = name.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
