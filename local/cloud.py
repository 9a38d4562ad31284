"""The local cloud in one command: `python -m local.cloud up`, `down`.

It is what AWS would be and what three ESPs would be: the emulator with the very
stack that AWS runs, and the ESP sandbox. Each start is from nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from local import processes
from local.deploy import Deployed, bootstrap, deploy
from local.place import ROOT, Place
from local.processes import Leader
from local.providers import read_providers, sandbox_providers, write_providers
from local.seed import make_key, operate
from local.servers import SandboxServer, start_emulator, start_sandbox
from local.steps import Steps
from local.warm import warm_up
from shared.errors import TidepostError

WORKSPACE = "Local"
DEFAULT_PLACE = Place(ROOT / ".local")


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud that is up."""

    deployed: Deployed
    sandbox_url: str
    api_key: str

    def endpoints(self) -> dict[str, str]:
        """The content of endpoints.json."""
        return {
            "api_url": self.deployed.api_url,
            "webhooks_url": self.deployed.webhooks_url,
            "public_url": self.deployed.public_url,
            "sandbox_url": self.sandbox_url,
            "api_key": self.api_key,
            "aws_url": self.deployed.aws_url,
        }


@contextmanager
def running(
    place: Place,
    steps: Steps,
    *,
    providers: Path | None = None,
    providers_of: Callable[[SandboxServer], dict[str, Any]] = sandbox_providers,
    rewire: Callable[[Deployed], None] | None = None,
    keep: bool = False,
    auth: bool = False,
) -> Iterator[Cloud]:
    """Brings the cloud up; ends it on the way out, unless all went well and it is to be kept.

    The caller holds the place. What a crash left there is ended first. Without a file of
    `providers`, `providers_of` makes the document. `rewire` may change what was deployed
    before the functions start.

    Raises:
        LocalCloudError: something is missing or failed; says what and what to do.
    """
    end_leftovers(place)
    leaders: list[Leader] = []
    kept = False
    try:
        with steps.step("Starting the AWS emulator and the ESP sandbox"):
            emulator = start_emulator(place, auth=auth)
            _note(place, leaders, emulator.leader)
            sandbox = start_sandbox(place)
            _note(place, leaders, sandbox.leader)
        path = providers or write_providers(place.providers, providers_of(sandbox))
        accounts = read_providers(path)
        with steps.step("Preparing the account (cdk bootstrap)"):
            bootstrap(place, emulator)
        with steps.step("Deploying the stack (cdk deploy, stage local)"):
            deployed = deploy(place, emulator, path.resolve(), auth=auth)
        with steps.step("Setting secrets, URLs and webhooks, making the first API key"):
            operate(deployed, accounts, sandbox)
            cloud = Cloud(deployed, sandbox.url, make_key(deployed, WORKSPACE))
        if rewire:
            rewire(deployed)
        with steps.step("Starting the functions"):
            warm_up(deployed)
        _save(place, leaders, deployed=deployed, sandbox_url=sandbox.url)
        place.endpoints.touch(mode=0o600)
        place.endpoints.write_text(json.dumps(cloud.endpoints(), indent=2) + "\n")
        yield cloud
        kept = keep
    finally:
        if not kept:
            with _undisturbed(), steps.step("Ending what was started"):
                _end(place, leaders)


def kept_cloud(place: Place) -> Cloud | None:
    """The cloud that `up` left running here, if it still does."""
    try:
        record = json.loads(place.record.read_text())
        endpoints = json.loads(place.endpoints.read_text())
        leaders = [Leader(**one) for one in record["processes"]]
        deployed = Deployed(record["aws_url"], record["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all(leader.alive() for leader in leaders):
        return None
    return Cloud(deployed, endpoints["sandbox_url"], endpoints["api_key"])


def end_leftovers(place: Place) -> int:
    """Ends what the record names; how many processes still ran."""
    try:
        leaders = [Leader(**one) for one in json.loads(place.record.read_text())["processes"]]
    except (OSError, ValueError, KeyError, TypeError):
        leaders = []
    alive = sum(leader.alive() for leader in leaders)
    _end(place, leaders)
    return alive


def up(place: Place, steps: Steps, providers: Path | None) -> None:
    """Brings the cloud up and leaves it up; one that was up is ended first."""
    if kept_cloud(place):
        steps.say("The local cloud was up already; it starts again from nothing.")
    with running(place, steps, providers=providers, keep=True) as cloud:
        where_to_look(steps, cloud)
    steps.say(
        f"The local cloud is up. {place.endpoints} has its endpoints and an API key;"
        " `make down` ends it."
    )


def where_to_look(steps: Steps, cloud: Cloud) -> None:
    """What of a cloud that is up can be opened in a browser."""
    steps.say(f"API docs  {cloud.deployed.api_url}/docs")
    steps.say(f"Mailbox   {cloud.sandbox_url}/mailbox")


def interruptible() -> None:
    """Makes SIGTERM and SIGHUP end this process as Ctrl-C does: by way of every `finally`."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 if it went well."""
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--providers", type=Path, help="deploy with this providers.json")
    options = parser.parse_args(arguments)
    interruptible()
    steps, place = Steps(), DEFAULT_PLACE
    try:
        with place.held():
            if options.command == "up":
                up(place, steps, options.providers)
            else:
                with steps.step("Ending what was started"):
                    ended = end_leftovers(place)
                steps.say("The local cloud is down." if ended else "No local cloud was up.")
    except TidepostError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was left running.", file=sys.stderr)
        return 130
    return 0


def _note(place: Place, leaders: list[Leader], leader: Leader) -> None:
    leaders.append(leader)
    _save(place, leaders)


def _save(
    place: Place,
    leaders: list[Leader],
    *,
    deployed: Deployed | None = None,
    sandbox_url: str = "",
) -> None:
    record: dict[str, object] = {"processes": [leader.to_json() for leader in leaders]}
    if deployed:
        record |= {"aws_url": deployed.aws_url, "outputs": deployed.outputs}
        record["sandbox_url"] = sandbox_url
    place.record.write_text(json.dumps(record, indent=2) + "\n")


def _end(place: Place, leaders: list[Leader]) -> None:
    place.endpoints.unlink(missing_ok=True)
    for leader in reversed(leaders):
        processes.end(leader)
    place.record.unlink(missing_ok=True)
    place.remove_scratch()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Lets no second Ctrl-C stop the tidying up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {}
    with contextlib.suppress(ValueError):  # not the main thread: no signal arrives here
        before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
