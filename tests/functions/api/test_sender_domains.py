from __future__ import annotations

from tests.functions.api.world import World


def test_a_domain_is_added_proven_and_deleted(world: World) -> None:
    added = world.call("POST", "/v1/sender-domains", {"domain": "Example.com"})
    assert added.status == 201
    assert added.json["state"] == "pending"
    assert added.json["record"]["type"] == "TXT"
    assert added.json["record"]["name"] == "_tidepost.example.com"
    path = f"/v1/sender-domains/{added.json['id']}"
    assert world.call("GET", path).json == added.json

    unproven = world.call("POST", path + "/verify")
    assert (unproven.status, unproven.problem) == (409, "conflict")
    assert added.json["record"]["value"] in unproven.json["detail"]

    world.txt.down = True
    assert world.call("POST", path + "/verify").problem == "dependency-unavailable"
    world.txt.down = False
    world.txt.records[added.json["record"]["name"]] = [added.json["record"]["value"]]
    verified = world.call("POST", path + "/verify")
    assert (verified.status, verified.json["state"]) == (200, "verified")
    assert world.call("GET", "/v1/sender-domains").json["items"] == [verified.json]

    assert world.call("DELETE", path).status == 204
    assert world.call("GET", path).status == 404


def test_a_domain_of_another_workspace_is_refused_without_saying_whose(world: World) -> None:
    world.verify_domain("example.com", key=world.other_key)
    answer = world.call("POST", "/v1/sender-domains", {"domain": "example.com"})
    assert (answer.status, answer.problem) == (409, "conflict")
    assert world.other_workspace not in answer.text


def test_what_is_no_domain_is_refused(world: World) -> None:
    answer = world.call("POST", "/v1/sender-domains", {"domain": "not a domain"})
    assert (answer.status, answer.fields) == (422, ["domain"])


def test_another_workspace_sees_nothing(world: World) -> None:
    added = world.call("POST", "/v1/sender-domains", {"domain": "example.com"}).json
    path = f"/v1/sender-domains/{added['id']}"
    other = world.other_key
    assert world.call("GET", path, key=other).status == 404
    assert world.call("POST", path + "/verify", key=other).status == 404
    assert world.call("DELETE", path, key=other).status == 404
    assert world.call("GET", "/v1/sender-domains", key=other).json["items"] == []
