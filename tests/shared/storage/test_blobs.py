from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from shared.errors import ConfigurationError, DependencyUnavailable
from shared.storage.blobs import S3Blobs


@pytest.fixture
def stubbed() -> Iterator[tuple[S3Blobs, Stubber]]:
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        yield S3Blobs(client, "files"), stubber


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", ConfigurationError),
        ("NoSuchBucket", ConfigurationError),
        ("SlowDown", DependencyUnavailable),
        ("InternalError", DependencyUnavailable),
    ],
)
def test_errors_of_s3_become_ours(
    stubbed: tuple[S3Blobs, Stubber], code: str, error: type[Exception]
) -> None:
    blobs, stubber = stubbed
    for operation in ("get_object", "put_object"):
        stubber.add_client_error(operation, code)
    with pytest.raises(error, match=code):
        blobs.get("a.csv")
    with pytest.raises(error, match=code):
        blobs.put("a.csv", b"", content_type="text/csv")


def test_no_answer_at_all_is_to_be_tried_again() -> None:
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(DependencyUnavailable, match="EndpointConnectionError"):
        S3Blobs(client, "files").get("a.csv")
