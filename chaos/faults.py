"""Which faults there are, seeded dice that deal them out, and the tally of those dealt."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from enum import StrEnum


class Fault(StrEnum):
    """What this package does by itself; the sandbox counts what it does to requests."""

    KILLED = "worker_killed"
    """SIGKILL at a random moment."""
    KILLED_BEFORE_CALL = "worker_killed_before_a_call"
    KILLED_AFTER_CALL = "worker_killed_after_a_call"
    """The call was applied; nobody lives to read the answer."""
    THROTTLED = "dynamodb_throttled"
    APPLIED_BUT_ERROR = "dynamodb_applied_but_error"
    APPLIED_BUT_CUT = "dynamodb_applied_but_cut"
    TWICE = "message_twice"
    LATE = "message_out_of_order"
    LOST = "message_lost"
    SHOWN_EARLY = "visibility_passed"
    REFUSED = "connections_refused"
    LOOKED_EARLY = "scheduler_looked_early"


FUNCTIONS = ("dispatcher", "jobs", "scheduler", "webhooks", "aggregator")
"""Whose workers are killed and whose DynamoDB calls fail."""


class Dice:
    """Numbers that depend on the seed, a purpose and a count alone.

    So neither threads nor the machine's speed change what befalls the n-th
    call of a kind; how many calls there are is not the seed's to say.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def roll(self, purpose: str) -> float:
        """The purpose's next number in [0, 1)."""
        with self._lock:
            self._counts[purpose] += 1
            number = self._counts[purpose]
        told = f"{self._seed}\n{purpose}\n{number}".encode()
        return int.from_bytes(hashlib.blake2b(told, digest_size=7).digest(), "big") / 2**56

    def pick(self, purpose: str, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        return int(self.roll(purpose) * count)


class Tally:
    """How many faults were dealt, by kind and by whom they met. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, fault: str, met: str, count: int = 1) -> None:
        """Counts a fault that befell `met`: a function, a queue or a provider."""
        with self._lock:
            self._counts[fault, met] += count

    def counts(self) -> dict[tuple[str, str], int]:
        """By fault and whom it met."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def total(self) -> int:
        """All of them."""
        with self._lock:
            return self._counts.total()
