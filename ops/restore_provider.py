"""Takes a provider into service again: `python -m ops.restore_provider --stage dev sendgrid`.

For a provider that was taken out since its account was paused or refused our
credentials, once that is in order. A probe goes to it first; the rest follows
if that goes well. `GET /v1/providers` says how the providers are. Region,
profile and endpoint come from the environment (`AWS_DEFAULT_REGION`,
`AWS_PROFILE`, `AWS_ENDPOINT_URL`); the caller needs `lambda:InvokeFunction` on
the stage's jobs function.
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


def restore_provider(client: LambdaClient, stage: str, provider: str) -> str:
    """Has a provider probed; gives its state, such as `sendgrid is open: a probe goes next`.

    Raises:
        CommandFailed: the function cannot be invoked, or nothing is wrong with such a provider.
    """
    order = {"command": "restore_provider", "provider": provider}
    answer = command(client, stage, order, answers="state")
    return f"{provider} is {answer['state']}: a probe goes next"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 if the provider will be probed."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.restore_provider", description="Take a provider into service again."
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument("provider", help="its name in providers.json")
    options = parser.parse_args(arguments)
    try:
        client = boto3.client("lambda", config=CONFIG)
        print(restore_provider(client, options.stage, options.provider))
    except (CommandFailed, BotoCoreError) as error:
        print(f"restore_provider: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
