"""Live progress of a campaign: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.watching import PROVIDERS, Snapshot

_EVERY_S = 5.0
_ENGAGEMENTS = ("delivered", "opened", "clicked")
_SILENCE = "waiting for a first look"


class Bars:
    """Shows snapshots. Lines come from a thread, so they go on while a look is under way."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        names = ["accounted for", *(f"  accepted by {name}" for name in PROVIDERS), *_ENGAGEMENTS]
        self._tasks = {name: progress.add_task(name, total=None) for name in names}
        self._line = _SILENCE
        self._began = time.monotonic()
        self._over = threading.Event()

    def show(self, now: Snapshot) -> None:
        """The newest state."""
        counts = {"accounted for": (now.accounted, now.recipients)}
        for name in PROVIDERS:
            accepted = now.report["by_provider"].get(name, {}).get("accepted", 0)
            counts[f"  accepted by {name}"] = (accepted, now.recipients)
        for name in _ENGAGEMENTS:
            counts[name] = (now.report[name], now.report["accepted"])
        for name, (count, total) in counts.items():
            self._progress.update(self._tasks[name], completed=count, total=total or None)
        words = ", ".join(f"{name.strip()} {count}" for name, (count, _) in counts.items())
        self._line = f"{now.recipients} recipients: {words}; {now.on_the_way} events on the way"

    def print_lines(self) -> None:
        """Prints where it stands every few seconds until `end`."""
        while not self._over.wait(_EVERY_S):
            passed = time.monotonic() - self._began
            self._console.print(f"  {passed:4.0f} s  {self._line}", soft_wrap=True)

    def end(self) -> None:
        """Ends `print_lines`."""
        self._over.set()


@contextmanager
def bars(console: Console) -> Iterator[Bars]:
    """Bars that stay on the screen when they are done."""
    progress = Progress(
        TextColumn("  {task.description:24}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    shown = Bars(console, progress)
    if console.is_terminal:
        with progress:
            yield shown
        return
    thread = threading.Thread(target=shown.print_lines, name="progress", daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        shown.end()
        thread.join()
