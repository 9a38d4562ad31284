"""Figures, their goals, and how they are written and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `goal` is the most it should be, or with `at_least` the least.

    Without a goal it is only reported.
    """

    name: str
    value: float
    unit: str
    context: Mapping[str, Any] = field(default_factory=dict)
    goal: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is met; True if there is none."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def write(name: str, figures: Sequence[Figure], folder: Path = RESULTS) -> Path:
    """Writes `NAME.json` for those who compare runs: figure, value, unit and context of each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    entries = [
        {"figure": one.name, "value": one.value, "unit": one.unit, "context": dict(one.context)}
        for one in figures
    ]
    text = json.dumps({"name": name, "figures": entries}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def show(name: str, figures: Sequence[Figure], console: Console) -> None:
    """A table of the figures beside their goals."""
    table = Table(title=name, title_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("of")
    for heading in ("value", "goal"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    table.add_column("met")
    for one in figures:
        table.add_row(
            one.name,
            str(one.context.get("provider") or one.context.get("audience", "")),
            f"{one.value:,.4g}",
            "" if one.goal is None else f"{one.goal:,.4g}",
            one.unit,
            "" if one.goal is None else "yes" if one.met else "NO",
        )
    console.print(table)
