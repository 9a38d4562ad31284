"""Operators' commands, which the stage's jobs function carries out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1})
"""One attempt: a second one could make a second workspace."""


class CommandFailed(Exception):
    """The command may not have been carried out; the message says why."""


def command(
    client: LambdaClient, stage: str, order: Mapping[str, Any], *, answers: str
) -> dict[str, str]:
    """Has the function carry out a command; `answers` is a field that its answer must have.

    Raises:
        CommandFailed: the function cannot be invoked, or it refused.
    """
    function = f"tidepost-{stage}-jobs"
    try:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(order).encode())
    except (ClientError, BotoCoreError) as error:
        raise CommandFailed(f"{function} could not be invoked: {error}") from error
    result = json.loads(answer["Payload"].read())
    if not isinstance(result, dict):
        result = {}
    if answer.get("FunctionError") or answers not in result:
        reason = result.get("errorMessage", "its logs say why")
        raise CommandFailed(f"{function} refused {order['command']}: {reason}")
    return result
