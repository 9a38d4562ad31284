from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from shared.errors import ConfigurationError, DependencyUnavailable, NotFound
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


def test_finishing_again_changes_nothing(stubbed: tuple[S3Blobs, Stubber]) -> None:
    blobs, stubber = stubbed
    stubber.add_client_error("complete_multipart_upload", "NoSuchUpload")
    stubber.add_response("head_object", {"ContentLength": 5})
    blobs.finish("a.csv", "writing", ["tag"])
    stubber.assert_no_pending_responses()


def test_what_was_given_up_cannot_be_written_or_finished(
    stubbed: tuple[S3Blobs, Stubber],
) -> None:
    blobs, stubber = stubbed
    stubber.add_client_error("complete_multipart_upload", "NoSuchUpload")
    stubber.add_client_error("head_object", "404")
    with pytest.raises(NotFound):
        blobs.finish("a.csv", "writing", ["tag"])
    stubber.add_client_error("upload_part", "NoSuchUpload")
    with pytest.raises(NotFound):
        blobs.put_part("a.csv", "writing", 1, b"x")


def test_the_form_takes_one_key_and_a_range_of_sizes(stubbed: tuple[S3Blobs, Stubber]) -> None:
    form = stubbed[0].upload_form("ws/a.csv", max_bytes=99, valid=timedelta(minutes=15))
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert {"bucket": "files"} in policy["conditions"]
    assert {"key": "ws/a.csv"} in policy["conditions"]
    assert ["content-length-range", 1, 99] in policy["conditions"]
    assert not [one for one in policy["conditions"] if "starts-with" in one]
