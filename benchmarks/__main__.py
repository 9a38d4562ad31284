"""`python -m benchmarks [NAME ...]`: runs benchmarks, writes their results, shows them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from benchmarks import demo, imports, plan, routing, segments, send
from benchmarks.figures import Figure, show, write

BENCHMARKS: Mapping[str, Callable[[], list[Figure]]] = {
    "send": send.run,
    "plan": plan.run,
    "routing": routing.run,
    "segments": segments.run,
    "import": imports.run,
    "demo": demo.run,
}


def main(names: Sequence[str]) -> int:
    """The exit status: 0 even where a goal is missed, since the table says so; 2 for a bad name."""
    console = Console()
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        console.print(f"there is no benchmark {', '.join(unknown)}; choose of {list(BENCHMARKS)}")
        return 2
    for name in names or BENCHMARKS:
        console.print(f"measuring {name} ...")
        figures = BENCHMARKS[name]()
        path = write(name, figures)
        show(name, figures, console)
        console.print(f"written to {path.relative_to(path.parents[2])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
