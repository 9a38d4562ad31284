"""Stops or allows all sending of a stage: `python -m ops.kill_switch --stage dev on --reason ...`.

`on` stops campaigns and transactional messages of every workspace within ten
seconds; nothing is lost, and `off` lets it all go on. Region, profile and
endpoint come from the environment (`AWS_DEFAULT_REGION`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`); the caller needs `lambda:InvokeFunction` on the stage's
jobs function.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3})


class CommandFailed(Exception):
    """The switch may not have been turned; the message says why."""


def kill_switch(client: LambdaClient, stage: str, *, on: bool, reason: str) -> str:
    """Turns the stage's switch; gives `sending is off` or `sending is on`.

    Raises:
        CommandFailed: the function cannot be invoked, or it refused.
    """
    function = f"tidepost-{stage}-jobs"
    command = {"command": "kill_switch", "on": on, "reason": reason}
    try:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(command).encode())
    except (ClientError, BotoCoreError) as error:
        raise CommandFailed(f"{function} could not be invoked: {error}") from error
    result = json.loads(answer["Payload"].read())
    if not isinstance(result, dict):
        result = {}
    if answer.get("FunctionError") or "sending" not in result:
        told = result.get("errorMessage", "its logs say why")
        raise CommandFailed(f"{function} did not turn the switch: {told}")
    return f"sending is {result['sending']}"


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
        client = boto3.client("lambda", config=_CONFIG)
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
