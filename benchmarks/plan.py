"""What planning a campaign takes: time is to be linear and memory flat.

The production PlanStep runs with the production DynamoDB adapters, each size in
a process of its own. Beneath PynamoDB stands a table in the same process that
makes up its members as they are asked for and drops the plans: so these
figures are of our code, without botocore, the network and DynamoDB's own time.

Read units are counted by a counting DynamoDB while the jobs function plans, for
lists and segments, among few people and among more: they depend on no machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.children import child
from benchmarks.figures import Figure

SIZES = (10_000, 100_000, 1_000_000)
FLAT_GOAL, LINEAR_GOAL = 1.1, 1.2
"""Of the largest to the smallest: peak memory, and CPU time a recipient."""

READ_UNITS_GOAL = 1
WITH_ENGAGEMENT = "that segment, with engagement"
"""Two items a person whom the list and her attributes let pass, of half a unit each at the least
(docs/decisions/0020): reported, and not within the goal."""

_TIMEOUT_S = 1800


def run() -> list[Figure]:
    """Time and memory of each size and how they grow, and the read units a recipient.

    Raises:
        subprocess.CalledProcessError: a process failed; why stands on standard error.
    """
    found = [_measure(size) for size in SIZES]
    small, large = found[0], found[-1]
    sizes = {"from": small["recipients"], "to": large["recipients"]}
    a_recipient = [one["cpu_s"] / one["recipients"] for one in (small, large)]
    return [
        *(Figure("plan.seconds_and_mb", one["seconds"], "s", one) for one in found),
        Figure(
            "plan.memory_growth",
            large["peak_mb"] / small["peak_mb"],
            "times",
            {**sizes, "peak_mb": [one["peak_mb"] for one in found]},
            FLAT_GOAL,
        ),
        Figure(
            "plan.time_growth_per_recipient",
            a_recipient[1] / a_recipient[0],
            "times",
            {**sizes, "cpu_us_per_recipient": [round(1e6 * one, 1) for one in a_recipient]},
            LINEAR_GOAL,
        ),
        *reads(others=2_000, fewer=200),
    ]


def _measure(recipients: int) -> dict[str, Any]:
    print(f"  a plan of {recipients:,}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure_plan", str(recipients)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=_TIMEOUT_S,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def reads(*, others: int, fewer: int) -> list[Figure]:
    """The read units of planning each audience, with many and with few people beside it.

    Raises:
        subprocess.CalledProcessError: it failed; why stands on standard error.
    """
    many, few = (_reads(beside) for beside in (others, fewer))
    figures = []
    for name, found in many.items():
        context = {
            "audience": name,
            "recipients": found["recipients"],
            "others": others,
            "by_table": found["units"],
            f"with_{fewer}_others": round(_per_recipient(few[name]), 4),
        }
        goal = None if name == WITH_ENGAGEMENT else READ_UNITS_GOAL
        value = _per_recipient(found)
        figures.append(Figure("plan.read_units_per_recipient", value, "read units", context, goal))
    return figures


def _per_recipient(found: Mapping[str, Any]) -> float:
    return float(sum(found["units"].values()) / found["recipients"])


def _reads(others: int) -> dict[str, Any]:
    with child("benchmarks.cloud") as cloud:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.measure_reads", cloud, str(others)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=_TIMEOUT_S,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
