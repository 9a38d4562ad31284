"""Which chunks a dispatcher had in hand when a fault met it: their recipients may be in doubt."""

from __future__ import annotations

import re
import threading
from collections.abc import Container

Chunk = tuple[str, int]
"""Campaign id and chunk number."""

_PARTITION = re.compile(rb'"ws#ws_[0-9a-v]+#(cmp_[0-9a-v]+)#\d"')
_CHUNK = re.compile(rb'"[CR]#(\d{10})')


class Exposure:
    """Learns from ledger calls what each worker has in hand. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_hand: dict[int, Chunk] = {}
        self._exposed: set[Chunk] = set()

    def saw(self, pid: int | None, body: bytes) -> None:
        """A DynamoDB call of that worker came by."""
        campaign, chunk = _PARTITION.search(body), _CHUNK.search(body)
        if pid is not None and campaign and chunk:
            with self._lock:
                self._in_hand[pid] = (campaign[1].decode(), int(chunk[1]))

    def fault(self, pid: int | None) -> None:
        """A fault met that worker, or one that is not known: then all that are in hand."""
        with self._lock:
            if pid is None:
                self._exposed.update(self._in_hand.values())
            elif pid in self._in_hand:
                self._exposed.add(self._in_hand[pid])

    def exposed(self, alive: Container[int]) -> set[Chunk]:
        """All chunks met by a fault while they were in hand.

        A worker that is gone died with what it had in hand, whoever ended it:
        the emulator does too, at the time-out and where another one failed to start.
        """
        with self._lock:
            died = {chunk for pid, chunk in self._in_hand.items() if pid not in alive}
            return self._exposed | died
