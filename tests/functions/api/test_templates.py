from __future__ import annotations

from typing import Any

import pytest

from tests.functions.api.world import World

BODY = {"name": "Welcome", "subject": "Hi {{ data.name }}", "text": "Hello {{ data.name }}"}


@pytest.fixture
def created(world: World) -> Any:
    answer = world.call("POST", "/v1/templates", BODY)
    assert answer.status == 201
    return answer.json


def test_a_template_keeps_its_versions(world: World, created: Any) -> None:
    path = f"/v1/templates/{created['id']}"
    assert created["version"] == 1
    revised = world.call("PUT", path, BODY | {"subject": "Hello"}).json
    assert (revised["version"], revised["subject"]) == (2, "Hello")
    assert world.call("GET", path).json == revised
    assert world.call("GET", path, query={"version": "1"}).json == created
    assert world.call("GET", path, query={"version": "3"}).status == 404
    assert world.call("GET", path, query={"version": "0"}).fields == ["version"]
    assert world.call("GET", "/v1/templates").json["items"] == [revised]
    assert world.call("DELETE", path).status == 204
    assert world.call("GET", path).status == 404


def test_a_preview_renders_with_the_callers_values(world: World, created: Any) -> None:
    path = f"/v1/templates/{created['id']}/preview"
    answer = world.call("POST", path, {"data": {"data": {"name": "Ada"}}})
    assert answer.status == 200
    assert answer.json["subject"] == "Hi Ada"
    assert answer.json["text"] == "Hello Ada"
    assert world.call("POST", path, {}).status == 200


@pytest.mark.parametrize(
    "parts",
    [
        {"subject": "Hi", "text": "{% for x in %}"},
        {"subject": "Hi", "text": "{% for a in range(100000) %}{{ a }}{% endfor %}" * 99},
        {"subject": "two\nlines", "text": "x"},
        {"subject": "Hi"},
    ],
)
def test_a_template_that_is_no_good_is_refused(world: World, parts: dict[str, str]) -> None:
    answer = world.call("POST", "/v1/templates", {"name": "Bad"} | parts)
    assert answer.status == 422
    assert answer.fields


def test_another_workspace_sees_nothing(world: World, created: Any) -> None:
    path = f"/v1/templates/{created['id']}"
    other = world.other_key
    assert world.call("GET", path, key=other).status == 404
    assert world.call("PUT", path, BODY, key=other).status == 404
    assert world.call("DELETE", path, key=other).status == 404
    assert world.call("POST", path + "/preview", {}, key=other).status == 404
