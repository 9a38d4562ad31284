from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

import pytest
from python_http_client.exceptions import BadRequestsError, HTTPError, UnauthorizedError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Category,
    CustomArg,
    Header,
    Mail,
    Personalization,
    Substitution,
    To,
)

from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import Call

PEOPLE = ["ada@example.com", "björn@example.com", "cy@example.net"]


def mail_to(*addresses: str, name: str = "You") -> Mail:
    mail = Mail(
        from_email=("news@sender.example", "News"),
        subject="Hi -name-",
        plain_text_content="Dear -name-, -place-",
        html_content='<p>Dear -name-</p><a href="https://shop.example/">-place-</a>',
    )
    mail.add_category(Category("weekly"))
    for number, address in enumerate(addresses):
        person = Personalization()
        person.add_to(To(address))
        person.add_substitution(Substitution("-name-", f"{name}{number} -place-"))
        person.add_substitution(Substitution("-place-", "Berlin"))
        person.add_header(Header("List-Unsubscribe", f"<https://u.example/{number}>"))
        person.add_custom_arg(CustomArg("tidepost_id", f"id-{number}"))
        mail.add_personalization(person)
    return mail


def errors_of(error: BadRequestsError) -> list[tuple[str, str]]:
    found = json.loads(error.body)["errors"]
    return [(one["message"], one["field"]) for one in found]


def test_each_personalization_is_rendered_in_one_pass(
    sendgrid: SendGridAPIClient, sandbox: Sandbox
) -> None:
    answer = sendgrid.send(mail_to(*PEOPLE))

    assert answer.status_code == 202
    kept = [message.details() for message in sandbox.mailbox.search()]
    kept.reverse()  # the SDK puts each new personalization first
    assert [message["to"] for message in kept] == PEOPLE
    second = kept[1]
    assert second["from"] == "News <news@sender.example>"
    assert second["subject"] == "Hi You1 -place-"
    assert second["text"] == "Dear You1 -place-, Berlin"
    assert second["html"] == '<p>Dear You1 -place-</p><a href="https://shop.example/">Berlin</a>'
    assert second["headers"]["List-Unsubscribe"] == "<https://u.example/1>"
    assert second["tidepost_id"] == "id-1"
    assert second["tags"] == ["weekly"]
    assert second["provider_message_id"].startswith(answer.headers["X-Message-Id"] + ".")


def test_the_sdk_works_without_the_prefix_too(sandbox: Sandbox) -> None:
    client = SendGridAPIClient(sandbox.identity().sendgrid_api_key, host=sandbox.url)
    assert client.send(mail_to("ada@example.com")).status_code == 202


def test_one_bad_recipient_rejects_the_whole_request(
    sendgrid: SendGridAPIClient, sandbox: Sandbox
) -> None:
    with pytest.raises(BadRequestsError) as caught:
        sendgrid.send(
            mail_to("two..dots@example.com", "c@example.com", "b@example.com", "a@example.com")
        )

    assert errors_of(caught.value) == [
        ("Does not contain a valid address.", "personalizations.3.to.0.email")
    ]
    assert sandbox.mailbox.search() == []


def test_the_same_address_may_stand_in_two_personalizations(sendgrid: SendGridAPIClient) -> None:
    assert sendgrid.send(mail_to("a@example.com", "a@example.com")).status_code == 202


def test_a_wrong_key_is_refused(sandbox: Sandbox) -> None:
    client = SendGridAPIClient("SG.wrong", host=f"{sandbox.url}/sendgrid")
    with pytest.raises(UnauthorizedError):
        client.send(mail_to("ada@example.com"))


def _person(**fields: Any) -> dict[str, Any]:
    return {"to": [{"email": "a@example.com"}], **fields}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (
            {"personalizations": [_person(substitutions={"-a-": "x" * 10_000})]},
            "personalizations.0.substitutions",
        ),
        (
            {"personalizations": [_person(substitutions={"-a-": 1})]},
            "personalizations.0.substitutions.-a-",
        ),
        (
            {"personalizations": [_person(custom_args={"a": "x" * 10_000})]},
            "personalizations.0.custom_args",
        ),
        (
            {"personalizations": [_person(headers={"Reply-To": "x@example.com"})]},
            "personalizations.0.headers.Reply-To",
        ),
        ({"personalizations": [_person()] * 1001}, "personalizations"),
        ({"personalizations": []}, "personalizations"),
        (
            {"personalizations": [_person(cc=[{"email": "A@example.com"}])]},
            "personalizations.0.cc.0.email",
        ),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to"),
        ({"categories": [str(number) for number in range(11)]}, "categories"),
        ({"from": {"email": "nobody"}}, "from.email"),
        ({"subject": ""}, "personalizations.0.subject"),
        ({"content": []}, "content"),
        (
            {"content": [{"type": k, "value": "x"} for k in ("text/html", "text/plain")]},
            "content",
        ),
        ({"template_id": "d-1"}, "template_id"),
        ({"asm": {"group_id": "x"}}, "asm.group_id"),
        ({"content": [{"type": "text/plain", "value": 5}]}, "content.0.value"),
    ],
)
def test_limits_name_the_field(
    call: Call, sandbox: Sandbox, change: dict[str, Any], field: str
) -> None:
    body = {
        "from": {"email": "news@sender.example"},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hi"}],
        "personalizations": [_person()],
    } | change
    key = {"Authorization": f"Bearer {sandbox.identity().sendgrid_api_key}"}

    status, answer = call("POST", "/sendgrid/v3/mail/send", body, key)

    assert status == 400
    assert field in [error["field"] for error in answer["errors"]]
    assert sandbox.mailbox.search() == []


