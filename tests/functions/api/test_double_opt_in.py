"""Lists that ask, and how the public pages look, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.api.world import World

ASKS = {"sender": {"email": "news@example.com", "name": "Example"}}


@pytest.fixture
def verified(world: World) -> World:
    world.verify_domain()
    return world


def made(world: World, **fields: Any) -> str:
    answer = world.call("POST", "/v1/lists", {"name": "News", "double_opt_in": ASKS, **fields})
    assert answer.status == 201, answer.text
    return str(answer.json["id"])


def mails(world: World) -> list[dict[str, Any]]:
    """The messages that were taken in."""
    return [dict(plan.message or {}) for plan in world.ledger.plans.values()]


def test_a_list_says_how_it_asks_and_where_people_sign_up(verified: World) -> None:
    news = made(verified, public=True)
    got = verified.call("GET", f"/v1/lists/{news}").json
    assert (got["public"], got["double_opt_in"]) == (True, {**ASKS, "template": ""})
    assert got["form_url"].startswith("https://mail.example.com/s/k1.")
    renamed = verified.call("PATCH", f"/v1/lists/{news}", {"name": "Letters"}).json
    assert renamed == {**got, "name": "Letters"}
    ended = verified.call("PATCH", f"/v1/lists/{news}", {"double_opt_in": None}).json
    assert (ended["double_opt_in"], ended["form_url"], ended["public"]) == (None, None, True)
    plain = verified.call("POST", "/v1/lists", {"name": "Plain"}).json
    assert (plain["double_opt_in"], plain["form_url"], plain["public"]) == (None, None, False)


@pytest.mark.parametrize(
    ("opt_in", "field"),
    [
        ({"sender": {"email": "news@elsewhere.example"}}, "double_opt_in.sender.email"),
        ({"sender": {"email": "no address"}}, "double_opt_in.sender.email"),
        ({**ASKS, "template": "tpl_06f2m1v5q0g4k8s2c7d0"}, "double_opt_in.template"),
        ({}, "double_opt_in.sender"),
    ],
)
def test_a_list_that_could_not_ask_is_refused(
    verified: World, opt_in: dict[str, Any], field: str
) -> None:
    news = made(verified)
    for method, path in (("POST", "/v1/lists"), ("PATCH", f"/v1/lists/{news}")):
        answer = verified.call(method, path, {"name": "News", "double_opt_in": opt_in})
        assert answer.status == 422
        assert any(named.startswith(field) for named in answer.fields), answer.fields


def test_a_template_must_show_the_link_in_each_of_its_parts(verified: World) -> None:
    def template(text: str) -> str:
        body = {"name": "Ask", "subject": "Ask", "html": "<a href='{{ data.confirm_url }}'>y</a>"}
        answer = verified.call("POST", "/v1/templates", {**body, "text": text})
        return str(answer.json["id"])

    bad, good = template("no link"), template("{{ data.list }}: {{ data.confirm_url }}")
    answer = verified.call(
        "POST", "/v1/lists", {"name": "News", "double_opt_in": {**ASKS, "template": bad}}
    )
    assert answer.fields == ["double_opt_in.template"]
    news = made(verified, double_opt_in={**ASKS, "template": good})
    verified.call("POST", "/v1/subscribers", {"email": "ada@example.com", "lists": [news]})
    (mail,) = mails(verified)
    assert mail["template_id"] == good
    assert mail["data"]["list"] == "News"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_who_joins_is_pending_and_asked_once(verified: World, method: str) -> None:
    news = made(verified)
    plain = verified.call("POST", "/v1/lists", {"name": "Plain"}).json["id"]
    body = {"email": "ada@example.com", "lists": [news, plain], "locale": "fr-CA"}
    person = verified.call(method, "/v1/subscribers", body).json
    assert person["lists"] == {news: "pending", plain: "subscribed"}
    for _ in range(2):
        verified.call("PUT", "/v1/subscribers", body)
    (mail,) = mails(verified)
    assert mail["to"]["address"] == "ada@example.com"
    assert mail["sender"] == {"address": "news@example.com", "name": "Example"}
    assert mail["data"]["language"] == "fr"
    assert mail["data"]["confirm_url"].startswith("https://mail.example.com/c/k1.")
    assert "data.list" in mail["content"]["html"]


def test_a_person_can_be_asked_and_be_vouched_for(verified: World) -> None:
    news = made(verified)
    ada = verified.call("POST", "/v1/subscribers", {"email": "ada@example.com"}).json["id"]
    path = f"/v1/subscribers/{ada}"

    def change(state: str) -> Any:
        return verified.call("PATCH", path, {"lists": {news: state}}).json["lists"][news]

    assert change("pending") == "pending"
    assert len(mails(verified)) == 1
    assert change("subscribed") == "subscribed"
    verified.clock.advance(hours=1)
    assert change("pending") == "subscribed"
    assert len(mails(verified)) == 1
    assert change("unsubscribed") == "unsubscribed"
    assert change("pending") == "unsubscribed"
    assert len(mails(verified)) == 2


def test_a_list_without_double_opt_in_asks_nobody(verified: World) -> None:
    plain = verified.call("POST", "/v1/lists", {"name": "Plain"}).json["id"]
    ada = verified.call("POST", "/v1/subscribers", {"email": "ada@example.com"}).json["id"]
    answer = verified.call("PATCH", f"/v1/subscribers/{ada}", {"lists": {plain: "pending"}})
    assert (answer.status, answer.fields) == (422, [f"lists.{plain}"])


def test_a_sender_that_was_lost_since_is_said(verified: World) -> None:
    news = made(verified)
    domain = verified.call("GET", "/v1/sender-domains").json["items"][0]["id"]
    verified.call("DELETE", f"/v1/sender-domains/{domain}")
    answer = verified.call("POST", "/v1/subscribers", {"email": "ada@example.com", "lists": [news]})
    assert (answer.status, answer.problem) == (409, "wrong-state")
    assert "double_opt_in" in answer.json["detail"]


def test_how_the_pages_look(world: World) -> None:
    path = "/v1/settings/pages"
    defaults = world.call("GET", path).json
    assert (defaults["color"], defaults["locale"], defaults["version"]) == ("#1f4fbf", "en", 0)
    mine = {
        "name": " Shop ",
        "logo_url": "https://img.example.com/logo.png?v=2",
        "color": "#FFCC00",
        "locale": "de",
    }
    saved = world.call("PUT", path, mine).json
    assert saved == {**mine, "name": "Shop", "color": "#ffcc00", "version": 1}
    assert world.call("GET", path).json == saved
    assert world.call("GET", path, key=world.other_key).json["version"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "two\nlines"),
        ("color", "red"),
        ("color", "#fff"),
        ("color", "#ffffff;}"),
        ("color", "#ffffff\n"),
        ("locale", "xx"),
        ("locale", "../de"),
        ("logo_url", "http://img.example.com/logo.png"),
        ("logo_url", "https://img.example.com"),
        ("logo_url", "https://user@img.example.com/logo.png"),
        ("logo_url", "https://img.example.com/a.png; script-src *"),
        ("logo_url", 'https://img.example.com/a.png"onerror="x'),
        ("logo_url", "https://localhost/a.png"),
        ("logo_url", "javascript:alert(1)"),
        ("logo_url", "https://img.example.com/a.png\n"),
    ],
)
def test_looks_that_could_harm_are_refused(world: World, field: str, value: str) -> None:
    answer = world.call("PUT", "/v1/settings/pages", {field: value})
    assert (answer.status, answer.fields) == (422, [field])
