"""Parameters and secrets: read, cached, and every complaint without a value in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from shared.config import PostmarkProvider, Settings
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.storage.parameters import ParameterReader

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

SETTINGS = Settings(
    stage="test",
    table_prefix="tidepost-test",
    parameter_path="/tidepost/test",
    secret_prefix="tidepost/test",
)
POSTMARK = PostmarkProvider(name="pm", kind="postmark", weight=1, secret="providers/postmark")
KEY = "k" * 64
CONFIG = Path(__file__).parents[3] / "config"


class Deployed:
    """A deployment's parameters and secrets in moto, and a reader of them."""

    def __init__(self) -> None:
        self.ssm: SSMClient = boto3.client("ssm", region_name="us-east-1")
        self.secrets: SecretsManagerClient = boto3.client("secretsmanager", region_name="us-east-1")
        self.reader = ParameterReader(SETTINGS, self.ssm, self.secrets)

    def parameter(self, name: str, text: str) -> None:
        self.ssm.put_parameter(
            Name=f"/tidepost/test/{name}", Value=text, Type="String", Overwrite=True
        )

    def secret(self, name: str, text: str) -> None:
        self.secrets.create_secret(Name=f"tidepost/test/{name}", SecretString=text)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Deployed()


def test_the_shipped_defaults_can_be_read(deployed: Deployed) -> None:
    for name in ("providers", "delivery_rules", "warming_schedule"):
        deployed.parameter(name, (CONFIG / f"{name}.json").read_text("utf-8"))
    deployed.parameter("deployment", '{"public_url": "https://mail.example.com"}')

    assert [p.name for p in deployed.reader.providers().providers] == [
        "sendgrid",
        "ses",
        "postmark",
    ]
    assert deployed.reader.warming_schedule().per_day[0] == 50
    assert deployed.reader.delivery_rules(deployed.reader.providers()).rules == ()
    assert deployed.reader.deployment().public_url == "https://mail.example.com"


def test_a_parameter_is_read_once_for_a_while(deployed: Deployed) -> None:
    deployed.parameter("deployment", '{"public_url": "https://one.example.com"}')
    first = deployed.reader.deployment()
    deployed.parameter("deployment", '{"public_url": "https://two.example.com"}')

    assert deployed.reader.deployment() == first


def test_keys_are_the_bytes_of_the_text(deployed: Deployed) -> None:
    deployed.secret("subscriber-id-key", KEY)
    deployed.secret("message-id-key", "m" * 64)
    deployed.secret("link-keys", json.dumps({"current": "k2", "k1": "1" * 64, "k2": "2" * 64}))

    assert deployed.reader.subscriber_id_key() == b"k" * 64
    assert deployed.reader.message_id_key() == b"m" * 64
    assert deployed.reader.link_keys() == ({"k1": b"1" * 64, "k2": b"2" * 64}, "k2")


def test_a_providers_secret_is_read_under_the_prefix(deployed: Deployed) -> None:
    deployed.secret("providers/postmark", '{"server_token": "t", "webhook_user": "u"}')

    assert deployed.reader.provider_secret(POSTMARK) == {
        "server_token": "t",
        "webhook_user": "u",
    }


@pytest.mark.parametrize("name", ["providers", "deployment", "warming_schedule"])
@pytest.mark.parametrize("text", [None, "{", "[]", '{"providers": [], "secret-looking": 1}'])
def test_a_bad_parameter_is_named(deployed: Deployed, name: str, text: str | None) -> None:
    if text is not None:
        deployed.parameter(name, text)

    with pytest.raises(ConfigurationError, match=f"parameter /tidepost/test/{name}"):
        getattr(deployed.reader, name)()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("message-id-key", None),
        ("message-id-key", "tooshort-hush"),
        ("link-keys", "hush"),
        ("link-keys", json.dumps({"current": "k2", "k1": "hush" * 16})),
        ("link-keys", json.dumps({"k1": "hush" * 16})),
        ("link-keys", json.dumps({"current": "k1", "k1": "hush"})),
        ("link-keys", json.dumps({"current": "k1", "keys": {"k1": "hush" * 16}})),
        ("providers/postmark", '{"server_token": "hush'),
        ("providers/postmark", '"hush"'),
        ("providers/postmark", '{"server_token": {"hush": 1}}'),
    ],
)
def test_a_bad_secret_is_named_and_never_shown(
    deployed: Deployed, name: str, value: str | None
) -> None:
    if value is not None:
        deployed.secret(name, value)
    readers: dict[str, Callable[[], object]] = {
        "message-id-key": deployed.reader.message_id_key,
        "link-keys": deployed.reader.link_keys,
        "providers/postmark": lambda: deployed.reader.provider_secret(POSTMARK),
    }

    with pytest.raises(ConfigurationError, match=f"secret tidepost/test/{name}") as caught:
        readers[name]()
    error: BaseException | None = caught.value
    while error is not None:
        assert "hush" not in str(error)
        error = error.__cause__


def test_a_binary_secret_is_refused(deployed: Deployed) -> None:
    deployed.secrets.create_secret(Name="tidepost/test/message-id-key", SecretBinary=b"x" * 64)

    with pytest.raises(ConfigurationError, match="is binary"):
        deployed.reader.message_id_key()


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Get"), ConfigurationError),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "Get"), DependencyUnavailable),
        (ConnectTimeoutError(endpoint_url="https://ssm"), DependencyUnavailable),
    ],
)
def test_a_service_that_does_not_answer_is_told_from_one_that_refuses(
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    expected: type[Exception],
) -> None:
    def fail(**_: Any) -> None:
        raise failure

    monkeypatch.setattr(deployed.ssm, "get_parameter", fail)
    monkeypatch.setattr(deployed.secrets, "get_secret_value", fail)

    with pytest.raises(expected, match="parameter /tidepost/test/providers"):
        deployed.reader.providers()
    with pytest.raises(expected, match="secret tidepost/test/message-id-key"):
        deployed.reader.message_id_key()
