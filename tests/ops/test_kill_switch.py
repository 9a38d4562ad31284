from __future__ import annotations

import boto3
import pytest

from ops.jobs_function import CommandFailed
from ops.kill_switch import kill_switch, main
from tests.ops.test_first_key import FakeLambda


def test_the_jobs_function_of_the_stage_turns_it() -> None:
    client = FakeLambda({"sending": "off"})
    told = kill_switch(client, "dev", on=True, reason="wrong prices")  # type: ignore[arg-type]  # what is used of it
    assert told == "sending is off"
    command = {"command": "kill_switch", "on": True, "reason": "wrong prices"}
    assert client.calls == [("tidepost-dev-jobs", command)]


def test_a_refusal_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = FakeLambda({"errorMessage": "reason: must say why"}, failed=True)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: refusal)
    assert main(["--stage", "dev", "on"]) == 1
    assert "reason: must say why" in capsys.readouterr().err
    with pytest.raises(CommandFailed, match="tidepost-dev-jobs"):
        kill_switch(FakeLambda({}), "dev", on=False, reason="")  # type: ignore[arg-type]  # what is used of it


def test_turning_it_off_needs_no_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeLambda({"sending": "on"}))
    assert main(["--stage", "dev", "off"]) == 0
    assert capsys.readouterr().out == "sending is on\n"
