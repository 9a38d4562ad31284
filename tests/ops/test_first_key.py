from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.first_key import first_key, main
from ops.jobs_function import CommandFailed

MADE = {"workspace": "ws_1", "api_key": "tp_1_secret"}


class FakeLambda:
    """The one call of the Lambda client that is made."""

    def __init__(self, answer: object, *, failed: bool = False) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._answer = answer
        self._failed = failed

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  # boto3's
        self.calls.append((FunctionName, json.loads(Payload)))
        if isinstance(self._answer, Exception):
            raise self._answer
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self._answer).encode())}
        return answer | ({"FunctionError": "Unhandled"} if self._failed else {})


def test_the_jobs_function_of_the_stage_is_asked() -> None:
    client = FakeLambda(MADE)
    assert first_key(client, "dev", "Acme") == MADE  # type: ignore[arg-type]  # what is used of it
    assert client.calls == [("tidepost-dev-jobs", {"command": "first_key", "workspace": "Acme"})]


@pytest.mark.parametrize(
    "client",
    [
        FakeLambda({"errorMessage": "workspace: must be 1 to 100 characters"}, failed=True),
        FakeLambda({}),
        FakeLambda(None),
        FakeLambda(ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")),
        FakeLambda(EndpointConnectionError(endpoint_url="http://127.0.0.1:1")),
    ],
)
def test_what_went_wrong_is_said(client: FakeLambda) -> None:
    with pytest.raises(CommandFailed, match="tidepost-dev-jobs"):
        first_key(client, "dev", "Acme")  # type: ignore[arg-type]  # what is used of it


def test_the_key_is_printed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeLambda(MADE))
    assert main(["--stage", "dev", "--workspace", "Acme"]) == 0
    assert capsys.readouterr().out.count("tp_1_secret") == 1


def test_a_failure_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeLambda({}, failed=True))
    assert main(["--stage", "dev", "--workspace", "Acme"]) == 1
    assert "its logs say why" in capsys.readouterr().err
