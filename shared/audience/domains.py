"""Well-known mailbox domains, and which of them a mistyped one was meant to be."""

from __future__ import annotations

from functools import lru_cache

_DOMAINS = """
    126.com 163.com aol.com att.net bluewin.ch bol.com.br btinternet.com comcast.net cox.net
    email.com fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
    googlemail.com hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it
    icloud.com interia.pl laposte.net libero.it live.co.uk live.com live.de live.fr live.nl mac.com
    mail.com mail.ru me.com msn.com naver.com o2.pl onet.pl orange.fr outlook.com outlook.de
    outlook.es outlook.fr pm.me proton.me protonmail.com qq.com rediffmail.com sbcglobal.net
    seznam.cz sfr.fr t-online.de terra.com.br tiscali.it tuta.com tutanota.com uol.com.br
    verizon.net virgilio.it wanadoo.fr web.de wp.pl yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk
    yahoo.com yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru ymail.com
    zoho.com
"""

WELL_KNOWN = frozenset(_DOMAINS.split())

_NO_TLD = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "vom": "com",
    "xom": "com", "cim": "com", "nte": "net", "ner": "net", "nett": "net", "ogr": "org",
    "orgg": "org", "dee": "de", "frr": "fr",
}  # fmt: skip
"""Slips of the hand that are no top-level domains (IANA's root zone has none of them)."""

_SHORTEST_NAME = 5
"""Letters before the first dot; shorter names are one slip away from too many real ones."""


@lru_cache(maxsize=10_000)
def meant(domain: str) -> str:
    """The domain that was probably meant, in ASCII; empty if this one looks right.

    It is a well-known one at one edit's distance (a letter more, less or
    another, or two swapped), or the same with a top-level domain that exists.
    """
    if domain in WELL_KNOWN:
        return ""
    name, _, top = domain.rpartition(".")
    if top in _NO_TLD:
        mended = f"{name}.{_NO_TLD[top]}"
        return meant(mended) or mended
    near = [
        known
        for known in _CANDIDATES
        if abs(len(known) - len(domain)) <= 1
        and one_edit_apart(known, domain)
        and not _is_another_country(known, domain)
    ]
    # If several are as near, the one whose name it shares is the likelier.
    return min(near, key=lambda known: (_name(known) != _name(domain), known), default="")


def one_edit_apart(one: str, other: str) -> bool:
    """Whether one edit makes one text of the other: insert, delete, replace, or swap neighbours.

    That is the restricted Damerau-Levenshtein distance of 1: what lies between
    the longest common head and tail tells.
    """
    if one == other:
        return False
    shorter = min(len(one), len(other))
    head = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if one[-1 - i] != other[-1 - i]), rest)
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    if max(len(left), len(right)) <= 1:
        return True
    return len(left) == len(right) == len("ab") and left == right[::-1]


def _is_another_country(known: str, domain: str) -> bool:
    """`yahoo.se` is no slip for `yahoo.de`; Gmail has one domain only, so `gmail.co` is one."""
    name, _, top = domain.rpartition(".")
    return len(top) == len("xx") and name == known.rpartition(".")[0] and name != "gmail"


def _name(domain: str) -> str:
    return domain.partition(".")[0]


_CANDIDATES = tuple(sorted(known for known in WELL_KNOWN if len(_name(known)) >= _SHORTEST_NAME))
