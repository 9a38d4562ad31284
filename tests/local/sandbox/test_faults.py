"""What was done to requests is on record, with whom it met."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError
from python_http_client.exceptions import BadRequestsError
from sendgrid import SendGridAPIClient

from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import Call, simple_mail
from tests.local.sandbox.test_sendgrid import errors_of, mail_to


def faults(call: Call) -> list[tuple[str, str, list[str]]]:
    answer = call("GET", "/_sandbox/faults")[1]
    return [(one["provider"], one["fault"], one["keys"]) for one in answer["faults"]]


def test_sendgrid_refuses_the_whole_request_and_names_the_invalid_address(
    sendgrid: SendGridAPIClient, sandbox: Sandbox, call: Call, behave: Callable[..., None]
) -> None:
    behave(domains={"bad.example": {"invalid_rate": 1}})
    with pytest.raises(BadRequestsError) as caught:
        sendgrid.send(mail_to("a@ok.example", "b@bad.example"))
    # The SDK puts each new personalization first.
    assert errors_of(caught.value) == [
        ("Does not contain a valid address.", "personalizations.0.to.0.email")
    ]
    assert sandbox.mailbox.search() == []
    assert faults(call) == [("sendgrid", "invalid", ["id-1"])]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"error_rate": 1}, "error"),
        ({"accept_then_drop_rate": 1}, "accept_then_drop"),
        ({"timeout_rate": 1, "hang_s": 0.1}, "hang"),
        ({"reject_rate": 1}, "rejected"),
    ],
)
def test_each_fault_is_told_with_its_recipients(
    sandbox: Sandbox,
    call: Call,
    behave: Callable[..., None],
    settings: dict[str, Any],
    fault: str,
) -> None:
    behave(providers={"postmark": settings})
    token = {"X-Postmark-Server-Token": sandbox.identity().postmark_server_token}
    with contextlib.suppress(OSError):  # some get no answer
        assert call("POST", "/email", simple_mail(), token)[0] >= 422
    assert faults(call) == [("postmark", fault, ["ada@example.com"])]
    assert call("GET", "/_sandbox/faults")[1]["counts"] == {fault: 1}


def test_the_rate_limit_is_told_and_a_reset_forgets(
    postmark: PostmarkClient, call: Call, behave: Callable[..., None]
) -> None:
    behave(providers={"postmark": {"rate_limit_per_second": 0.001}})
    postmark.emails.send(**simple_mail())
    with pytest.raises(ClientError):
        postmark.emails.send(**simple_mail())
    assert faults(call) == [("postmark", "rate_limited", [])]
    call("DELETE", "/_sandbox/messages")
    assert faults(call) == []
