"""Stops or allows all sending of a stage: `python -m ops.kill_switch --stage dev on --reason ...`.

`on` stops campaigns and transactional messages of every workspace within ten
seconds; nothing is lost, and `off` lets it all go on. Region, profile and
endpoint come from the environment (`AWS_DEFAULT_REGION`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`); the caller needs `lambda:InvokeFunction` on the stage's
jobs function.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError

from ops.jobs_function import CONFIG, CommandFailed, command

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def kill_switch(client: LambdaClient, stage: str, *, on: bool, reason: str) -> str:
    """Turns the stage's switch; gives `sending is off` or `sending is on`.

    Raises:
        CommandFailed: the function cannot be invoked, or it refused.
    """
    order = {"command": "kill_switch", "on": on, "reason": reason}
    return f"sending is {command(client, stage, order, answers='sending')['sending']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 if the switch was turned."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.kill_switch", description="Stop or allow all sending of a stage."
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument("switch", choices=["on", "off"], help="on: nothing is sent any more")
    parser.add_argument("--reason", default="", help="why; needed for on, shown in the API")
    options = parser.parse_args(arguments)
    try:
        client = boto3.client("lambda", config=CONFIG)
        turned = kill_switch(
            client, options.stage, on=options.switch == "on", reason=options.reason
        )
    except (CommandFailed, BotoCoreError) as error:
        print(f"kill_switch: {error}", file=sys.stderr)
        return 1
    print(turned)
    return 0


if __name__ == "__main__":
    sys.exit(main())
