from __future__ import annotations

import pytest

from shared.config import Settings
from shared.storage.clients import Clients


@pytest.mark.parametrize("name", ["s3", "sqs", "ssm", "secretsmanager"])
def test_every_client_has_time_outs_bounded_retries_and_the_endpoint(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    settings = Settings(
        stage="test",
        table_prefix="t",
        parameter_path="/t",
        secret_prefix="t",
        region="eu-west-1",
        endpoint_url="http://127.0.0.1:4566",
    )
    clients = Clients(settings)
    client = getattr(clients, name)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
    assert config.retries["total_max_attempts"] == 3
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert getattr(clients, name) is client
