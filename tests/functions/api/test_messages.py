from __future__ import annotations

from typing import Any

import pytest

from tests.functions.api.world import World

BODY = {
    "to": {"email": "Ada@example.org", "name": "Ada"},
    "sender": {"email": "shop@example.com"},
    "subject": "Order {{ data.order }}",
    "text": "Thank you for order {{ data.order }}",
    "data": {"order": 7},
}
FILE = {"filename": "bill.pdf", "content_type": "application/pdf", "content": "JVBERi0="}
BIG = "A" * 3_000_000
"""Within what a request may have, and over what the test's one provider takes."""


@pytest.fixture(autouse=True)
def _sender(world: World) -> None:
    world.verify_domain("example.com")


def test_a_message_is_taken_on_and_can_be_followed(world: World) -> None:
    answer = world.call("POST", "/v1/messages", BODY)
    assert answer.status == 202
    assert list(answer.json) == ["id"]
    assert len(world.chunk_queue.sent) == 1
    story = world.call("GET", f"/v1/messages/{answer.json['id']}")
    assert story.status == 200
    assert story.json["id"] == answer.json["id"]
    assert story.json["state"] == "pending"
    assert "ada@" not in story.text.lower()


def test_a_template_may_be_named(world: World) -> None:
    source = {"name": "Order", "subject": BODY["subject"], "text": BODY["text"]}
    template = world.call("POST", "/v1/templates", source).json["id"]
    body = {key: BODY[key] for key in ("to", "sender", "data")} | {"template": template}
    assert world.call("POST", "/v1/messages", body).status == 202


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": {"email": "nobody"}}, "to.email"),
        ({"to": {"email": "a@example.org", "name": "two\nlines"}}, "to.name"),
        ({"sender": {"email": "a@unverified.example"}}, "sender.email"),
        ({"template": "tpl_unknown"}, "template"),
        ({"template": "tpl_unknown", "subject": "", "text": ""}, "template"),
        ({"subject": "two\nlines"}, "subject"),
        ({"headers": {"Bcc": "x@example.com"}}, "headers.Bcc"),
        ({"headers": {"List-Unsubscribe": "<https://x.example>"}}, "headers.List-Unsubscribe"),
        ({"send_at": "2026-11-24T07:59:59Z"}, "send_at"),
        ({"send_at": "2026-11-24T09:00:00"}, "send_at"),
        ({"send_at": "2026-12-31T00:00:00Z"}, "send_at"),
        ({"on_doubt": "maybe"}, "on_doubt"),
        ({"cc": [{"email": f"p{n}@example.org"} for n in range(50)]}, "cc"),
        ({"to": [{"email": f"p{n}@example.org"} for n in range(51)]}, "to"),
        ({"cc": [{"email": "ada@example.org"}]}, "cc.0.email"),
        ({"metadata": {"tidepost_id": "x"}}, "metadata.tidepost_id"),
        ({"attachments": [FILE | {"content": "%%%"}]}, "attachments.0.content"),
        ({"attachments": [FILE | {"content": BIG}]}, "attachments"),
        ({"attachments": [FILE | {"secret": "?"}]}, "attachments.0.secret"),
    ],
)
def test_a_bad_body_names_the_field(world: World, change: dict[str, Any], field: str) -> None:
    answer = world.call("POST", "/v1/messages", BODY | change)
    assert answer.status == 422
    assert [name.partition(" ")[0] for name in answer.fields] == [field]
    assert not world.chunk_queue.sent


@pytest.mark.parametrize("message_id", ["x", "a" * 56, "not-an-id"])
def test_a_forged_id_is_not_there(world: World, message_id: str) -> None:
    assert world.call("GET", f"/v1/messages/{message_id}").status == 404


def test_another_workspace_sees_nothing(world: World) -> None:
    message = world.call("POST", "/v1/messages", BODY).json["id"]
    assert world.call("GET", f"/v1/messages/{message}", key=world.other_key).status == 404
    answer = world.call("POST", "/v1/messages", BODY, key=world.other_key)
    assert (answer.status, answer.fields) == (422, ["sender.email"])


def test_what_was_asked_for_is_told(world: World) -> None:
    asked: dict[str, Any] = {"send_at": "2026-11-24T10:00:00+01:00", "on_doubt": "resend"}
    asked |= {"tags": ["bill"], "metadata": {"order": "7"}, "cc": [{"email": "bo@example.org"}]}
    sent = world.call("POST", "/v1/messages", BODY | asked | {"attachments": [FILE]})
    assert sent.status == 202
    story = world.call("GET", f"/v1/messages/{sent.json['id']}")
    assert story.json["send_at"] == "2026-11-24T09:00:00.000Z"
    assert (story.json["on_doubt"], story.json["tags"]) == ("resend", ["bill"])
    assert story.json["metadata"] == {"order": "7"}
    file = {"filename": "bill.pdf", "content_type": "application/pdf", "size": 5}
    assert story.json["attachments"] == [file]
    assert "@" not in story.text
    assert not world.chunk_queue.sent  # an hour ahead is the scheduler's


def test_an_attachment_too_large_for_every_provider_is_a_clear_error(world: World) -> None:
    answer = world.call("POST", "/v1/messages", BODY | {"attachments": [FILE | {"content": BIG}]})
    assert answer.json["errors"] == [
        {"field": "attachments", "reason": "too large for every provider"}
    ]
    assert not world.blobs.files


def test_a_request_has_5_mib_at_the_most(world: World) -> None:
    body = BODY | {"attachments": [FILE | {"content": "A" * 5 * 1024 * 1024}]}
    answer = world.call("POST", "/v1/messages", body)
    assert (answer.status, answer.problem) == (413, "body-too-large")


def test_a_scheduled_message_can_be_cancelled_once(world: World) -> None:
    later = BODY | {"send_at": "2026-11-25T08:00:00Z"}
    message = world.call("POST", "/v1/messages", later).json["id"]
    assert world.call("DELETE", f"/v1/messages/{message}", key=world.other_key).status == 404
    assert world.call("DELETE", f"/v1/messages/{message}").status == 204
    assert world.call("DELETE", f"/v1/messages/{message}").status == 204
    story = world.call("GET", f"/v1/messages/{message}").json
    assert (story["state"], story["reason"]) == ("skipped", "cancelled")


def test_a_batch_has_a_result_for_each_of_its_messages(world: World) -> None:
    bad = BODY | {"to": {"email": "nobody"}}
    answer = world.call("POST", "/v1/messages/batch", {"messages": [BODY, bad, BODY]})
    assert answer.status == 202
    first, second, third = answer.json["messages"]
    assert first["id"] != third["id"]
    assert (first["errors"], third["errors"]) == ([], [])
    assert second["id"] is None
    assert [error["field"] for error in second["errors"]] == ["to.email"]
    assert len(world.chunk_queue.sent) == 2


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([BODY] * 501, "messages"),
        ([BODY, BODY | {"html": 7}], "messages.1.html"),
    ],
)
def test_a_batch_of_the_wrong_form_is_refused_as_a_whole(
    world: World, messages: list[Any], field: str
) -> None:
    answer = world.call("POST", "/v1/messages/batch", {"messages": messages})
    assert (answer.status, answer.fields) == (422, [field])
    assert not world.chunk_queue.sent
