"""What recipients read on our pages and in our mail, in every language there is a file for.

A language is one JSON file in `locales/`, all with the same keys. `{list}` in a
text stands for a list's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson

DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's texts by key. `version` names this very wording, for records of consent."""

    language: str
    by_key: Mapping[str, str]
    version: str

    def __getitem__(self, key: str) -> str:
        return self.by_key[key]


Languages = Mapping[str, Texts]
"""Texts by language, such as `de`."""


@cache
def read_languages() -> Languages:
    """All languages, as the package ships them."""
    found = {}
    for file in files("shared.audience").joinpath("locales").iterdir():
        language, _, suffix = file.name.rpartition(".")
        if suffix == "json":
            raw = file.read_bytes()
            digest = hashlib.sha256(raw).hexdigest()[:12]
            found[language] = Texts(language, orjson.loads(raw), f"{language}-{digest}")
    return dict(sorted(found.items()))


def language_of(languages: Languages, *wishes: str) -> str:
    """The first of the wished locales, such as `de-AT`, whose language there is; else English."""
    for wish in wishes:
        language = wish.partition("-")[0].strip().lower()
        if language in languages:
            return language
    return DEFAULT


def accepted(header: str) -> list[str]:
    """The locales of an `Accept-Language` header (RFC 9110, section 12.5.4), best first."""
    found = []
    for item in header[:_MAX_HEADER].split(","):
        locale, _, parameter = item.partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            quality = float(weight) if name == "q" else 1.0
        except ValueError:
            continue
        if quality > 0:
            found.append((quality, locale.strip()))
    return [locale for _, locale in sorted(found, key=lambda one: -one[0])]


_MAX_HEADER = 1000
