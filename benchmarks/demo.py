"""How long the demo's campaign takes on the local cloud of this machine.

Unlike the other figures these are times, and hold for this machine alone.
`make demo` leaves them in `.local/demo.json`; without it, or after a demo with
fewer recipients, the demo is run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

ACCOUNTED_GOAL_S = 180
RECIPIENTS = 9_000
"""The least: the demo's CSV has 10,000 rows, some of them bad on purpose."""

RESULT = Path(__file__).parent.parent / ".local" / "demo.json"

_TIMEOUT_S = 1800


def run() -> list[Figure]:
    """Both figures of the last demo, or of one that is run now.

    Raises:
        subprocess.CalledProcessError: the demo failed; it has said why.
    """
    found = _read()
    if found is None:
        subprocess.run([sys.executable, "-m", "local.demo"], check=True, timeout=_TIMEOUT_S)
        found = json.loads(RESULT.read_text())
    return figures(found)


def figures(found: dict[str, Any]) -> list[Figure]:
    """The figures in the content of demo.json."""
    context = {"recipients": found["recipients"], "accepted": found["accepted"]}
    return [
        Figure("demo.accounted_s", found["accounted_s"], "s", context, ACCOUNTED_GOAL_S),
        Figure("demo.settled_s", found["settled_s"], "s", context),
    ]


def _read() -> dict[str, Any] | None:
    if not RESULT.exists():
        return None
    found: dict[str, Any] = json.loads(RESULT.read_text())
    return found if found["recipients"] >= RECIPIENTS else None
