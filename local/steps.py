"""Says what is going on: one line a step, and never a silent minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_EVERY_S = 15.0


class Steps:
    """Prints steps as they begin and end. Without a terminal, also that one is still at it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; how long it took is said at its end."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{title} ..."):
                yield
        else:
            self.say(f"  {title} ...")
            with self._heartbeat(title, began):
                yield
        self.say(f"  [green]{title}: {time.monotonic() - began:.1f} s[/green]")

    def say(self, text: str) -> None:
        """A line between steps."""
        self.console.print(text, soft_wrap=True)

    @contextmanager
    def _heartbeat(self, title: str, began: float) -> Iterator[None]:
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_EVERY_S):
                self.say(f"  {title}: still at it, {time.monotonic() - began:.0f} s")

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
