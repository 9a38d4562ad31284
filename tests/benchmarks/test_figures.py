"""Results as those who compare runs read them, and the table."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import demo
from benchmarks.figures import Figure, show, write

MISSED = Figure("send.x", 0.5, "units", {"provider": "ses"}, goal=0.4)
REPORTED = Figure("send.y", 7, "requests")


def test_the_file_has_name_and_figures(tmp_path: Path) -> None:
    path = write("send", [MISSED, REPORTED], tmp_path / "results")
    assert path.name == "send.json"
    assert json.loads(path.read_text()) == {
        "name": "send",
        "figures": [
            {"figure": "send.x", "value": 0.5, "unit": "units", "context": {"provider": "ses"}},
            {"figure": "send.y", "value": 7, "unit": "requests", "context": {}},
        ],
    }


def test_the_table_says_what_is_missed() -> None:
    out = io.StringIO()
    show("send", [MISSED, REPORTED], Console(file=out, width=100))
    missed, reported = (line for line in out.getvalue().splitlines() if "send." in line)
    assert "NO" in missed
    assert "0.4" in missed
    assert "NO" not in reported


def test_the_demos_times_become_figures() -> None:
    found = {"recipients": 9_560, "accepted": 9_551, "accounted_s": 61.2, "settled_s": 90.0}
    accounted, settled = demo.figures(found)
    assert (accounted.name, accounted.value, accounted.met) == ("demo.accounted_s", 61.2, True)
    assert (settled.name, settled.goal) == ("demo.settled_s", None)


def test_an_unknown_benchmark_is_named() -> None:
    assert command.main(["sned"]) == 2


def test_some_goals_are_the_least_and_not_the_most() -> None:
    assert Figure("routing.x", 0.9, "of 1", goal=0.9, at_least=True).met
    assert not Figure("routing.x", 0.89, "of 1", goal=0.9, at_least=True).met
    assert Figure("routing.y", 0.89, "s", goal=0.9).met
    assert Figure("routing.z", 1, "s").met
