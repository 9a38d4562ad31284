"""Addresses: what counts as one, and the one form in which each is stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from email_validator import EmailSyntaxError, ValidatedEmail, validate_email

from shared.errors import FieldProblem, InvalidInput

MAX_LENGTH = 254
"""Octets of a whole address (RFC 5321, errata 1690)."""

MAX_LOCAL = 64
"""Octets before the @ (RFC 5321, 4.5.3.1.1)."""

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_SIMPLE = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[a-z0-9.-]+)", re.ASCII)
"""What nearly all addresses look like: a dot-atom (RFC 5322, 3.2.3) at an ASCII domain."""


def normalise(text: str) -> str:
    """The stored form: local part in lower case and NFC, domain as lower-case IDNA ASCII.

    A person's id is a hash of this form, so two ways of writing one address
    must give the same text. Domains do not depend on case, and `münchen.de` is
    `xn--mnchen-3ya.de`. RFC 5321 would let a host tell `Ann@` from `ann@`. No
    mailbox provider in use does, while people and their tools write both, and
    taking them for two people would mail one person twice and miss her
    unsubscribe. Spaces around the address are dropped; dots and `+tags` are
    kept, since only some providers ignore them.

    Raises:
        InvalidInput: it is no single address. The reason is one of a fixed set,
            so that an import can count it, and does not repeat the address.
    """
    plain = text.strip(" \t\u00a0")
    if simple := _SIMPLE.fullmatch(plain.lower()):
        local, domain = simple["local"], _ascii_domain(simple["domain"])
        if domain and len(local) <= MAX_LOCAL and len(local) + len(domain) < MAX_LENGTH:
            return f"{local}@{domain}"
    problem = _problem(plain)
    if problem:
        raise InvalidInput(FieldProblem("email", problem))
    local, _, domain = plain.lower().rpartition("@")
    try:
        valid = _validate(f"{local}@{domain}")
    except EmailSyntaxError as error:
        raise InvalidInput(FieldProblem("email", _side(domain))) from error
    return f"{valid.local_part}@{valid.ascii_domain}"


@lru_cache(maxsize=50_000)
def _ascii_domain(domain: str) -> str:
    """A domain in its stored form; empty if it is none, or one that the grammar looks at closer.

    Files have few domains and many people, and a domain is most of the work.
    """
    try:
        return _validate(f"a@{domain}").ascii_domain
    except EmailSyntaxError:
        return ""


def _problem(text: str) -> str:
    """What can be seen without the grammar; empty if nothing."""
    return next((reason for is_wrong, reason in _PLAIN_FAULTS if is_wrong(text)), "")


def _side(domain: str) -> str:
    """Which side of the @ is wrong, found by putting a good one on the other."""
    try:
        _validate(f"a@{domain}")
    except EmailSyntaxError:
        return "the part after the @ is not a domain that mail can be sent to"
    return "the part before the @ is not valid"


def _validate(text: str) -> ValidatedEmail:
    return validate_email(text, check_deliverability=False, strict=True)


_BRACKETS, _SEPARATORS = frozenset('<>"'), frozenset(",;")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_PLAIN_FAULTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: not text, "is empty"),
    (
        lambda text: any(unicodedata.category(character) in _UNSEEN for character in text),
        "has a line break, a control character or an invisible one",
    ),
    (
        lambda text: not _BRACKETS.isdisjoint(text),
        "must be the bare address, without a name, quotes or angle brackets",
    ),
    (
        lambda text: text.count("@") > 1 or not _SEPARATORS.isdisjoint(text),
        "must be one address; this looks like several",
    ),
    (lambda text: "@" not in text, "has no @"),
    (lambda text: any(character.isspace() for character in text), "has a space in it"),
    (lambda text: len(text.encode()) > MAX_LENGTH, f"is longer than {MAX_LENGTH} characters"),
)
