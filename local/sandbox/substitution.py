"""Substituting tags in one pass: a value that looks like a tag stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A rendered subject or body: shared literals with one person's values between them.

    Kept in pieces because 10,000 whole bodies would not fit into memory.
    """

    literals: tuple[str, ...]
    values: tuple[str, ...] = ()

    @classmethod
    def plain(cls, text: str) -> Part:
        """A part in which nothing was substituted."""
        return cls((text,))

    @property
    def text(self) -> str:
        """The part as the recipient gets it."""
        pieces = [self.literals[0]]
        for value, literal in zip(self.values, self.literals[1:], strict=True):
            pieces += (value, literal)
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class Cut:
    """A text cut at its tags."""

    literals: tuple[str, ...]
    tags: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> Part:
        """The part with one person's values.

        Raises:
            KeyError: a tag has no value.
        """
        return Part(self.literals, tuple(values[tag] for tag in self.tags))


def cut_at(text: str, pattern: re.Pattern[str] | None) -> Cut:
    """Cuts a text where the pattern, which has one group (the tag), matches."""
    if pattern is None:
        return Cut((text,), ())
    pieces = pattern.split(text)
    return Cut(tuple(pieces[::2]), tuple(pieces[1::2]))
