"""`python -m chaos [--seed N] [--small]`: a run, its table, and its result as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table

from chaos.judge import RULES
from chaos.run import Result, Run
from chaos.setting import Stagehand
from chaos.sizes import FULL, SMALL, Size
from local.cloud import interruptible, running
from local.place import ROOT, Place
from local.steps import Steps
from shared.errors import TidepostError

RESULTS = ROOT / "benchmarks" / "results"
_DEFAULT_SEED = 20261124
_SHOWN = 5


def perform(place: Place, steps: Steps, size: Size, seed: int) -> Result:
    """Brings a cloud up and has one run on it.

    Raises:
        LocalCloudError: the cloud or the harness could not go on.
    """
    hand = Stagehand(place, size.limits, seed)
    try:
        with (
            place.held(),
            running(place, steps, providers_of=hand.providers, rewire=hand.rewire) as cloud,
        ):
            return Run(hand.scene(cloud), steps, size).run()
    finally:
        hand.stop()


def document(result: Result, seed: int) -> dict[str, Any]:
    """The content of chaos.json: figures as the benchmarks write them, and the faults by kind."""
    broken = Counter(one.rule for one in result.violations)
    values = {
        "chaos.faults": result.total,
        "chaos.campaigns": len(result.evidence.states),
        "chaos.recipients": len(result.evidence.recipients),
        "chaos.mails": len(result.evidence.mails),
        "chaos.departures": len(result.evidence.departures),
        "chaos.ever_in_doubt": len(result.evidence.doubted),
        "chaos.most_in_doubt": result.most_in_doubt,
        "chaos.dead_letters_redriven": result.redriven,
        "chaos.storm_s": round(result.storm_s, 1),
        "chaos.settled_s": round(result.settled_s, 1),
        **{f"chaos.violations.{rule}": broken[rule] for rule in RULES},
    }
    figures = [
        {"figure": name, "value": value, "unit": "s" if name.endswith("_s") else "1",
         "context": {"seed": seed}}
        for name, value in values.items()
    ]  # fmt: skip
    faults = [
        {"fault": fault, "met": met, "count": count}
        for (fault, met), count in result.faults.items()
    ]
    return {"name": "chaos", "seed": seed, "figures": figures, "faults": faults}


def show(steps: Steps, result: Result) -> None:
    """The tables at the end."""
    table = Table(title=f"{result.total} faults", title_justify="left")
    for heading in ("fault", "met", "times"):
        table.add_column(heading, justify="right" if heading == "times" else "left")
    for (fault, met), count in result.faults.items():
        table.add_row(fault, met, str(count))
    steps.console.print(table)
    states = Counter(one.state for one in result.evidence.recipients)
    steps.say(f"Recipients: {', '.join(f'{n} {word}' for word, n in sorted(states.items()))}")
    steps.say(f"Operators: {', '.join(f'{n} x {word}' for word, n in result.operators.items())}")
    broken = Counter(one.rule for one in result.violations)
    judgement = Table(title="The judgement", title_justify="left")
    judgement.add_column("promise broken")
    judgement.add_column("times", justify="right")
    for rule in RULES:
        judgement.add_row(rule, str(broken[rule]))
    steps.console.print(judgement)
    for rule in RULES:
        for one in [v for v in result.violations if v.rule == rule][:_SHOWN]:
            steps.say(f"  {rule}: {one.detail}")
    for trouble in sorted(set(result.trouble))[:_SHOWN]:
        steps.say(f"  the harness: {trouble}")


def main(arguments: list[str] | None = None) -> int:
    """0 if every promise was kept; 1 if not, or if there were too few faults."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=_DEFAULT_SEED)
    parser.add_argument("--small", action="store_true", help="the size of the test suite's run")
    parser.add_argument("--out", type=Path, default=RESULTS / "chaos.json")
    options = parser.parse_args(arguments)
    interruptible()
    steps, size = Steps(), SMALL if options.small else FULL
    steps.say(f"Seed {options.seed}")
    try:
        result = perform(Place(ROOT / ".local" / "chaos"), steps, size, options.seed)
    except TidepostError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was left running.", file=sys.stderr)
        return 130
    show(steps, result)
    if not options.small:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document(result, options.seed), indent=2) + "\n")
        steps.say(f"Written to {options.out}")
    lacking = size.lacking(result.faults)
    for one in lacking:
        steps.say(f"[red]There were {one}.[/red]")
    return int(bool(result.violations or lacking))


if __name__ == "__main__":
    sys.exit(main())
