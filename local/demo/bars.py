"""Live progress of a campaign: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.watching import PROVIDERS, Snapshot

_EVERY_S = 5.0
_ENGAGEMENTS = ("delivered", "opened", "clicked")


class Bars:
    """Shows snapshots."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        names = ["accounted for", *(f"  accepted by {name}" for name in PROVIDERS), *_ENGAGEMENTS]
        self._tasks = {name: progress.add_task(name, total=None) for name in names}
        self._said = 0.0
        self._began = time.monotonic()

    def show(self, now: Snapshot) -> None:
        """The newest state."""
        counts = {"accounted for": (now.accounted, now.recipients)}
        for name in PROVIDERS:
            accepted = now.report["by_provider"].get(name, {}).get("accepted", 0)
            counts[f"  accepted by {name}"] = (accepted, now.recipients)
        for name in _ENGAGEMENTS:
            counts[name] = (now.report[name], now.report["accepted"])
        if self._console.is_terminal:
            for name, (count, total) in counts.items():
                self._progress.update(self._tasks[name], completed=count, total=total or None)
        elif time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            words = ", ".join(f"{name.strip()} {count}" for name, (count, _) in counts.items())
            self._console.print(
                f"  {time.monotonic() - self._began:4.0f} s  of {now.recipients} recipients: "
                f"{words}; {now.on_the_way} events on the way",
                soft_wrap=True,
            )


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
    if not console.is_terminal:
        yield Bars(console, progress)
        return
    with progress:
        yield Bars(console, progress)
