"""Who runs a recipient's mailbox: by a table, and if that is wanted by MX records for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, wait
from datetime import datetime, timedelta

from shared.audience.ports import MxLookup
from shared.clock import Clock
from shared.delivery.ports import MxStore
from shared.errors import TidepostError
from shared.mail import MailboxGroup, mailbox_group

KEPT = timedelta(days=7)
"""How long what MX records said is believed, also that they name nobody we know."""

UNKNOWN_FOR = timedelta(minutes=10)
"""How long a domain that gave no answer is left in peace, by one container."""

BUDGET_S = 2.0
"""Of a chunk, for all its look-ups; who is not known by then is `other` this time."""

MOST_KNOWN = 20_000
"""Domains a container remembers: some 4 MB."""

_LONGEST = 253
"""Characters of a domain name (RFC 1035, 2.3.4, as text)."""

_GROUP_OF_HOST: Mapping[str, MailboxGroup] = {
    host: group
    for group, hosts in {
        MailboxGroup.GMAIL: "google.com googlemail.com",
        MailboxGroup.MICROSOFT: "outlook.com mx.microsoft hotmail.com",
        MailboxGroup.YAHOO: "yahoodns.net",
        MailboxGroup.APPLE: "icloud.com",
        MailboxGroup.GMX: "gmx.net web.de",
        MailboxGroup.PROTON: "protonmail.ch",
    }.items()
    for host in hosts.split()
}
"""The names under which the big ones' MX hosts are, such as `aspmx.l.google.com`,
`example-com.mail.protection.outlook.com`, `mta5.am0.yahoodns.net` and `mx01.mail.icloud.com`.
A filter before them (Mimecast, Proofpoint, ...) judges by its own lights: that is `other`.
"""


def group_of_hosts(hosts: Sequence[str]) -> MailboxGroup:
    """The group that a domain's MX hosts belong to: the preferred one, which is first, decides."""
    labels = hosts[0].split(".") if hosts else []
    names = (".".join(labels[start:]) for start in range(len(labels)))
    found = (_GROUP_OF_HOST.get(name) for name in names)
    return next((group for group in found if group), MailboxGroup.OTHER)


class MailboxGroups:
    """Gives the mailbox groups of addresses. Without a `lookup` the table alone does.

    It fails for nothing and takes no longer than `BUDGET_S`, beside one read
    of the store: what cannot be found out is `other`. `trouble` says what went
    wrong in the last call, for the log. One thread at a time may call it.
    """

    def __init__(
        self, lookup: MxLookup | None, store: MxStore, executor: Executor, clock: Clock
    ) -> None:
        self._lookup = lookup
        self._store = store
        self._executor = executor
        self._clock = clock
        self._known: dict[str, tuple[MailboxGroup, datetime]] = {}
        self.trouble = ""

    def of(self, addresses: Mapping[int, str]) -> dict[int, MailboxGroup]:
        """The groups of a chunk's addresses, by the same indexes, in the same order."""
        self.trouble = ""
        groups = {i: mailbox_group(address) for i, address in addresses.items()}
        if self._lookup is None:
            return groups
        domains = {
            i: addresses[i].rpartition("@")[2].lower()
            for i, group in groups.items()
            if group is MailboxGroup.OTHER
        }
        found = self._found(self._lookup, list(dict.fromkeys(domains.values())))
        return groups | {i: found.get(domain, MailboxGroup.OTHER) for i, domain in domains.items()}

    def _found(self, lookup: MxLookup, domains: Sequence[str]) -> dict[str, MailboxGroup]:
        now = self._clock.now()
        found = {
            domain: known[0]
            for domain in domains
            if (known := self._known.get(domain)) and known[1] > now
        }
        missing = [d for d in domains if d not in found and 0 < len(d) <= _LONGEST]
        if not missing:
            return found
        stored = self._stored(missing)
        asked = [domain for domain in missing if domain not in stored]
        found |= stored
        for domain, group in self._looked_up(lookup, asked, now + KEPT).items():
            kept = KEPT if group else UNKNOWN_FOR
            found[domain] = group or MailboxGroup.OTHER
            self._known[domain] = found[domain], now + kept
        self._known |= {domain: (group, now + KEPT) for domain, group in stored.items()}
        for oldest in list(self._known)[: max(0, len(self._known) - MOST_KNOWN)]:
            del self._known[oldest]
        return found

    def _stored(self, domains: Sequence[str]) -> dict[str, MailboxGroup]:
        try:
            return dict(self._store.get(domains))
        except TidepostError as error:  # no mail waits for a table of names
            self.trouble = str(error)
            return {}

    def _looked_up(
        self, lookup: MxLookup, domains: Sequence[str], until: datetime
    ) -> dict[str, MailboxGroup | None]:
        """What each domain's hosts say, None where no answer came; who was not asked is missing.

        The store keeps the answers.
        """

        def look_up(domain: str) -> MailboxGroup:
            group = group_of_hosts(lookup.mx(domain))
            try:
                self._store.put(domain, group, until)
            except TidepostError as error:
                self.trouble = str(error)
            return group

        asked = {self._executor.submit(look_up, domain): domain for domain in domains}
        done, late = wait(asked, timeout=BUDGET_S)
        unasked = {one for one in late if one.cancel()}
        found = {
            domain: None if one in late or one.exception() else one.result()
            for one, domain in asked.items()
            if one not in unasked
        }
        silent = list(found.values()).count(None)
        if silent or unasked:
            errors = sorted({type(e).__name__ for one in done if (e := one.exception())})
            self.trouble = (
                f"of {len(domains)} domains {silent} gave no MX records ({', '.join(errors)}) and"
                f" {len(unasked)} were not asked in {BUDGET_S} s"
            )
        return found
