"""How often somebody is asked to confirm, and how often one source may sign people up.

Anybody can enter anybody's address in a form. So the mails that one person
gets are bounded whatever is asked, and a mail that was just sent stands for
whatever asks again.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.ids import LinkKeys

SAME_WITHIN = timedelta(minutes=10)
"""Asked again for the same list within this time, it is the same mail."""

MAX_MAILS = 5
"""Mails that one person gets within `COUNTED_FOR`, of all lists of a workspace."""

COUNTED_FOR = timedelta(hours=24)

MAX_ATTEMPTS = 10
"""Sign-ups that one source address may make in a minute."""

MAX_OF_PROXY = 300
"""Sign-ups in a minute from all whom one address speaks for."""

_NETWORK_BITS = 64
"""Of an IPv6 address: what one customer is given (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One confirmation mail: for which list, when (whole seconds), and in which language."""

    list_id: str
    at: datetime
    language: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The confirmation mails that a person was sent lately, oldest first."""

    workspace: str
    subscriber: str
    mails: tuple[Mail, ...] = ()
    version: int = 0

    def recent(self, list_id: str, now: datetime) -> Mail | None:
        """The mail that stands for one asked for now, if there is one."""
        mails = (mail for mail in self.mails if mail.list_id == list_id)
        return next((mail for mail in mails if now - mail.at < SAME_WITHIN), None)

    def with_mail(self, mail: Mail) -> Asked | None:
        """With one more mail; None if she has had enough."""
        counted = tuple(one for one in self.mails if mail.at - one.at < COUNTED_FOR)
        if len(counted) >= MAX_MAILS:
            return None
        return replace(self, mails=(*counted, mail))


class AskedStore(Protocol):
    """Keeps what people were asked lately. Nothing in it is kept for long."""

    def get(self, workspace: str, subscriber_id: str) -> Asked:
        """A consistent read; empty with version 0 if there is nothing."""
        ...

    def save(self, asked: Asked) -> Asked:
        """Writes under its version (0: there is nothing yet). Raises StaleWrite."""
        ...


class AttemptCounter(Protocol):
    """Counts the sign-ups of a source."""

    def count(self, source: str, minute: datetime) -> int:
        """Adds one to a source's counter of that minute; returns the count with it."""
        ...


class SourceLimit:
    """Bounds the sign-ups of a source address, of which only a fingerprint is kept."""

    def __init__(self, attempts: AttemptCounter, keys: LinkKeys, clock: Clock) -> None:
        self._attempts = attempts
        self._keys = keys
        self._clock = clock

    def admits(self, client: str, peer: str) -> bool:
        """Counts one sign-up, and says whether it may go on.

        `client` is the address that it is said to come from, and `peer` the one
        that connected. They differ behind a proxy, and whoever gets past the
        proxy can name any client: so the peer is bounded too.
        """
        minute = self._clock.now().replace(second=0, microsecond=0)
        if client != peer and self._count(f"proxy {peer}", minute) > MAX_OF_PROXY:
            return False
        return self._count(_network(client), minute) <= MAX_ATTEMPTS

    def _count(self, source: str, minute: datetime) -> int:
        return self._attempts.count(self._keys.fingerprint(source), minute)


def _network(address: str) -> str:
    """The address or, of IPv6, its network: within it one can have any number of addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004  # the protocol's name
        return str(parsed)
    return str(ipaddress.ip_network((parsed.packed, _NETWORK_BITS), strict=False))
