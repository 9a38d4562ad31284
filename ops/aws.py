"""AWS as the checks see it: calls by name, with time-outs and one kind of error."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import TidepostError

_CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"}
)


class AwsRefused(TidepostError):
    """AWS refused a call or did not answer. `aws_code` is AWS's own, or empty."""

    code = "aws-refused"

    def __init__(self, service: str, operation: str, error: BotoCoreError | ClientError) -> None:
        self.aws_code = ""
        if isinstance(error, ClientError):
            self.aws_code = str(error.response.get("Error", {}).get("Code", ""))
        super().__init__(f"{service} {operation}: {error}")


class Aws:
    """Calls with the operator's own credentials, as every AWS tool finds them.

    Profile, region and endpoint come from the environment (`AWS_PROFILE`,
    `AWS_REGION`, `AWS_ENDPOINT_URL`).
    """

    def __init__(self, region: str = "") -> None:
        self._session: Any = boto3.session.Session(region_name=region or _region_variable())
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region, or an empty text if none is configured."""
        return self._session.region_name or ""

    @property
    def emulated(self) -> bool:
        """Whether this is not AWS but an endpoint that speaks like it."""
        return bool(os.environ.get("AWS_ENDPOINT_URL"))

    def at(self, region: str) -> Aws:
        """The same in another region."""
        return self if region == self.region else Aws(region)

    def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        """One call; gives the answer.

        Args:
            service: as boto3 names it, e.g. `sesv2`.
            operation: as AWS's API names it, e.g. `GetAccount`.
            arguments: the operation's own.

        Raises:
            AwsRefused: refused, or no answer.
        """
        try:
            method = getattr(self._client(service), xform_name(operation))
            answer: dict[str, Any] = method(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise AwsRefused(service, operation, error) from error
        return answer

    def every(self, service: str, operation: str, key: str, **arguments: object) -> list[Any]:
        """All items below `key` of a listing, page by page. Raises as `call` does."""
        try:
            paginator = self._client(service).get_paginator(xform_name(operation))
            pages = paginator.paginate(**arguments)
            return [item for page in pages for item in page.get(key, ())]
        except (BotoCoreError, ClientError) as error:
            raise AwsRefused(service, operation, error) from error

    def maybe(
        self, service: str, operation: str, *absent: str, **arguments: object
    ) -> dict[str, Any] | None:
        """As `call`, but None for errors whose code is among `absent`."""
        try:
            return self.call(service, operation, **arguments)
        except AwsRefused as error:
            if error.aws_code in absent:
                return None
            raise

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=_CONFIG)
        return self._clients[service]


def _region_variable() -> str | None:
    """`AWS_REGION` as the AWS CLI reads it; boto3 alone knows only `AWS_DEFAULT_REGION`."""
    return os.environ.get("AWS_REGION") or None
