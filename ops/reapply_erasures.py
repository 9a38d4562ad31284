"""Erases again whom a restore from backup brought back.

    python -m ops.reapply_erasures --stage prod --since 2026-11-20T00:00:00Z

`--since` is the instant that the tables were restored to. The journal of
erasures is a table of its own (`erasures`) that must not be restored; every
erasure in it since then gets a job again, in all workspaces. Running it twice
does no harm, and whoever has come back since her erasure is left alone. Region,
profile and endpoint come from the environment (`AWS_DEFAULT_REGION`,
`AWS_PROFILE`, `AWS_ENDPOINT_URL`); the caller needs `lambda:InvokeFunction` on
the stage's jobs function.
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

# The function starts up to 500 jobs a call; one that timed out may have started some.
_CONFIG = Config(connect_timeout=5, read_timeout=120, retries={"total_max_attempts": 1})


class CommandFailed(Exception):
    """Not every erasure was started; the message says why. Run it again."""


def reapply(client: LambdaClient, stage: str, since: str) -> int:
    """Starts the erasures since an instant; gives how many.

    Raises:
        CommandFailed: the function cannot be invoked, or it refused.
    """
    function = f"tidepost-{stage}-jobs"
    started = skip = 0
    while True:
        command = {"command": "reapply_erasures", "since": since, "skip": skip}
        try:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(command).encode())
        except (ClientError, BotoCoreError) as error:
            raise CommandFailed(f"{function} could not be invoked: {error}") from error
        result = json.loads(answer["Payload"].read())
        if answer.get("FunctionError") or not isinstance(result, dict) or "started" not in result:
            told = result.get("errorMessage") if isinstance(result, dict) else None
            raise CommandFailed(
                f"{function} stopped after {started} erasures: {told or 'its logs say why'}"
            )
        started += int(result["started"])
        if result["next"] is None:
            return started
        skip = result["next"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 if every erasure was started."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.reapply_erasures",
        description="Erase again whom a restore from backup brought back.",
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument(
        "--since", required=True, help="what was restored to, e.g. 2026-11-20T00:00Z"
    )
    options = parser.parse_args(arguments)
    try:
        client = boto3.client("lambda", config=_CONFIG)
        started = reapply(client, options.stage, options.since)
    except (CommandFailed, BotoCoreError) as error:
        print(f"reapply_erasures: {error}", file=sys.stderr)
        return 1
    print(f"{started} erasures started")
    return 0


if __name__ == "__main__":
    sys.exit(main())
