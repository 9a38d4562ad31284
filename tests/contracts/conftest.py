"""Moto's DynamoDB for the stores' contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from shared.storage import tables


@pytest.fixture
def dynamo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All tables of the models that the test imports, empty."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        tables.bind("tidepost-test", "us-east-1", "", sleep=lambda _: None)
        tables.create_all()
        yield
