"""TXT and MX records by dnspython."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from shared.errors import ConfigurationError, DependencyUnavailable

TIMEOUT_S = 2.0
"""For one question to one server."""
LIFETIME_S = 5.0
"""For the whole lookup, retries included."""
MX_LIFETIME_S = 0.5
"""For one question about who takes a domain's mail, which a chunk of mail waits for."""


class DnsTxt:
    """`TxtLookup`. `servers` are `address:port` (`[address]:port` for IPv6); empty: the machine's.

    Raises:
        ConfigurationError: a server is not written so.
    """

    def __init__(self, servers: tuple[str, ...]) -> None:
        self._servers = [_nameserver(server) for server in servers]

    def txt(self, name: str) -> list[str]:
        """As the port says. The strings of one record are joined (RFC 7208, 3.3)."""
        records = _records(self._servers, name, "TXT", TIMEOUT_S, LIFETIME_S)
        return [b"".join(record.strings).decode(errors="replace") for record in records]


class DnsMx:
    """`MxLookup`. `servers` as for `DnsTxt`. Threads may share it.

    Each of the at most three questions about a domain takes `MX_LIFETIME_S` at the most.

    Raises:
        ConfigurationError: a server is not written so.
    """

    def __init__(self, servers: tuple[str, ...]) -> None:
        self._servers = [_nameserver(server) for server in servers]

    def mx(self, domain: str) -> list[str]:
        """As the port says. Addresses are asked for only where there are no MX records."""
        records = self._ask(domain, "MX")
        if not records:
            alone = any(self._ask(domain, kind) for kind in ("A", "AAAA"))
            return [domain.rstrip(".").lower()] if alone else []
        found = sorted((r.preference, r.exchange.to_text()) for r in records)
        hosts = [host.rstrip(".").lower() for _, host in found]
        return [host for host in hosts if host]

    def _ask(self, domain: str, kind: str) -> list[Any]:
        return _records(self._servers, domain, kind, MX_LIFETIME_S, MX_LIFETIME_S)


def _records(
    servers: list[dns.nameserver.Nameserver], name: str, kind: str, timeout: float, lifetime: float
) -> list[Any]:
    """The records of a name, none if it or they do not exist; a search domain is never added."""
    try:
        resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            resolver.nameservers = servers
        resolver.timeout, resolver.lifetime = timeout, lifetime
        return list(resolver.resolve(name, kind, search=False))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
        return []  # no such name can exist
    except dns.resolver.NoResolverConfiguration as error:
        raise ConfigurationError(
            "this machine names no DNS server: set dns_servers in the deployment parameter"
        ) from error
    except dns.exception.DNSException as error:
        raise DependencyUnavailable(
            f"no DNS server answered for {name} ({type(error).__name__}); try again later"
        ) from error


def _nameserver(server: str) -> dns.nameserver.Nameserver:
    try:
        parts = urlsplit(f"//{server}")
        address, port = str(ip_address(parts.hostname or "")), parts.port
    except ValueError:
        port = None
    if not port:
        raise ConfigurationError(
            f"dns_servers: {server!r} is not `address:port`, e.g. `10.0.0.2:53`"
        )
    return dns.nameserver.Do53Nameserver(address, port)
