"""TXT records by dnspython."""

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


class DnsTxt:
    """`TxtLookup`. `servers` are `address:port` (`[address]:port` for IPv6); empty: the machine's.

    Raises:
        ConfigurationError: a server is not written so.
    """

    def __init__(self, servers: tuple[str, ...]) -> None:
        self._servers = [_nameserver(server) for server in servers]

    def txt(self, name: str) -> list[str]:
        """As the port says. The strings of one record are joined (RFC 7208, 3.3)."""
        try:
            answer = self._resolver().resolve(name, "TXT", search=False)
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
        return [b"".join(record.strings).decode(errors="replace") for record in answer]

    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = self._servers
        resolver.timeout = TIMEOUT_S
        resolver.lifetime = LIFETIME_S
        return resolver


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
