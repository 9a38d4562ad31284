"""Our signatures are botocore's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from shared.sigv4 import Signer

NOW = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("dynamodb.us-east-1.amazonaws.com", "/"),
        ("127.0.0.1:4600", "/ses/v2/email/outbound-bulk-emails"),
    ],
)
def test_botocore_signs_the_same(
    monkeypatch: pytest.MonkeyPatch, host: str, path: str, token: str | None
) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda **_: NOW)
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret", token, None)
    headers = {"content-type": "application/json", "x-amz-target": "X.Y"}
    theirs = AWSRequest(
        method="POST", url=f"https://{host}{path}", data=b'{"a": 1}', headers=headers
    )
    auth.SigV4Auth(credentials, "ses", "us-east-1").add_auth(theirs)
    ours = Signer("ses", "us-east-1", host).sign(credentials, NOW, path, b'{"a": 1}', headers)
    assert ours["authorization"].replace(", ", ",") == theirs.headers["Authorization"].replace(
        ", ", ","
    )
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")
