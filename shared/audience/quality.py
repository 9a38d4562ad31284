"""What is odd about an address that is valid: a throw-away, a role, a slip, or no mail server.

Disposable domains come from the package `disposable-email-domains`, which is
released every few days; role accounts from `role_accounts`. An import asks for
the mail servers of many domains at once, see `mail_domains`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from disposable_email_domains import blocklist

from shared.audience.addresses import normalise
from shared.audience.domains import meant
from shared.audience.ports import MxLookup
from shared.audience.role_accounts import ROLE_ACCOUNTS
from shared.audience.settings import AudienceSettings, QualityAction, QualityFlag
from shared.errors import DependencyUnavailable, FieldProblem, InvalidInput


@dataclass(frozen=True, slots=True)
class AddressReport:
    """What is known of one address. `problem` says why it is none; then all else is blank.

    `address` is normalised. `suggestion` is the whole address that was probably
    meant. `action` is what the workspace's settings make of it.
    """

    address: str = ""
    problem: str = ""
    flags: tuple[QualityFlag, ...] = ()
    suggestion: str = ""
    action: QualityAction = QualityAction.REJECT


class AddressQuality:
    """Looks at addresses as a workspace's settings want it. Without `mx` DNS is not asked."""

    def __init__(self, settings: AudienceSettings, mx: MxLookup | None = None) -> None:
        self._actions: Mapping[QualityFlag, QualityAction] = {
            flag: getattr(settings, flag) for flag in QualityFlag
        }
        self._mx = mx

    def report(self, text: str, *, ask_dns: bool = False) -> AddressReport:
        """All that can be said of an address, whatever the settings; `ask_dns` asks in any case."""
        try:
            address = normalise(text)
        except InvalidInput as error:
            return AddressReport(problem=error.problems[0].reason)
        flags = self._found(address, ask_dns=ask_dns)
        local, _, domain = address.rpartition("@")
        actions = {self._actions[flag] for flag in flags}
        return AddressReport(
            address=address,
            flags=flags,
            suggestion=f"{local}@{meant(domain)}" if QualityFlag.TYPO in flags else "",
            action=max(actions, key=_SEVERITY.index, default=QualityAction.ACCEPT),
        )

    def flags(self, address: str) -> tuple[str, ...]:
        """The flags to keep with a person of this normalised address.

        Raises:
            InvalidInput: the settings refuse it; the reason does not repeat the address.
        """
        found = self._found(address, ask_dns=False)
        if not found:
            return ()
        refused = [flag for flag in found if self._actions[flag] is QualityAction.REJECT]
        if refused:
            raise InvalidInput(FieldProblem("email", _REFUSED[refused[0]]))
        return tuple(flag.value for flag in found if self._actions[flag] is QualityAction.FLAG)

    @property
    def asks_dns(self) -> bool:
        """Whether the settings make anything of a domain that takes no mail."""
        return self._actions[QualityFlag.NO_MX] is not QualityAction.ACCEPT

    def flags_without_mail(self, flags: tuple[str, ...]) -> tuple[str, ...]:
        """What `flags` become once it is known that the domain takes no mail.

        Raises:
            InvalidInput: the settings refuse it.
        """
        if self._actions[QualityFlag.NO_MX] is QualityAction.REJECT:
            raise InvalidInput(FieldProblem("email", _REFUSED[QualityFlag.NO_MX]))
        return (*flags, QualityFlag.NO_MX.value) if self.asks_dns else flags

    def _found(self, address: str, *, ask_dns: bool) -> tuple[QualityFlag, ...]:
        local, _, domain = address.rpartition("@")
        found = []
        if is_disposable(domain):
            found.append(QualityFlag.DISPOSABLE)
        if local.partition("+")[0] in ROLE_ACCOUNTS:
            found.append(QualityFlag.ROLE)
        if meant(domain):
            found.append(QualityFlag.TYPO)
        if ask_dns or self.asks_dns:
            found += self._without_mx(domain)
        return tuple(found)

    def _without_mx(self, domain: str) -> list[QualityFlag]:
        if self._mx is None:
            return []
        try:
            return [] if self._mx.mx(domain) else [QualityFlag.NO_MX]
        except DependencyUnavailable:
            return []  # nothing is known, and a person must not be refused for that


@lru_cache(maxsize=10_000)
def is_disposable(domain: str) -> bool:
    """Whether the domain (ASCII), or one that it lies under, gives out throw-away addresses."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))


_SEVERITY = (QualityAction.ACCEPT, QualityAction.FLAG, QualityAction.REJECT)
_REFUSED = {
    QualityFlag.DISPOSABLE: "is of a disposable domain, which this workspace does not take",
    QualityFlag.ROLE: "is of a role and not of a person, which this workspace does not take",
    QualityFlag.TYPO: "has a domain that looks mistyped, which this workspace does not take",
    QualityFlag.NO_MX: "is of a domain that takes no mail",
}
