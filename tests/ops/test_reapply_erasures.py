from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from ops.reapply_erasures import CommandFailed, main, reapply
from tests.ops.test_first_key import FakeLambda

SINCE = "2026-11-20T00:00:00Z"


class Paged:
    """A jobs function that has 700 erasures to start, 500 a call."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  # boto3's
        self.asked.append((FunctionName, json.loads(Payload)))
        first = len(self.asked) == 1
        answer = {"started": 500 if first else 200, "next": 500 if first else None}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def test_it_asks_until_all_are_started() -> None:
    client = Paged()
    assert reapply(client, "prod", SINCE) == 700  # type: ignore[arg-type]  # what is used of it
    command = {"command": "reapply_erasures", "since": SINCE}
    assert client.asked == [
        ("tidepost-prod-jobs", {**command, "skip": 0}),
        ("tidepost-prod-jobs", {**command, "skip": 500}),
    ]


@pytest.mark.parametrize(
    "client",
    [
        FakeLambda({"errorMessage": "since: must be an instant"}, failed=True),
        FakeLambda({}),
        FakeLambda(None),
        FakeLambda(EndpointConnectionError(endpoint_url="http://127.0.0.1:1")),
    ],
)
def test_what_went_wrong_is_said(client: FakeLambda) -> None:
    with pytest.raises(CommandFailed, match="tidepost-prod-jobs"):
        reapply(client, "prod", SINCE)  # type: ignore[arg-type]  # what is used of it


def test_the_command_says_how_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: Paged())
    assert main(["--stage", "prod", "--since", SINCE]) == 0
    assert capsys.readouterr().out == "700 erasures started\n"
    refusal = FakeLambda({"errorMessage": "since: must be in the past"}, failed=True)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: refusal)
    assert main(["--stage", "prod", "--since", "2099-01-01T00:00:00Z"]) == 1
    assert "since: must be in the past" in capsys.readouterr().err
