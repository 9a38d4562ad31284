"""What importing people costs: CPU, write units, and how time and memory grow with the file.

The units do not depend on the machine. CPU and seconds do; what counts of them
is that ten times the rows take ten times as long, in the same memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import Figure

SIZES = (10_000, 100_000, 1_000_000)
TYPICAL_BYTES = 60
"""Of attributes: a name, a city and a note."""
KILOBYTE_BYTES = 540
"""Of attributes, which makes an item of just below 1 KB of a person."""

WRITE_UNITS_GOAL = 2.2
_TIMEOUT_S = 3600


def run() -> list[Figure]:
    """All figures."""
    return [counted(SIZES[0]), *growing(SIZES)]


def counted(rows: int) -> Figure:
    """Write units per row: people of 1 KB onto one list, the job's own record included."""
    print(f"  {rows} rows of 1 KB, counted", flush=True)
    found = _measure(rows, KILOBYTE_BYTES)
    context = {
        "rows": rows,
        "item_bytes": found["largest_bytes"]["subscribers"],
        "by_table": found["write_units"],
        "read_units": found["read_units"],
    }
    units = sum(found["write_units"].values()) / rows
    name = "import.write_units_per_row"
    return Figure(name, units, "write units", context, WRITE_UNITS_GOAL)


def growing(sizes: tuple[int, ...]) -> list[Figure]:
    """Time and memory at each size, and the CPU of the largest."""
    figures, found = [], {}
    for rows in sizes:
        print(f"  {rows} rows, gzip", flush=True)
        found = _measure(rows, TYPICAL_BYTES)
        context = {
            "rows": rows,
            "cpu_s": round(found["cpu_s"], 2),
            "peak_mb": round(found["peak_mb"], 1),
            "before_mb": round(found["base_mb"], 1),
            "steps": found["steps"],
            "packed_bytes": found["packed_bytes"],
        }
        figures.append(Figure("import.seconds_and_mb", found["seconds"], "s", context))
    rate = found["rows"] / found["cpu_s"]
    context = {"rows": found["rows"], "without": "HTTP, TLS and signatures"}
    return [Figure("import.rows_per_cpu_s", rate, "rows", context), *figures]


def _measure(rows: int, attribute_bytes: int) -> dict[str, Any]:
    """Runs `benchmarks.measure_import`.

    Raises:
        subprocess.CalledProcessError: it failed; why stands on standard error.
    """
    arguments = json.dumps({"rows": rows, "attribute_bytes": attribute_bytes})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure_import", arguments],
        stdout=subprocess.PIPE,
        check=True,
        timeout=_TIMEOUT_S,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
