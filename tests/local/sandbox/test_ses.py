from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import Call, aws_client

TEMPLATE = {
    "Subject": "Hi {{name}}",
    "Html": "<p>{{ name }} in {{place}}</p>",
    "Text": "{{name}} in {{place}}",
}


def simple(**fields: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": "News <news@sender.example>",
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Hi ☀"},
                "Body": {"Html": {"Data": "<p>{{x}}</p>"}, "Text": {"Data": "Hi"}},
                "Headers": [{"Name": "X-One", "Value": "1"}],
            }
        },
        "EmailTags": [{"Name": "tidepost_id", "Value": "id-1"}],
        **fields,
    }


def entry(to: str, tag: str = "x", **data: str) -> dict[str, Any]:
    return {
        "Destination": {"ToAddresses": [to]},
        "ReplacementTags": [{"Name": "tidepost_id", "Value": tag}],
        "ReplacementHeaders": [{"Name": "List-Unsubscribe", "Value": f"<https://u.example/{tag}>"}],
        "ReplacementEmailContent": {
            "ReplacementTemplate": {"ReplacementTemplateData": json.dumps(data)}
        },
    }


def bulk(*entries: dict[str, Any]) -> dict[str, Any]:
    template = {
        "TemplateContent": TEMPLATE,
        "TemplateData": '{"place": "Berlin", "name": "you"}',
        "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://u.example/default>"}],
    }
    return {
        "FromEmailAddress": "news@sender.example",
        "DefaultContent": {"Template": template},
        "DefaultEmailTags": [{"Name": "kind", "Value": "weekly"}],
        "BulkEmailEntries": list(entries),
        "ConfigurationSetName": "tidepost",
    }


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def test_a_simple_message_is_kept_as_it_is(ses: Any, sandbox: Sandbox) -> None:
    answer = ses.send_email(**simple(ReplyToAddresses=["re@sender.example"]))

    kept = sandbox.mailbox.search()[0].details()
    assert kept["provider_message_id"] == answer["MessageId"]
    assert (kept["subject"], kept["html"], kept["text"]) == ("Hi ☀", "<p>{{x}}</p>", "Hi")
    assert kept["headers"] == {"X-One": "1", "Reply-To": "re@sender.example"}
    assert kept["tidepost_id"] == "id-1"


def test_bulk_substitutes_once_and_replaces_headers_and_tags(ses: Any, sandbox: Sandbox) -> None:
    answer = ses.send_bulk_email(
        **bulk(
            entry("a@example.com", "id-1", name="{{place}}"),
            entry("jörg@example.com", "id-2"),
            entry("c@example.com", "id-3", place="Rome"),
        )
    )

    statuses = [one["Status"] for one in answer["BulkEmailEntryResults"]]
    assert statuses == ["SUCCESS", "INVALID_PARAMETER", "SUCCESS"]
    first, third = (message.details() for message in sandbox.mailbox.search())
    assert first["subject"] == "Hi {{place}}"
    assert first["html"] == "<p>{{place}} in Berlin</p>"
    assert first["headers"] == {"List-Unsubscribe": "<https://u.example/id-1>"}
    assert first["custom"] == {"kind": "weekly", "tidepost_id": "id-1"}
    assert third["text"] == "you in Rome"


def test_raw_mail_is_read(ses: Any, sandbox: Sandbox) -> None:
    raw = b"From: n@sender.example\r\nTo: a@example.com\r\nSubject: Raw\r\nX-A: 1\r\n\r\nBody\r\n"
    ses.send_email(**simple(Content={"Raw": {"Data": raw}}))
    kept = sandbox.mailbox.search()[0].details()
    assert (kept["subject"], kept["text"].strip(), kept["headers"]) == ("Raw", "Body", {"X-A": "1"})


def test_an_encoded_display_name_is_decoded(ses: Any, sandbox: Sandbox) -> None:
    name = base64.b64encode("Tide é".encode()).decode()
    ses.send_email(**simple(FromEmailAddress=f"=?utf-8?b?{name}?= <news@sender.example>"))
    assert sandbox.mailbox.search()[0].sender == "Tide é <news@sender.example>"


