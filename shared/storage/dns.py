"""TXT and MX records by dnspython."""

from __future__ import annotations

from ipaddress import ip_address
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


class _Dns:
    """Questions to `servers`: `address:port` (`[address]:port` for IPv6); none: the machine's.

    Raises:
        ConfigurationError: a server is not written so.
    """

    def __init__(self, servers: tuple[str, ...]) -> None:
        self._servers = [_nameserver(server) for server in servers]

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """The answer; None if the name has no such record, or cannot exist."""
        try:
            return self._resolver().resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return None
        except dns.resolver.NoResolverConfiguration as error:
            raise ConfigurationError(
                "this machine names no DNS server: set dns_servers in the deployment parameter"
            ) from error
        except dns.exception.DNSException as error:
            raise DependencyUnavailable(
                f"no DNS server answered for {name} ({type(error).__name__}); try again later"
            ) from error

    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = self._servers
        resolver.timeout = TIMEOUT_S
        resolver.lifetime = LIFETIME_S
        return resolver


class DnsTxt(_Dns):
    """`TxtLookup`."""

    def txt(self, name: str) -> list[str]:
        """As the port says. The strings of one record are joined (RFC 7208, 3.3)."""
        answer = self._ask(name, "TXT")
        return [b"".join(record.strings).decode(errors="replace") for record in answer or ()]


class DnsMx(_Dns):
    """`MxLookup`."""

    def takes_mail(self, domain: str) -> bool:
        """As the port says: a null MX takes none, and without MX the address records count."""
        answer = self._ask(domain, "MX")
        if answer is not None:
            return any(record.exchange != dns.name.root for record in answer)
        return any(self._ask(domain, kind) is not None for kind in ("A", "AAAA"))


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
