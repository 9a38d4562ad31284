from __future__ import annotations

from tests.functions.api.world import World

SETTINGS = "/v1/settings/audience"


def test_addresses_are_checked(world: World) -> None:
    body = {"addresses": ["Info@Hotnail.com", "nope", "ann@mailinator.com"]}
    items = world.call("POST", "/v1/addresses/check", body).json["items"]
    assert items[0] == {
        "address": "info@hotnail.com",
        "problem": "",
        "flags": ["role", "typo"],
        "suggestion": "info@hotmail.com",
        "action": "flag",
    }
    assert (items[1]["problem"], items[1]["action"]) == ("has no @", "reject")
    assert items[2]["flags"] == ["disposable"]
    assert world.mx.asked == []


def test_dns_is_asked_on_request(world: World) -> None:
    world.mx.hosts["dead.example"] = []
    body = {"addresses": ["ann@dead.example"], "mx": True}
    items = world.call("POST", "/v1/addresses/check", body).json["items"]
    assert items[0]["flags"] == ["no_mx"]
    many = {"addresses": ["a@example.com"] * 11, "mx": True}
    assert world.call("POST", "/v1/addresses/check", many).fields == ["addresses"]
    assert world.call("POST", "/v1/addresses/check", {"addresses": []}).status == 422


def test_settings_decide_what_is_taken(world: World) -> None:
    assert world.call("GET", SETTINGS).json == {
        "disposable": "flag",
        "role": "flag",
        "typo": "flag",
        "no_mx": "accept",
        "attributes": {},
        "version": 0,
    }
    person = {"email": "ann@mailinator.com", "attributes": {"born": "1985-04-01"}}
    made = world.call("POST", "/v1/subscribers", person)
    assert made.json["quality"] == ["disposable"]
    saved = world.call("PUT", SETTINGS, {"disposable": "reject", "attributes": {"born": "date"}})
    assert (saved.status, saved.json["version"]) == (200, 1)
    refused = world.call("POST", "/v1/subscribers", {**person, "email": "bob@mailinator.com"})
    assert (refused.status, refused.fields) == (422, ["email"])
    wrong = {"attributes": {"born": "in spring"}}
    changed = world.call("PATCH", f"/v1/subscribers/{made.json['id']}", wrong)
    assert (changed.status, changed.fields) == (422, ["attributes.born"])
    assert world.call("PUT", SETTINGS, {"attributes": {"Bad Name": "date"}}).status == 422
    assert world.call("PUT", SETTINGS, {"role": "maybe"}).status == 422
    assert world.call("GET", SETTINGS, key=world.other_key).json["version"] == 0
