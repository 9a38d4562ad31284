"""`make demo`: brings a cloud up, sends a campaign, and checks every number."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local.client import Client
from local.cloud import DEFAULT_PLACE, Cloud, interruptible, kept_cloud, running, where_to_look
from local.demo.show import Show
from local.demo.summary import print_result
from local.failure import LocalCloudError
from local.place import Place
from local.sandbox_client import SandboxClient
from local.seed import make_key
from local.steps import Steps
from shared.errors import TidepostError

_ROWS = 10_000
_MOST_ROWS = 30_000
_HOW_TO_KEEP = (
    "To look around: `make local` keeps a cloud up, and `make demo` then runs on it"
    " and says where the API docs and the mailbox are."
)


def main() -> int:
    """0 only if the report agrees with what the sandbox counted."""
    interruptible()
    steps, place = Steps(), DEFAULT_PLACE
    try:
        with place.held():
            return _demo(place, steps, _rows())
    except TidepostError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was left running.", file=sys.stderr)
        return 130


def _demo(place: Place, steps: Steps, rows: int) -> int:
    results = place.folder / "demo.json"
    results.unlink(missing_ok=True)
    with _cloud(place, steps) as (cloud, kept):
        # A workspace and domain of its own, so that a kept cloud can show it any number of times.
        key = make_key(cloud.deployed, "Demo")
        show = Show(
            api=Client(cloud.deployed.api_url, key),
            sandbox=SandboxClient(cloud.sandbox_url),
            steps=steps,
            domain=f"news-{secrets.token_hex(4)}.example",
        )
        result = show.send(show.prepare(rows))
        print_result(steps.console, result)
        results.write_text(json.dumps(result.document(), indent=2) + "\n")
        if problems := show.problems(result):
            steps.say("\nThe sums do NOT agree with what the sandbox counted:")
            for problem in problems:
                steps.say(f"  {problem}")
            return 1
        steps.say("The sums agree with what the ESP sandbox counted itself.")
        if kept:
            where_to_look(steps, cloud)
        else:
            steps.say(_HOW_TO_KEEP)
    return 0


@contextmanager
def _cloud(place: Place, steps: Steps) -> Iterator[tuple[Cloud, bool]]:
    """The cloud that `make local` keeps up, else one for this demo only."""
    if there := kept_cloud(place):
        steps.say("Using the local cloud that is up (`make down` ends it).")
        yield there, True
        return
    with running(place, steps) as cloud:
        yield cloud, False


def _rows() -> int:
    text = os.environ.get("RECIPIENTS", str(_ROWS))
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ROWS:
        raise LocalCloudError(f"RECIPIENTS must be a number from 1 to {_MOST_ROWS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