def _headers(*headers: tuple[str, str]) -> dict[str, Any]:
    content = simple()["Content"]
    content["Simple"]["Headers"] = [{"Name": name, "Value": value} for name, value in headers]
    return {"Content": content}


@pytest.mark.parametrize(
    "change",
    [
        {"Destination": {"ToAddresses": ["jörg@example.com"]}},
        {"Destination": {"ToAddresses": ["nonsense"]}},
        {"Destination": {"ToAddresses": [f"a{n}@example.com" for n in range(51)]}},
        {"FromEmailAddress": "Tide é <news@sender.example>"},
        {"EmailTags": [{"Name": "a", "Value": "has space"}]},
        _headers(*((f"X-{n}", "1") for n in range(16))),
        _headers(("X-A", "é")),
        _headers(("X-A", "x" * 996)),
        _headers(("Subject", "x")),
    ],
)
def test_bad_requests(ses: Any, sandbox: Sandbox, change: dict[str, Any]) -> None:
    with pytest.raises(ses.exceptions.BadRequestException):
        ses.send_email(**simple(**change))
    assert sandbox.mailbox.search() == []


def test_more_than_50_entries_are_refused(ses: Any) -> None:
    with pytest.raises(ses.exceptions.BadRequestException):
        ses.send_bulk_email(**bulk(*(entry(f"a{n}@example.com") for n in range(51))))


def test_an_unknown_template_is_not_found(ses: Any) -> None:
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.send_email(**simple(Content={"Template": {"TemplateName": "none"}}))


def test_a_wrong_secret_is_noticed(sandbox: Sandbox) -> None:
    client = aws_client("sesv2", sandbox.url, secret="wrong")
    with pytest.raises(ClientError) as caught:
        client.send_email(**simple())
    client.close()
    assert code_of(caught.value) == "InvalidSignatureException"


def test_no_signature_is_refused(call: Call) -> None:
    assert call("POST", "/v2/email/outbound-emails", simple())[0] == 403


def test_the_send_rate_throttles_entries(ses: Any, behave: Callable[..., None]) -> None:
    behave(providers={"ses": {"rate_limit_per_second": 2}})
    answer = ses.send_bulk_email(**bulk(*(entry(f"a{n}@example.com", f"i{n}") for n in range(4))))
    statuses = [one["Status"] for one in answer["BulkEmailEntryResults"]]
    assert statuses[:2] == ["SUCCESS", "SUCCESS"]
    assert "ACCOUNT_THROTTLED" in statuses


@pytest.mark.parametrize(
    ("settings", "code", "status"),
    [
        ({"sender_domains": []}, "MessageRejected", None),
        ({"reject_rate": 1}, "MessageRejected", "MESSAGE_REJECTED"),
        ({"invalid_rate": 1}, "BadRequestException", "INVALID_PARAMETER"),
        ({"account": "suspended"}, "AccountSuspendedException", "ACCOUNT_SUSPENDED"),
        ({"rate_limit_per_second": 0.001}, "TooManyRequestsException", "ACCOUNT_THROTTLED"),
        ({"error_rate": 1}, "InternalServiceErrorException", None),
    ],
)
def test_codes_and_statuses(
    ses: Any,
    behave: Callable[..., None],
    settings: dict[str, Any],
    code: str,
    status: str | None,
) -> None:
    behave(providers={"ses": settings})
    if "rate_limit_per_second" in settings:
        ses.send_email(**simple())
    with pytest.raises(ClientError) as caught:
        ses.send_email(**simple())
    assert code_of(caught.value) == code
    if status:
        answer = ses.send_bulk_email(**bulk(entry("a@example.com")))
        assert answer["BulkEmailEntryResults"][0]["Status"] == status


def test_an_outage_drops_the_connection(ses: Any, behave: Callable[..., None]) -> None:
    behave(providers={"ses": {"outages": [{"from": 0, "to": 99, "mode": "close"}]}})
    with pytest.raises(HTTPClientError):
        ses.send_email(**simple())
