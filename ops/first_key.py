"""Makes a workspace and its first API key: `python -m ops.first_key --stage dev --workspace Acme`.

The key is printed once and can never be shown again. Region, profile and
endpoint come from the environment (`AWS_DEFAULT_REGION`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`), as for every AWS tool; the caller needs
`lambda:InvokeFunction` on the stage's jobs function.
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


def first_key(client: LambdaClient, stage: str, workspace: str) -> dict[str, str]:
    """Has the jobs function make a workspace and its first key.

    Returns `{"workspace": <id>, "api_key": <text>}`.

    Raises:
        CommandFailed: the function cannot be invoked, or it refused.
    """
    order = {"command": "first_key", "workspace": workspace}
    made = command(client, stage, order, answers="api_key")
    return {"workspace": made["workspace"], "api_key": made["api_key"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 if a key was made."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.first_key", description="Make a workspace and its first API key."
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument("--workspace", required=True, help="the new workspace's name")
    options = parser.parse_args(arguments)
    try:
        client = boto3.client("lambda", config=CONFIG)
        made = first_key(client, options.stage, options.workspace)
    except (CommandFailed, BotoCoreError) as error:
        print(f"first_key: {error}", file=sys.stderr)
        return 1
    print(f"workspace  {made['workspace']}")
    print(f"API key    {made['api_key']}")
    print("Keep the key now: only its hash is stored, and it cannot be shown again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
