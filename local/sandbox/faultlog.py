"""What the sandbox did to requests, for those who count: every fault, and whom it met."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from local.sandbox.behaviour import Provider
from local.sandbox.wire import JsonObject


class FaultLog:
    """Faults in the order they were dealt out. Thread-safe.

    `keys` are the senders' own message ids, or addresses where there are none.
    They are kept for faults that leave the sender in doubt, and for recipients
    refused by name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[JsonObject] = []

    def note(self, provider: Provider, fault: str, keys: Iterable[str] = ()) -> None:
        """One fault."""
        entry: JsonObject = {"provider": provider, "fault": fault, "keys": list(keys)}
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[JsonObject]:
        """All of them: `provider`, `fault` and `keys`."""
        with self._lock:
            return list(self._entries)

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        with self._lock:
            return dict(Counter(entry["fault"] for entry in self._entries))

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._entries.clear()
