"""Large files and a workspace's audience settings, in AWS and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from shared.audience.ports import MIN_PART_BYTES, LargeFileStore
from shared.audience.settings import AudienceSettings, AudienceSettingsStore, QualityAction
from shared.audience.types import AttributeType
from shared.errors import NotFound, StaleWrite
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.blobs import S3Blobs
from tests.fakes import FakeAudienceSettings, FakeBlobs

CSV = "text/csv"


@pytest.fixture(params=["s3", "fake"])
def files(request: pytest.FixtureRequest) -> Iterator[LargeFileStore]:
    if request.param == "fake":
        yield FakeBlobs()
        return
    with mock_aws():
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(signature_version="s3v4"),
        )
        client.create_bucket(Bucket="files")
        yield S3Blobs(client, "files")


@pytest.fixture(params=["dynamo", "fake"])
def settings(request: pytest.FixtureRequest) -> AudienceSettingsStore:
    if request.param == "fake":
        return FakeAudienceSettings()
    request.getfixturevalue("dynamo")
    return DynamoAudienceSettings()


def test_a_files_size(files: LargeFileStore) -> None:
    files.put("a/b", b"12345", content_type=CSV)
    assert files.size("a/b") == 5
    with pytest.raises(NotFound):
        files.size("a/c")


def test_a_file_of_parts_shows_when_it_is_finished(files: LargeFileStore) -> None:
    big = b"x" * MIN_PART_BYTES
    writing = files.begin("large.csv", content_type=CSV)
    tags = [files.put_part("large.csv", writing, 1, b"y" * MIN_PART_BYTES)]
    tags = [files.put_part("large.csv", writing, 1, big)]
    tags.append(files.put_part("large.csv", writing, 2, b"end"))
    with pytest.raises(NotFound):
        files.get("large.csv")
    files.finish("large.csv", writing, tags)
    assert files.size("large.csv") == MIN_PART_BYTES + 3
    assert files.get("large.csv", start=MIN_PART_BYTES - 1) == b"xend"


def test_forms_and_links_name_the_file(files: LargeFileStore) -> None:
    files.put("ws/a.csv", b"x", content_type=CSV)
    form = files.upload_form("ws/b.csv", max_bytes=10, valid=timedelta(minutes=15))
    assert form.url.startswith("https://")
    assert form.fields["key"] == "ws/b.csv"
    link = files.download_link("ws/a.csv", name="people.csv", valid=timedelta(minutes=15))
    assert "ws/a.csv" in link
    assert "people.csv" in link


def test_settings_are_kept_under_a_version(settings: AudienceSettingsStore) -> None:
    assert settings.get("ws_x") == AudienceSettings()
    mine = AudienceSettings(
        role=QualityAction.REJECT,
        attributes={"born": AttributeType.DATE, "n": AttributeType.NUMBER},
    )
    saved = settings.save("ws_x", mine)
    assert saved == replace(mine, version=1)
    assert settings.get("ws_x") == saved
    assert settings.get("ws_y") == AudienceSettings()
    with pytest.raises(StaleWrite):
        settings.save("ws_x", mine)
    assert settings.save("ws_x", replace(saved, role=QualityAction.FLAG)).version == 2
    with pytest.raises(StaleWrite):
        settings.save("ws_x", saved)


def test_files_are_listed_by_prefix_and_removed(files: LargeFileStore) -> None:
    keeper: Any = files  # both are a `FileKeeper` too
    for key in ("ws_a/x/1", "ws_a/x/2", "ws_a/x/3", "ws_a/y", "ws_b/x/1"):
        files.put(key, b"1", content_type=CSV)
    assert keeper.keys("ws_a/x/", limit=2) == ["ws_a/x/1", "ws_a/x/2"]
    assert keeper.keys("ws_a/x/", after="ws_a/x/2", limit=2) == ["ws_a/x/3"]
    assert keeper.keys("ws_c/", limit=2) == []
    keeper.delete("ws_a/x/1")
    keeper.delete("ws_a/x/1")
    assert keeper.keys("ws_a/", limit=9) == ["ws_a/x/2", "ws_a/x/3", "ws_a/y"]
