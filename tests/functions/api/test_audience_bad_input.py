"""Each bad input about people, files and segments is answered with an error that names the place.

What a file's rows may be is held in `tests/shared/audience/test_bad_rows.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.api.world import World

PEOPLE, SEGMENTS = "/v1/subscribers", "/v1/segments"
IMPORTS = f"{PEOPLE}/imports"
RULE = {"all": [{"tag": "vip"}, {"attribute": "plan", "op": "eq", "value": "team"}]}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "email"),
        ({"email": ""}, "email"),
        ({"email": "ann@example.com, bob@example.com"}, "email"),
        ({"email": "ann@example.com\r\nBcc: bob@example.com"}, "email"),
        ({"email": "an\u0007n@example.com"}, "email"),
        ({"email": "a" * 65 + "@example.com"}, "email"),
        ({"email": "ann@example.com", "attributes": {"bio": "x" * 1001}}, "attributes.bio"),
        ({"email": "ann@example.com", "attributes": {"bio": "\u001b[2J"}}, "attributes.bio"),
        ({"email": "ann@example.com", "attributes": {"likes": ["x"] * 101}}, "attributes.likes"),
        ({"email": "ann@example.com", "attributes": {"n": {"deep": 1}}}, "attributes.n"),
        ({"email": "ann@example.com", "attributes": {"n": None}}, "attributes.n"),
        (
            {"email": "ann@example.com", "attributes": {f"a{n}": "€" * 1000 for n in range(34)}},
            "attributes",
        ),
        ({"email": "ann@example.com", "tags": ["a\nb"]}, "tags"),
        ({"email": "ann@example.com", "tags": ["x" * 101]}, "tags"),
        ({"email": "ann@example.com", "lists": ["lst_unknown"]}, "lists.0"),
        ({"email": "ann@example.com", "shoe_size": 38}, "shoe_size"),
        ({"email": "ann@example.com", "workspace": "ws_other"}, "workspace"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_person_who_cannot_be(
    world: World, method: str, body: dict[str, Any], place: str
) -> None:
    answer = world.call(method, PEOPLE, body)
    assert (answer.status, answer.problem, answer.fields) == (422, "invalid-input", [place])
    assert "ann@" not in answer.text
    assert world.subscribers.people == {}


def test_a_change_that_cannot_be(world: World) -> None:
    ann = world.call("POST", PEOPLE, {"email": "ann@example.com"}).json
    for value in ({"deep": 1}, "x" * 1001, [1], 2**60):
        answer = world.call("PATCH", f"{PEOPLE}/{ann['id']}", {"attributes": {"n": value}})
        assert (answer.status, answer.fields) == (422, ["attributes.n"])
    answer = world.call(
        "POST", f"{PEOPLE}/{ann['id']}/address", {"email": "a@x.example,b@x.example"}
    )
    assert (answer.status, answer.fields) == (422, ["email"])
    assert world.call("GET", f"{PEOPLE}/{ann['id']}").json == ann


@pytest.mark.parametrize(
    ("declared", "wrong", "says"),
    [
        ("text", 1, "a text"),
        ("number", "1", "a number"),
        ("number", True, "a number"),
        ("boolean", "true", "true or false"),
        ("date", "24.11.2026", "a date such as"),
        ("date", "2026-02-30", "a date such as"),
        ("list", "a;b", "a list of texts"),
    ],
)
def test_a_value_of_another_type_than_is_declared(
    world: World, declared: str, wrong: object, says: str
) -> None:
    ann = world.call("POST", PEOPLE, {"email": "ann@example.com"}).json
    types = {"attributes": {"x": declared}}
    assert world.call("PUT", "/v1/settings/audience", types).status == 200
    for method, path, email in (
        ("POST", PEOPLE, {"email": "bob@example.com"}),
        ("PUT", PEOPLE, {"email": "ann@example.com"}),
        ("PATCH", f"{PEOPLE}/{ann['id']}", {}),
    ):
        answer = world.call(method, path, {**email, "attributes": {"x": wrong}})
        assert (answer.status, answer.fields) == (422, ["attributes.x"])
        assert says in answer.json["detail"]
    assert world.call("GET", f"{PEOPLE}/{ann['id']}").json == ann


def test_a_body_of_over_a_megabyte(world: World) -> None:
    body = json.dumps({"email": "ann@example.com", "attributes": {"bio": "x" * 1024 * 1024}})
    answer = world.call("POST", PEOPLE, raw=body)
    assert (answer.status, answer.problem) == (413, "body-too-large")
    assert str(1024 * 1024) in answer.json["detail"] or "MiB" in answer.json["detail"]


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ({"Mail": "tags"}, "mapping"),
        ({"Mail": "email", "E-Mail": "email"}, "mapping"),
        ({"Mail": "email", "Name": "first name"}, "mapping.Name"),
        ({"Mail": "email", "Name": "attributes.First Name"}, "mapping.Name"),
        ({"Mail": "email", "A": "attributes.x", "B": "attributes.x"}, "mapping.A"),
    ],
)
def test_a_mapping_that_cannot_be(world: World, mapping: dict[str, str], place: str) -> None:
    body = {"content_type": "text/csv", "mapping": mapping}
    answer = world.call("POST", f"{IMPORTS}/uploads", body)
    assert answer.status == 422
    assert place in answer.fields
    assert world.jobs.jobs == {}


def test_the_import_of_another_workspace(world: World) -> None:
    opened = world.call("POST", f"{IMPORTS}/uploads", {"content_type": "text/csv"}).json
    world.blobs.put(opened["fields"]["key"], b"email\na@example.com\n", content_type="text/csv")
    for method, path in (
        ("GET", f"{IMPORTS}/{opened['id']}"),
        ("POST", f"{IMPORTS}/{opened['id']}/start"),
        ("GET", f"{IMPORTS}/{opened['id']}/rejections"),
    ):
        answer = world.call(method, path, key=world.other_key)
        assert (answer.status, answer.problem) == (404, "not-found")
    assert world.job_queue.messages == []


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"all": [{"field": "shoe_size", "op": "eq", "value": 38}]}, "/rule/all/0/field"),
        ({"any": [{"tag": "vip"}, {"attributes": "plan"}]}, "/rule/any/1"),
        ({"not": {"tag": "vip", "op": "eq"}}, "/rule/not/op"),
        ({"all": [{"list": "lst_" + "0" * 20}]}, "/rule/all/0/list"),
        ({"all": [{"engagement": "read"}]}, "/rule/all/0/engagement"),
    ],
)
def test_a_rule_that_cannot_be(world: World, rule: dict[str, Any], place: str) -> None:
    for path, body in (
        (SEGMENTS, {"name": "S", "rule": rule}),
        (f"{SEGMENTS}/preview", {"rule": rule}),
    ):
        answer = world.call("POST", path, body)
        assert (answer.status, answer.fields) == (422, [place])


def test_segments_that_lead_back_to_themselves(world: World) -> None:
    def created(rule: dict[str, Any]) -> str:
        return str(world.call("POST", SEGMENTS, {"name": "S", "rule": rule}).json["id"])

    first = created(RULE)
    second = created({"any": [RULE, {"segment": first}]})
    third = created({"not": {"segment": second}})
    for other in (first, second, third):
        rule = {"all": [{"tag": "x"}, {"any": [{"segment": other}]}]}
        answer = world.call("PATCH", f"{SEGMENTS}/{first}", {"rule": rule})
        assert (answer.status, answer.fields) == (422, ["/rule/all/1/any/0/segment"])
        assert "leads back to itself" in answer.json["detail"]
