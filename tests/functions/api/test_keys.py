from __future__ import annotations

import pytest

from tests.functions.api.world import World

BODY = {"name": "shop", "scopes": ["messages:send", "events:read"], "requests_per_minute": 60}


def test_a_key_is_shown_once_listed_and_revoked(world: World) -> None:
    issued = world.call("POST", "/v1/keys", BODY)
    assert issued.status == 201
    text = issued.json["api_key"]
    assert issued.json["created_by"].startswith("api:key_")
    assert world.call("GET", "/v1/campaigns", key=text).status == 403

    listed = world.call("GET", "/v1/keys")
    assert text not in listed.text
    assert "sha256" not in listed.text
    assert {item["name"] for item in listed.json["items"]} == {"test", "shop"}

    path = f"/v1/keys/{issued.json['id']}"
    revoked = world.call("DELETE", path)
    assert revoked.status == 200
    assert revoked.json["revoked_at"]
    assert world.call("DELETE", path).json == revoked.json
    assert world.call("GET", "/v1/campaigns", key=text).problem == "unauthenticated"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"name": "a\nb"}, "name"),
    ],
)
def test_a_bad_body_names_the_field(world: World, change: dict[str, object], field: str) -> None:
    assert world.call("POST", "/v1/keys", BODY | change).fields == [field]


def test_keys_of_another_workspace_are_not_there(world: World) -> None:
    issued = world.call("POST", "/v1/keys", BODY).json
    assert world.call("DELETE", f"/v1/keys/{issued['id']}", key=world.other_key).status == 404
    names = [i["name"] for i in world.call("GET", "/v1/keys", key=world.other_key).json["items"]]
    assert names == ["test"]


def test_the_route_that_shows_a_key_keeps_no_answer(world: World) -> None:
    headers = {"Idempotency-Key": "one"}
    first = world.call("POST", "/v1/keys", BODY, headers=headers).json
    second = world.call("POST", "/v1/keys", BODY, headers=headers).json
    assert first["id"] != second["id"]


def test_health_needs_no_key(world: World) -> None:
    answer = world.call("GET", "/v1/health", key=None)
    assert answer.json == {"status": "ok", "version": "0.1.0", "stage": "test"}
