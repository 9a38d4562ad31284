"""Who may send from which domain. Asked when a sender is saved, at launch, and at send."""

from __future__ import annotations

from collections.abc import Iterator

import idna

from shared.access.ports import SenderDomainStore
from shared.errors import FieldProblem, InvalidInput

_FIELD = "sender.email"
_MAX_NAME = 243
"""RFC 1035 allows 253 characters, of which the proving record's own label takes ten."""


class SenderBinding:
    """Binds addresses to workspaces by the domains that these have verified.

    An address's domain must be verified by the workspace, or lie below one
    that is. The nearest verified domain decides, so that a subdomain which
    another workspace has proven is theirs alone.
    """

    def __init__(self, domains: SenderDomainStore) -> None:
        self._domains = domains

    def check_sender(self, workspace: str, address: str) -> None:
        """Whether the workspace may send from an address.

        Raises:
            InvalidInput: names `sender.email`; never says who owns the domain.
        """
        name = _domain_of(address)
        if self._owner(name) != workspace:
            raise _refused(name)

    def check_not_foreign(self, workspace: str, address: str) -> None:
        """As `check_sender`, but a domain that nobody has verified is fine: asked at save.

        Raises:
            InvalidInput: names `sender.email`; never says who owns the domain.
        """
        name = _domain_of(address)
        if self._owner(name) not in (None, workspace):
            raise _refused(name)

    def _owner(self, name: str) -> str | None:
        owners = (self._domains.owner(candidate) for candidate in _upwards(name))
        return next((owner for owner in owners if owner is not None), None)


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
        raise InvalidInput(FieldProblem(_FIELD, "is not an email address"))
    return normalise_domain(domain, field=_FIELD)


def _refused(name: str) -> InvalidInput:
    return InvalidInput(
        FieldProblem(
            _FIELD,
            f"{name} is not a verified sender domain of this workspace; "
            "add it under /v1/sender-domains and verify it",
        )
    )


def _upwards(name: str) -> Iterator[str]:
    labels = name.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
