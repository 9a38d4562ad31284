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
        ({"headers": {"Bcc": "x@example.com"}}, "headers"),
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
