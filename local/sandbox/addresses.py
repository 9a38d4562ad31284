"""Which addresses the ESPs take, and how `Name <address>` is read."""

from __future__ import annotations

import re
from email.header import decode_header, make_header

_ATOM = r"[^\s@<>()\[\],:;\\\"\x00-\x1f\x7f]+"
_LOCAL = re.compile(rf"(?!\.)(?!.*\.\.)(?!.*\.$){_ATOM}")
_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_NAMED = re.compile(r"\s*(.*?)\s*<([^<>]*)>\s*", re.DOTALL)
_BETWEEN = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
_MAX_LOCAL = 64  # RFC 5321, 4.5.3.1.1
_MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3 less the angle brackets


def is_valid(address: object, *, ascii_only: bool = False) -> bool:
    """Whether an ESP would take the address.

    `ascii_only` is Amazon SES's rule; the others take internationalised ones
    (RFC 6531). Quoted local parts and address literals are refused by all.
    """
    if not isinstance(address, str) or len(address) > _MAX_ADDRESS:
        return False
    if ascii_only and not address.isascii():
        return False
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    return (
        at == "@"
        and len(local) <= _MAX_LOCAL
        and _LOCAL.fullmatch(local) is not None
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) and "_" not in label for label in labels)
        and not labels[-1].isdigit()
    )


def domain_of(address: str) -> str:
    """The domain in lower case."""
    return address.rpartition("@")[2].lower()


def parse_one(text: str) -> tuple[str, str]:
    """`Name <address>` or a bare address as (name, address); RFC 2047 names are decoded."""
    match = _NAMED.fullmatch(text)
    if match is None:
        return "", text.strip()
    name = match[1].strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return str(make_header(decode_header(name))), match[2].strip()


def parse_list(text: str) -> list[tuple[str, str]]:
    """A comma separated list of addresses; commas inside quotes do not count."""
    return [parse_one(part) for part in _BETWEEN.split(text) if part.strip()]


def shown(name: str, address: str) -> str:
    """`Name <address>`, or the bare address without a name."""
    return f"{name} <{address}>" if name else address
