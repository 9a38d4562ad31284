from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError

from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import Call, simple_mail


def test_send_and_find_again(postmark: PostmarkClient, sandbox: Sandbox) -> None:
    answer = postmark.emails.send(
        **simple_mail(
            "Björn <björn@example.com>",
            Headers={"List-Unsubscribe": "<https://u.example/1>"},
            Metadata={"tidepost_id": "id-1"},
            Tag="weekly",
        )
    )

    assert (answer["ErrorCode"], answer["Message"]) == (0, "OK")
    kept = sandbox.mailbox.search()[0].details()
    assert kept["to"] == "björn@example.com"
    assert kept["from"] == "News <news@sender.example>"
    assert kept["text"] == "Hi"
    assert kept["headers"] == {"List-Unsubscribe": "<https://u.example/1>"}
    assert (kept["tidepost_id"], kept["tags"]) == ("id-1", ["weekly"])
    assert kept["provider_message_id"] == answer["MessageID"]
    found = postmark.messages.outbound.all(recipient="björn@example.com", tag="weekly")
    assert [message.MessageID for message in found] == [answer["MessageID"]]
    assert postmark.messages.outbound.all(recipient="nobody@example.com") == []


def test_a_batch_answers_each_item_in_order(postmark: PostmarkClient, sandbox: Sandbox) -> None:
    items = [simple_mail(to) for to in ("a@example.com", "nonsense", "c@example.com")]

    answers = postmark.emails.send_batch(*items)

    assert [answer["ErrorCode"] for answer in answers] == [0, 300, 0]
    assert [message.to for message in sandbox.mailbox.search()] == [
        "a@example.com",
        "c@example.com",
    ]


def test_search_by_metadata_and_paging(
    call: Call, postmark: PostmarkClient, sandbox: Sandbox
) -> None:
    postmark.emails.send_batch(
        *(simple_mail(f"a{n}@example.com", Metadata={"tidepost_id": f"id-{n}"}) for n in range(3))
    )
    token = {"X-Postmark-Server-Token": sandbox.identity().postmark_server_token}

    def search(query: str) -> Any:
        return call("GET", f"/postmark/messages/outbound?{query}", headers=token)[1]

    assert search("count=10&offset=0&metadata_tidepost_id=id-1")["TotalCount"] == 1
    page = search("count=2&offset=1")
    assert page["TotalCount"] == 3
    assert [one["Recipients"] for one in page["Messages"]] == [
        ["a1@example.com"],
        ["a0@example.com"],
    ]
    assert search("count=10")["ErrorCode"] == 300
    message_id = page["Messages"][0]["MessageID"]
    details = call("GET", f"/messages/outbound/{message_id}/details", headers=token)[1]
    assert details["TextBody"] == "Hi"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"From": "nobody"}, 300),
        ({"To": ""}, 300),
        ({"To": ",".join(f"a{n}@example.com" for n in range(51))}, 300),
        ({"HtmlBody": "", "TextBody": ""}, 300),
        ({"Metadata": {"a" * 21: "x"}}, 300),
        ({"Metadata": {"a": "x" * 81}}, 300),
        ({"Headers": [{"Name": "X-A", "Value": "a\r\nBcc: b"}]}, 300),
        ({"To": ["a@example.com"]}, 403),
        ({"Subject": 5}, 403),
    ],
)
def test_what_is_wrong_with_an_item(
    call: Call, sandbox: Sandbox, change: dict[str, Any], code: int
) -> None:
    token = {"X-Postmark-Server-Token": sandbox.identity().postmark_server_token}
    status, answer = call("POST", "/postmark/email", simple_mail() | change, token)
    assert (status, answer["ErrorCode"]) == (422, code)
    assert sandbox.mailbox.search() == []


def test_a_wrong_token_is_code_10(sandbox: Sandbox) -> None:
    client = PostmarkClient(server_token="wrong", root_api_url=sandbox.url)
    with pytest.raises(ClientError) as caught:
        client.emails.send(**simple_mail())
    client.session.close()
    assert caught.value.error_code == 10


def test_the_test_token_delivers_nothing(sandbox: Sandbox) -> None:
    client = PostmarkClient(server_token="POSTMARK_API_TEST", root_api_url=sandbox.url)
    assert client.emails.send(**simple_mail())["Message"] == "Test job accepted"
    client.session.close()
    assert sandbox.mailbox.search() == []


def test_more_than_500_are_code_410_and_broken_json_402(call: Call, sandbox: Sandbox) -> None:
    token = {"X-Postmark-Server-Token": sandbox.identity().postmark_server_token}
    status, answer = call("POST", "/email/batch", [simple_mail()] * 501, token)
    assert (status, answer["ErrorCode"]) == (422, 410)
    assert call("POST", "/email/batch", b"[", token)[1]["ErrorCode"] == 402


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"reject_rate": 1}, 406),
        ({"invalid_rate": 1}, 300),
        ({"suppressed": ["ada@example.com"]}, 406),
        ({"sender_domains": []}, 400),
        ({"account": "suspended"}, 405),
        ({"outages": [{"from": 0, "to": 99, "mode": "maintenance"}]}, 100),
    ],
)
def test_codes_of_refusals(
    postmark: PostmarkClient, behave: Callable[..., None], settings: dict[str, Any], code: int
) -> None:
    behave(providers={"postmark": settings})
    with pytest.raises(ClientError) as caught:
        postmark.emails.send(**simple_mail())
    assert caught.value.error_code == code


def test_beyond_the_rate_limit_comes_code_429(
    postmark: PostmarkClient, behave: Callable[..., None]
) -> None:
    behave(providers={"postmark": {"rate_limit_per_second": 0.001}})
    postmark.emails.send(**simple_mail())
    with pytest.raises(ClientError) as caught:
        postmark.emails.send(**simple_mail())
    assert caught.value.error_code == 429
