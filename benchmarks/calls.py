"""Counts function calls exactly: the same on every machine and, but for a few, on every run.

And connections: each one that a program opens is a handshake where there is TLS.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_CALLS = frozenset({"call", "c_call"})


class CallCounter:
    """Counts the calls of Python and C functions in all threads.

    Make it before any thread that is to be counted starts: a thread's profile
    function can only be set from within or at its start (Python 3.11).
    """

    def __init__(self) -> None:
        self._calls = 0
        self._counting = False
        threading.setprofile(self._profile)

    def _profile(self, _frame: FrameType, event: str, _arg: object) -> None:
        if self._counting and event in _CALLS:
            self._calls += 1

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Counts within the block; the list holds the number after it."""
        result: list[int] = []
        self._calls, self._counting = 0, True
        sys.setprofile(self._profile)
        try:
            yield result
        finally:
            sys.setprofile(None)
            self._counting = False
            result.append(self._calls)


class ConnectionCounter:
    """Counts the connections that this process opens, whoever does it; it can never be ended."""

    def __init__(self) -> None:
        self.opened = 0
        sys.addaudithook(self._heard)

    def _heard(self, event: str, _arguments: object) -> None:
        if event == "socket.connect":
            self.opened += 1
