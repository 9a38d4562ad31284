from __future__ import annotations

import boto3
import pytest

from ops.jobs_function import CommandFailed
from ops.restore_provider import main, restore_provider
from tests.ops.test_first_key import FakeLambda


def test_the_jobs_function_of_the_stage_is_asked() -> None:
    client = FakeLambda({"state": "open"})
    told = restore_provider(client, "dev", "ses")  # type: ignore[arg-type]  # what is used of it
    assert told == "ses is open: a probe goes next"
    order = {"command": "restore_provider", "provider": "ses"}
    assert client.calls == [("tidepost-dev-jobs", order)]


def test_a_refusal_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = FakeLambda({"errorMessage": "open breaker of provider 'x' not found"}, failed=True)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: refusal)
    assert main(["--stage", "dev", "x"]) == 1
    assert "open breaker of provider 'x'" in capsys.readouterr().err
    with pytest.raises(CommandFailed, match="tidepost-dev-jobs"):
        restore_provider(FakeLambda({}), "dev", "x")  # type: ignore[arg-type]  # what is used of it


def test_a_restored_provider_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeLambda({"state": "open"}))
    assert main(["--stage", "dev", "ses"]) == 0
    assert capsys.readouterr().out == "ses is open: a probe goes next\n"
