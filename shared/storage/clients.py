"""boto3 clients of a deployment, each made on its first use, with time-outs and bounded retries."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from shared.config import SesProvider, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
ATTEMPTS = 3
"""The first one counted."""


class Clients:
    """The deployment's AWS clients. DynamoDB has its own (`shared.storage.tables`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )

    @cached_property
    def session(self) -> boto3.session.Session:
        """With the function's own role, in the deployment's region."""
        return boto3.session.Session(region_name=self._settings.region)

    @cached_property
    def s3(self) -> S3Client:
        """For `S3Blobs`. Buckets stand in the path if there is an endpoint of one's own.

        Links and forms are signed with version 4: S3 takes no other in newer regions.
        """
        config = self.config.merge(Config(signature_version="s3v4"))
        if self._endpoint_url:
            config = config.merge(Config(s3={"addressing_style": "path"}))
        return self.session.client("s3", endpoint_url=self._endpoint_url, config=config)

    @cached_property
    def sqs(self) -> SQSClient:
        """For the queues."""
        return self.session.client("sqs", endpoint_url=self._endpoint_url, config=self.config)

    @cached_property
    def ssm(self) -> SSMClient:
        """For the parameters."""
        return self.session.client("ssm", endpoint_url=self._endpoint_url, config=self.config)

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """For the secrets."""
        return self.session.client(
            "secretsmanager", endpoint_url=self._endpoint_url, config=self.config
        )

    def sesv2(self, provider: SesProvider) -> SESV2Client:
        """For an account's suppression list. Who calls it tries again by itself."""
        config = self.config.merge(
            Config(
                connect_timeout=provider.connect_timeout_s,
                read_timeout=provider.read_timeout_s,
                retries={"total_max_attempts": 1},
            )
        )
        return self.session.client(
            "sesv2",
            region_name=provider.region,
            endpoint_url=provider.base_url or None,
            config=config,
        )

    @property
    def _endpoint_url(self) -> str | None:
        return self._settings.endpoint_url or None
