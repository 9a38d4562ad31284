"""Keeps calls to an account's management API at a pace that the ESP allows."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most so many calls a second, spaced evenly; for one thread."""

    def __init__(
        self,
        per_second: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 1 / per_second
        self._sleep = sleep
        self._monotonic = monotonic
        self._next = 0.0

    def wait(self) -> None:
        """Returns when the next call may be made."""
        now = self._monotonic()
        if now < self._next:
            self._sleep(self._next - now)
            now = self._next
        self._next = now + self._interval
