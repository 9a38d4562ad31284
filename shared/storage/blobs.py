"""A workspace's files in S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import ConfigurationError, DependencyUnavailable, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OPERATOR_MUST_ACT = frozenset({"AccessDenied", "NoSuchBucket", "InvalidAccessKeyId"})


class S3Blobs:
    """`BlobStore` over one bucket.

    The function's role needs `s3:ListBucket` as well: without it S3 answers a
    missing file with AccessDenied, which is taken for a wrong set-up.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """As the port says."""
        with self._speaking_our_errors(key):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=content_type
            )

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """As the port says. One request; the bytes after the range are not transferred."""
        # A range must hold a byte, so an empty one is asked for as one byte and cut.
        end = "" if length is None else start + max(length, 1) - 1
        try:
            with self._speaking_our_errors(key):
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end}"
                )
                return answer["Body"].read()[:length]
        except _BeyondTheEnd:
            return b""

    @contextmanager
    def _speaking_our_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchKey":
                raise NotFound("file", key) from error
            if code == "InvalidRange":
                raise _BeyondTheEnd from error
            if code in _OPERATOR_MUST_ACT:
                raise ConfigurationError(
                    f"bucket {self._bucket} cannot be used ({code}): check the function's role "
                    "and the stack"
                ) from error
            raise DependencyUnavailable(
                f"S3 did not serve bucket {self._bucket} ({code}); try again later"
            ) from error
        except BotoCoreError as error:
            raise DependencyUnavailable(
                f"S3 did not answer for bucket {self._bucket} ({type(error).__name__}); "
                "try again later"
            ) from error


class _BeyondTheEnd(Exception):
    """The range begins at or after the file's end."""
