"""A workspace's files in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.audience.ports import UploadForm
from shared.errors import ConfigurationError, DependencyUnavailable, NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OPERATOR_MUST_ACT = frozenset({"AccessDenied", "403", "NoSuchBucket", "InvalidAccessKeyId"})


class S3Blobs:
    """`BlobStore`, `LargeFileStore` and `FileKeeper` over one bucket.

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

    def size(self, key: str) -> int:
        """As the port says."""
        with self._speaking_our_errors(key):
            return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def begin(self, key: str, *, content_type: str) -> str:
        """As the port says."""
        with self._speaking_our_errors(key):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=key, ContentType=content_type
            )
            return answer["UploadId"]

    def put_part(self, key: str, writing: str, number: int, body: bytes) -> str:
        """As the port says."""
        try:
            with self._speaking_our_errors(key):
                answer = self._client.upload_part(
                    Bucket=self._bucket, Key=key, UploadId=writing, PartNumber=number, Body=body
                )
                return answer["ETag"]
        except _NoSuchWriting as error:
            raise NotFound("file that is being written", key) from error

    def finish(self, key: str, writing: str, tags: Sequence[str]) -> None:
        """As the port says: S3 forgets a writing once it is finished, and the file is there."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]
        try:
            with self._speaking_our_errors(key):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=writing,
                    MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # of plain dicts
                )
        except _NoSuchWriting:
            self.size(key)

    def upload_form(self, key: str, *, max_bytes: int, valid: timedelta) -> UploadForm:
        """As the port says. Made without a request; the policy names the key exactly."""
        form = self._client.generate_presigned_post(
            self._bucket,
            key,
            Conditions=[["content-length-range", 1, max_bytes]],
            ExpiresIn=int(valid.total_seconds()),
        )
        return UploadForm(form["url"], form["fields"])

    def download_link(self, key: str, *, name: str, valid: timedelta) -> str:
        """As the port says. Made without a request."""
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{name}"',
            },
            ExpiresIn=int(valid.total_seconds()),
        )

    def keys(self, prefix: str, *, after: str | None = None, limit: int) -> list[str]:
        """As the port says; S3 gives at most 1,000 a call."""
        found: list[str] = []
        while len(found) < limit:
            with self._speaking_our_errors(prefix):
                answer = self._client.list_objects_v2(
                    Bucket=self._bucket,
                    Prefix=prefix,
                    StartAfter=after or "",
                    MaxKeys=limit - len(found),
                )
            found += [entry["Key"] for entry in answer.get("Contents", ())]
            if not answer.get("IsTruncated"):
                break
            after = found[-1]
        return found

    def delete(self, key: str) -> None:
        """As the port says."""
        with self._speaking_our_errors(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    @contextmanager
    def _speaking_our_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchUpload":
                raise _NoSuchWriting from error
            # HEAD has no body to say more in than its status.
            if code in {"NoSuchKey", "404"}:
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


class _NoSuchWriting(Exception):
    """S3 knows no such multipart upload, or no more."""


class _BeyondTheEnd(Exception):
    """The range begins at or after the file's end."""