def test_more_than_1000_recipients_in_all_are_refused(
    sendgrid: SendGridAPIClient, sandbox: Sandbox
) -> None:
    mail = mail_to("a@example.com").get()
    mail["personalizations"] = [
        _person(cc=[{"email": f"cc{number}@example.com"}], custom_args={"tidepost_id": str(number)})
        for number in range(501)
    ]
    with pytest.raises(BadRequestsError) as caught:
        sendgrid.send(mail)
    assert errors_of(caught.value)[0][1] == "personalizations"

    del mail["personalizations"][0]
    assert sendgrid.send(mail).status_code == 202
    assert len(sandbox.mailbox.search()) == 1000
    assert sandbox.mailbox.stats()["duplicates"] == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"personalizations": 7, "headers": 1}'])
def test_junk_is_a_400(call: Call, sandbox: Sandbox, body: bytes) -> None:
    key = {"Authorization": f"Bearer {sandbox.identity().sendgrid_api_key}"}
    assert call("POST", "/v3/mail/send", body, key)[0] == 400


def test_sandbox_mode_keeps_nothing(sendgrid: SendGridAPIClient, sandbox: Sandbox) -> None:
    mail = mail_to("a@example.com").get()
    mail["mail_settings"] = {"sandbox_mode": {"enable": True}}
    assert sendgrid.send(mail).status_code == 200
    assert sandbox.mailbox.search() == []


def test_beyond_the_rate_limit_comes_a_429(
    sendgrid: SendGridAPIClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    behave(providers={"sendgrid": {"rate_limit_per_second": 0.001}})
    sendgrid.send(mail_to("a@example.com"))
    with pytest.raises(HTTPError) as caught:
        sendgrid.send(mail_to("b@example.com"))
    assert caught.value.status_code == 429
    assert caught.value.headers["X-RateLimit-Remaining"] == "0"
    assert len(sandbox.mailbox.search()) == 1


def test_an_outage_closes_the_connection_or_answers_503(
    sendgrid: SendGridAPIClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    outage = {"from": 0, "to": 1000}
    behave(providers={"sendgrid": {"outages": [outage | {"mode": "close"}]}})
    with pytest.raises((URLError, ConnectionError)):
        sendgrid.send(mail_to("a@example.com"))

    behave(providers={"sendgrid": {"outages": [outage | {"mode": "503"}]}})
    with pytest.raises(HTTPError) as caught:
        sendgrid.send(mail_to("a@example.com"))
    assert caught.value.status_code == 503
    assert sandbox.mailbox.search() == []


def test_accept_then_drop_keeps_the_mail_and_answers_nothing(
    sendgrid: SendGridAPIClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    behave(providers={"sendgrid": {"accept_then_drop_rate": 1}})
    with pytest.raises((URLError, ConnectionError)):
        sendgrid.send(mail_to("a@example.com"))
    assert len(sandbox.mailbox.search()) == 1


def test_a_hang_keeps_nothing(
    sendgrid: SendGridAPIClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    behave(providers={"sendgrid": {"timeout_rate": 1, "hang_s": 0.05}})
    with pytest.raises((URLError, ConnectionError)):
        sendgrid.send(mail_to("a@example.com"))
    assert sandbox.mailbox.search() == []


def test_unverified_senders_and_suspended_accounts_are_a_403(
    sendgrid: SendGridAPIClient, behave: Callable[..., None]
) -> None:
    for settings in ({"sender_domains": ["other.example"]}, {"account": "suspended"}):
        behave(providers={"sendgrid": settings})
        with pytest.raises(HTTPError) as caught:
            sendgrid.send(mail_to("a@example.com"))
        assert caught.value.status_code == 403
