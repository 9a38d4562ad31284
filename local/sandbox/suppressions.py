"""The ESPs' own suppression lists."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from local.sandbox.behaviour import Behaviour, Provider
from shared.clock import Clock


class Why(StrEnum):
    """Why an address is on a list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    PLACED = "placed"
    """By the account's owner, through the API."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address on a list; `stream` is Postmark's, blank for the others."""

    address: str
    why: Why
    at: datetime
    stream: str = ""


class SuppressionLists:
    """All three lists. Thread-safe.

    The addresses that the behaviour document names are bounces from the start,
    on every stream, until they are taken off.
    """

    def __init__(self, behaviour: Behaviour, clock: Clock) -> None:
        self._behaviour = behaviour
        self._clock = clock
        self._started = clock.now()
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Empties all of them."""
        with self._lock:
            self._entries: dict[tuple[str, str, str], Entry] = {}
            self._taken_off: set[tuple[str, str, str]] = set()

    def put(self, provider: Provider, address: str, why: Why, stream: str = "") -> None:
        """Adds an address; one that is there stays as it is, but for one of ours."""
        key = provider, stream, address.lower()
        with self._lock:
            present = self._entries.get(key)
            if present is None or present.why is Why.PLACED:
                self._entries[key] = Entry(key[2], why, self._clock.now(), stream)

    def take_off(self, provider: Provider, address: str, *whys: Why, stream: str = "") -> bool:
        """Removes an address that is there for one of these reasons; whether it was."""
        key = provider, stream, address.lower()
        with self._lock:
            found = next((e for e in self.entries(provider, stream) if e.address == key[2]), None)
            if found is None or found.why not in whys:
                return False
            self._entries.pop(key, None)
            self._taken_off.add(key)
            return True

    def has(self, provider: Provider, address: str, stream: str = "") -> bool:
        """Whether the ESP will not mail that address."""
        return self.find(provider, address, stream) is not None

    def find(self, provider: Provider, address: str, stream: str = "") -> Entry | None:
        """The address's entry."""
        key = provider, stream, address.lower()
        with self._lock:
            from_start = key[2] in self._behaviour.settings(provider).suppressed
            if from_start and key not in self._taken_off and key not in self._entries:
                return Entry(key[2], Why.BOUNCE, self._started, stream)
            return self._entries.get(key)

    def entries(self, provider: Provider, stream: str = "") -> list[Entry]:
        """A list, oldest first."""
        with self._lock:
            return sorted(self._all(provider, stream), key=lambda entry: (entry.at, entry.address))

    def _all(self, provider: Provider, stream: str) -> Iterator[Entry]:
        for address in self._behaviour.settings(provider).suppressed:
            entry = self.find(provider, address, stream)
            if entry and (provider, stream, address) not in self._entries:
                yield entry
        for key, entry in self._entries.items():
            if key[:2] == (provider, stream):
                yield entry
