"""How well the routing chooses, in simulated worlds whose truth is known.

The production code does the choosing: `shared.delivery.choosing`, `health`,
`monitoring`, `breaker`, `quarantine`, `learning`, `rules`, `tokens` and
`rates`. Its constants were tuned on TUNED_ON; the figures are of UNSEEN.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median, quantiles

from benchmarks.figures import Figure
from benchmarks.routing.simulate import Run, simulate

TUNED_ON = range(6)
UNSEEN = range(100, 112)
HOURS = 8.0
LOADS = (600, 60)
"""Messages a minute."""


def run() -> list[Figure]:
    """All figures, of the unseen seeds; some minutes, on all processors."""
    with ProcessPoolExecutor() as pool:
        tasks = {
            load: [pool.submit(simulate, seed, load, HOURS) for seed in UNSEEN] for load in LOADS
        }
        runs = {load: [task.result() for task in own] for load, own in tasks.items()}
    return figures(runs[600], runs[60])


def figures(busy: Sequence[Run], quiet: Sequence[Run]) -> list[Figure]:
    """The figures of runs at 600 and at 60 messages a minute."""
    hard = [seconds for one in busy for seconds in one.hard_failover_s]
    silent = [seconds for one in busy for seconds in one.silent_failover_s]
    outages = {**_context(busy), "load": 600, "in": "simulated seconds"}
    return [
        _gain("routing.oracle_gain_600", busy, 600, 0.90),
        _gain("routing.oracle_gain_60", quiet, 60, 0.80),
        Figure("routing.hard_failover_s", max(hard), "s", {**outages, "outages": len(hard)}, 10),
        Figure(
            "routing.silent_failover_median_s",
            median(silent),
            "s",
            {**outages, "outages": len(silent)},
            60,
        ),
        Figure(
            "routing.silent_failover_p95_s",
            quantiles(silent, n=20, method="inclusive")[-1],
            "s",
            {**outages, "outages": len(silent), "longest": round(max(silent))},
            180,
        ),
        Figure(
            "routing.cap_violations",
            sum(one.cap_violations for one in (*busy, *quiet)),
            "violations",
            {**_context([*busy, *quiet]), "checked": "hour and pace of every grant"},
            0,
        ),
    ]


def _gain(name: str, runs: Sequence[Run], load: int, goal: float) -> Figure:
    static, oracle, ours = (
        sum(getattr(one, policy) for one in runs) for policy in ("static", "oracle", "production")
    )
    messages = len(runs) * HOURS * 60 * load
    context = {
        **_context(runs),
        "load": load,
        "by_seed": [round(one.gain, 3) for one in runs],
        "delivered": {
            "static 40/40/20": round(static / messages, 4),
            "ours": round(ours / messages, 4),
            "oracle": round(oracle / messages, 4),
        },
    }
    gain = (ours - static) / (oracle - static)
    return Figure(name, gain, "of the oracle's gain", context, goal, at_least=True)


def _context(runs: Sequence[Run]) -> dict[str, object]:
    return {
        "seeds": sorted({one.seed for one in runs}),
        "tuned_on": list(TUNED_ON),
        "hours": HOURS,
    }
