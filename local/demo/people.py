"""A made-up CSV of subscribers with all that real ones have: twins, typos, umlauts, gaps.

The same size and seed always give the same file. How many rows of each kind
there are, and what an import must make of them, comes with it.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

HEADER = ("email", "first_name", "last_name", "city", "plan", "orders", "locale", "tags")
_DOMAINS = (
    *(("gmail.com",) * 34), *(("outlook.com",) * 12), *(("hotmail.com",) * 6),
    *(("yahoo.com",) * 9), *(("icloud.com",) * 8), *(("gmx.de",) * 5), *(("web.de",) * 3),
    *(("proton.me",) * 4), *(("acme.example",) * 7), *(("university.example",) * 6),
    *(("smallshop.example",) * 6),
)  # fmt: skip
_FIRST = (
    "Ada", "Alan", "Amélie", "Björn", "Chidi", "Daphne", "Elif", "Fatou", "Grace", "Hedy",
    "Ines", "Jörg", "Katherine", "Linus", "María", "Noor", "Olga", "Paweł", "Quentin", "Radia",
    "Søren", "Tim", "Uma", "Vint", "Wangari", "Xiao", "Yukihiro", "Zoë", "Seán", "Lê",
)  # fmt: skip
_LAST = (
    "Lovelace", "Turing", "Martin", "Lindqvist", "Okafor", "Müller", "Öztürk", "Diop", "Hopper",
    "O'Neil", "García", "Nowak", "Johnson", "Tanaka", "Silva", "Ivanova", "Kowalska", "Perlman",
    "Berners & Lee", "<Script>",
)  # fmt: skip
_CITIES = (
    "London", "Zürich", "Lagos", "São Paulo", "Kyiv", "Łódź", "Dakar", "Kyōto", "Austin, TX",
)  # fmt: skip
_PLANS = ("free", "free", "free", "team", "team", "business")
_LOCALES = ("en-GB", "de-CH", "fr", "pt-BR", "pl", "")
_TAGS = ("vip", "beta", "newsletter;beta", "", "", "")
_IDN_DOMAINS = ("münchen.example", "łódź.example", "café.example", "日本.example")
_IDN_LOCALS = ("jörg", "amélie", "søren", "paweł", "用户", "дмитрий")
_MALFORMED = (
    "no-at-sign.example", "two@@acme.example", "with space@acme.example", "@acme.example",
    "trailing@", "dots..twice@acme.example", "a@b", "Ann Lee <ann@acme.example>",
    "one@acme.example;two@acme.example", "under_score@acme_corp.example", "",
)  # fmt: skip


class Kind(StrEnum):
    """What is special about a row."""

    ORDINARY = "nothing special"
    MISSING = "without a name or city"
    SHORT = "ends early"
    IDN_DOMAIN = "internationalised domain"
    IDN_LOCAL = "internationalised local part"
    TWIN = "the same address again"
    MIXED_CASE = "the same address in other case"
    MALFORMED = "malformed or empty address"
    LONG = "more fields than columns"


class Fate(StrEnum):
    """What an import makes of a row."""

    CREATED = "created"
    DUPLICATE = "duplicates"
    REJECTED = "rejected"


FATES: dict[Kind, Fate] = dict.fromkeys(Kind, Fate.CREATED) | {
    Kind.TWIN: Fate.DUPLICATE,
    Kind.MIXED_CASE: Fate.DUPLICATE,
    Kind.MALFORMED: Fate.REJECTED,
    Kind.LONG: Fate.REJECTED,
}

_PER_MILLE: dict[Kind, int] = {
    Kind.MISSING: 40,
    Kind.SHORT: 10,
    Kind.IDN_DOMAIN: 6,
    Kind.IDN_LOCAL: 4,
    Kind.TWIN: 12,
    Kind.MIXED_CASE: 12,
    Kind.MALFORMED: 18,
    Kind.LONG: 2,
}


@dataclass(frozen=True, slots=True)
class Audience:
    """The file, and how many of its rows are of each kind."""

    content: bytes
    kinds: dict[Kind, int]

    @property
    def rows(self) -> int:
        """How many people the file claims to hold."""
        return sum(self.kinds.values())

    def expected(self, fate: Fate) -> int:
        """How many rows an import must make that of."""
        return sum(count for kind, count in self.kinds.items() if FATES[kind] is fate)


def make_audience(rows: int, seed: int = 20261030) -> Audience:
    """A CSV with that many rows below its header."""
    chance = random.Random(seed)  # noqa: S311 - made-up people need no secrecy
    kinds = [kind for kind, share in _PER_MILLE.items() for _ in range(rows * share // 1000)]
    kinds = [*kinds, *([Kind.ORDINARY] * (rows - len(kinds)))]
    chance.shuffle(kinds)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    known: list[str] = []
    counts: Counter[Kind] = Counter()
    for number, wanted in enumerate(kinds):
        kind = wanted if known or wanted not in (Kind.TWIN, Kind.MIXED_CASE) else Kind.ORDINARY
        counts[kind] += 1
        writer.writerow(_row(kind, number, known, chance))
    return Audience(text.getvalue().encode(), {kind: counts[kind] for kind in Kind})


def _row(kind: Kind, number: int, known: list[str], chance: random.Random) -> Sequence[object]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    email = _address(kind, number, known, chance)
    row = [
        email,
        first,
        last,
        chance.choice(_CITIES),
        chance.choice(_PLANS),
        chance.randrange(40),
        chance.choice(_LOCALES),
        chance.choice(_TAGS),
    ]
    if kind is Kind.MISSING:
        row[1] = row[3] = ""
    if kind is Kind.SHORT:
        return row[:2]
    if kind is Kind.LONG:
        return [*row, "what is this?"]
    if FATES[kind] is Fate.CREATED:
        known.append(email)
    return row


def _address(kind: Kind, number: int, known: list[str], chance: random.Random) -> str:
    if kind is Kind.TWIN:
        return chance.choice(known)
    if kind is Kind.MIXED_CASE:
        return _other_case(chance.choice(known))
    if kind is Kind.MALFORMED:
        return chance.choice(_MALFORMED)
    local, domain = f"person.{number}", chance.choice(_DOMAINS)
    if kind is Kind.IDN_DOMAIN:
        domain = chance.choice(_IDN_DOMAINS)
    if kind is Kind.IDN_LOCAL:
        local = f"{chance.choice(_IDN_LOCALS)}.{number}"
    return f"{local}@{domain}"


def _other_case(address: str) -> str:
    flip: tuple[Callable[[str], str], ...] = (str.upper, str.lower)
    return "".join(flip[place % 2](letter) for place, letter in enumerate(address))
