"""The bucket for imports and reports, and the bucket for access logs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stages import Stage
from shared.errors import ConfigurationError


class Files(Construct):
    """`bucket` holds what people upload, for 30 days; `access_logs` who fetched what.

    Neither keeps versions: a file is a means of transport, the tables hold the
    truth, and an erased person must not live on in an old version. Neither
    empties itself on deletion. Pages of `upload_origins` may post the forms of
    imports; without one no page may.

    Raises:
        ConfigurationError: an origin is not written as browsers write it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        upload_origins: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        for origin in upload_origins:
            _check(origin)
        self.access_logs = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
            removal_policy=stage.removal,
        )
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix="files/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.POST], allowed_origins=list(upload_origins)
                )
            ]
            if upload_origins
            else None,
            removal_policy=stage.removal,
        )


_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?")


def _check(origin: str) -> None:
    if not _ORIGIN.fullmatch(origin):
        raise ConfigurationError(
            f"upload_origins: {origin!r} is not an origin such as `https://admin.example.com`,"
            " in lower case and without a path or wildcard"
        )
