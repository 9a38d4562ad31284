"""What the suppression lists need from outside: the deployment's own list, and the providers'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.audience.model import SuppressionReason
from shared.paging import Page

EVERYWHERE = "deployment"
"""Stands in the place of a workspace for what concerns all of them."""

FACTS = frozenset({SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT})
"""What a provider saw happen to an address. All else is a wish, and one workspace's affair."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An address on a provider's own list, as that provider writes it."""

    address: str
    reason: SuppressionReason
    at: datetime


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page of a provider's list. An empty `cursor` is the end."""

    entries: tuple[Listed, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """A fact about an address that holds for the whole deployment.

    `id` is the keyed hash of the address under `EVERYWHERE`. `address` is blank
    once a person was erased; the hash goes on to suppress. `found` are the
    providers on whose own list it was, `placed` those on whose list we put it.
    """

    id: str
    address: str
    reason: SuppressionReason
    at: datetime
    source: str
    found: frozenset[str] = frozenset()
    placed: frozenset[str] = frozenset()

    def is_lacking(self, provider: str) -> bool:
        """Whether the provider could be told of it, and is not known to know."""
        return bool(self.address) and provider not in self.found | self.placed


class KnownAddressStore(Protocol):
    """Keeps facts about addresses, and how far each provider's list has been read."""

    def get_many(self, ids: Sequence[str]) -> dict[str, KnownAddress]:
        """Those that are there. May miss what was written within the last second."""
        ...

    def put(self, known: KnownAddress) -> None:
        """Writes, whatever was there; but an address that was forgotten stays forgotten."""
        ...

    def remove(self, known_id: str) -> None:
        """Removes; removing one that is gone changes nothing."""
        ...

    def page(
        self, *, limit: int, cursor: str | None = None, lacking: str = ""
    ) -> Page[KnownAddress]:
        """By shard and id; with `lacking` only what this provider can be told of and lacks.

        Such a page may be short, or empty, and not be the last.
        """
        ...

    def read_until(self, provider: str) -> datetime | None:
        """Up to when the provider's list has been read; None if never."""
        ...

    def set_read_until(self, provider: str, at: datetime) -> None:
        """Notes that all until `at` has been read."""
        ...


class ProviderSuppressions(Protocol):
    """One provider account's own suppression list.

    Every call has a time-out and keeps to the provider's pace. All methods
    raise DependencyUnavailable if the provider does not answer, or asks to
    come later, and ConfigurationError if an operator must act.
    """

    @property
    def most(self) -> int:
        """Addresses that one call of `place` or `take_away` may name."""
        ...

    def pull(self, since: datetime, until: datetime, cursor: str = "") -> Pulled:
        """A page of what was put on the list from `since` to `until`, both included.

        A page may have more than was asked for, and repeat what another had.
        """
        ...

    def place(self, entries: Sequence[KnownAddress]) -> frozenset[str]:
        """Puts addresses on the list; gives the ids of those that it did not take."""
        ...

    def take_away(self, addresses: Sequence[str], *, own: bool) -> None:
        """Takes off what we placed and, with `own`, what the provider put there itself too.

        An address that is not on the list is no error.
        """
        ...


class Workspaces(Protocol):
    """All workspaces of the deployment."""

    def ids(self) -> Iterator[str]:
        """Their ids, ascending; read a page at a time."""
        ...
