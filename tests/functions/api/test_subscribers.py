from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.analytics.model import Engagement
from shared.events import BounceKind, Event, EventType
from shared.ids import MessageRef
from shared.mail import MailboxGroup
from tests.functions.api.world import World

BODY = {"email": "Ada@Example.com", "attributes": {"first_name": "Ada", "vip": True}}


@pytest.fixture
def mailing_list(world: World) -> str:
    return str(world.call("POST", "/v1/lists", {"name": "News"}).json["id"])


@pytest.fixture
def ada(world: World, mailing_list: str) -> Any:
    answer = world.call("POST", "/v1/subscribers", BODY | {"lists": [mailing_list]})
    assert answer.status == 201
    return answer.json


def test_a_subscriber_is_created_and_read(world: World, ada: Any, mailing_list: str) -> None:
    assert ada["id"].startswith("sub_")
    assert ada["lists"] == {mailing_list: "subscribed"}
    assert ada["attributes"] == {"first_name": "Ada", "vip": True}
    assert world.call("GET", f"/v1/subscribers/{ada['id']}").json == ada


def test_the_same_address_again_is_a_409(world: World, ada: Any) -> None:
    answer = world.call("POST", "/v1/subscribers", {"email": ada["email"].upper()})
    assert (answer.status, answer.problem) == (409, "already-exists")
    assert "ada" not in answer.text.lower()


def test_what_is_wrong_is_named(world: World) -> None:
    body = {
        "email": "not an address",
        "lists": ["lst_unknown"],
        "locale": "?",
        "time_zone": "Mars/Base",
        "attributes": {"Bad Name": 1},
    }
    answer = world.call("POST", "/v1/subscribers", body)
    assert answer.status == 422
    assert set(answer.fields) == {"email", "lists.0", "locale", "time_zone", "attributes"}


def test_a_subscriber_is_changed(world: World, ada: Any, mailing_list: str) -> None:
    path = f"/v1/subscribers/{ada['id']}"
    body = {
        "attributes": {"first_name": None, "orders": 3},
        "tags": ["a"],
        "locale": "pt_br",
        "lists": {mailing_list: "unsubscribed"},
    }
    changed = world.call("PATCH", path, body)
    assert changed.status == 200
    assert changed.json["attributes"] == {"vip": True, "orders": 3}
    assert changed.json["tags"] == ["a"]
    assert changed.json["locale"] == "pt-BR"
    assert changed.json["lists"] == {mailing_list: "unsubscribed"}
    back = world.call("PATCH", path, {"lists": {mailing_list: "subscribed"}})
    assert back.json["lists"] == {mailing_list: "subscribed"}
    assert back.json["tags"] == ["a"]


def test_an_unknown_list_changes_nothing(world: World, ada: Any) -> None:
    path = f"/v1/subscribers/{ada['id']}"
    body = {"tags": ["a"], "lists": {"lst_unknown": "subscribed"}}
    assert world.call("PATCH", path, body).fields == ["lists.lst_unknown"]
    assert world.call("PATCH", path, {"lists": {"lst_x": "pending"}}).fields == ["lists.lst_x"]
    assert world.call("GET", path).json == ada


def test_a_deleted_subscriber_is_gone_at_once(world: World, ada: Any) -> None:
    answer = world.call("DELETE", f"/v1/subscribers/{ada['id']}")
    assert answer.status == 202
    assert [message.job for message in world.job_queue.messages] == [answer.json["job"]]
    assert world.call("GET", f"/v1/subscribers/{ada['id']}").status == 404


def test_one_is_found_by_address(world: World, ada: Any) -> None:
    found = world.call("GET", "/v1/subscribers", query={"email": "ada@EXAMPLE.com"})
    assert found.json == {"items": [ada], "cursor": None}
    nobody = world.call("GET", "/v1/subscribers", query={"email": "bob@example.com"})
    assert nobody.json == {"items": [], "cursor": None}
    assert world.call("GET", "/v1/subscribers", query={"email": "x"}).status == 422


def test_subscribers_are_listed_all_or_by_list(world: World, ada: Any, mailing_list: str) -> None:
    for number in range(4):
        world.call("POST", "/v1/subscribers", {"email": f"p{number}@example.com"})
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = world.call("GET", "/v1/subscribers", query=query).json
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert len(seen) == len(set(seen)) == 5
    of_list = world.call("GET", "/v1/subscribers", query={"list": mailing_list}).json
    assert of_list["items"] == [ada]
    assert world.call("GET", "/v1/subscribers", query={"list": "lst_x"}).status == 404


def test_another_workspace_sees_nothing(world: World, ada: Any, mailing_list: str) -> None:
    path = f"/v1/subscribers/{ada['id']}"
    other = world.other_key
    assert world.call("GET", path, key=other).status == 404
    assert world.call("PATCH", path, {"tags": ["x"]}, key=other).status == 404
    assert world.call("DELETE", path, key=other).status == 404
    assert world.call("GET", path + "/events", key=other).status == 404
    assert world.call("GET", "/v1/subscribers", key=other).json["items"] == []
    body = {"email": "ada@example.com", "lists": [mailing_list]}
    assert world.call("POST", "/v1/subscribers", body, key=other).fields == ["lists.0"]


def test_events_of_a_subscriber_are_paged_newest_first(world: World, ada: Any) -> None:
    campaign = "cmp_" + "0" * 20
    world.engagements.put_many(
        Engagement(
            Event(
                type=kind,
                provider="sendgrid-1",
                event_id=f"e{number}",
                occurred_at=world.clock.now() + timedelta(seconds=number),
                esp_type="bounce",
                bounce=BounceKind.SOFT if kind is EventType.BOUNCED else None,
            ),
            MessageRef(world.workspace, campaign, 0, 7),
            ada["id"],
            MailboxGroup.OTHER,
        )
        for number, kind in enumerate([EventType.SENT, EventType.BOUNCED])
    )
    path = f"/v1/subscribers/{ada['id']}/events"
    newest = world.call("GET", path, query={"limit": "1"}).json
    assert newest["items"][0]["type"] == "bounced"
    assert newest["items"][0]["bounce"] == "soft"
    assert newest["items"][0]["campaign"] == campaign
    assert "email" not in newest["items"][0]
    ref = world.services.message_ids.parse(newest["items"][0]["message"])
    assert (ref.campaign, ref.index) == (campaign, 7)
    rest = world.call("GET", path, query={"limit": "1", "cursor": newest["cursor"]}).json
    assert [item["type"] for item in rest["items"]] == ["sent"]


def test_a_change_of_address(world: World) -> None:
    ada = world.call("POST", "/v1/subscribers", {"email": "ada@example.com"}).json
    path = f"/v1/subscribers/{ada['id']}"
    moved = world.call("POST", f"{path}/address", {"email": "Ada@New.example"})
    assert moved.status == 200
    assert moved.json["email"] == "ada@new.example"
    assert moved.json["previous"] == [ada["id"]]
    assert world.call("GET", path).json == moved.json
    campaign = "cmp_" + "0" * 20
    world.engagements.put_many(
        Engagement(
            Event(EventType.OPENED, "ses", f"e{n}", world.clock.now() + timedelta(hours=n), "Open"),
            MessageRef(world.workspace, campaign, 0, n),
            (ada["id"], moved.json["id"])[n % 2],
            MailboxGroup.OTHER,
        )
        for n in range(4)
    )
    for one in (ada["id"], moved.json["id"]):
        events = world.call("GET", f"/v1/subscribers/{one}/events", query={"limit": "3"}).json
        rest = {"cursor": events["cursor"]}
        events["items"] += world.call("GET", f"/v1/subscribers/{one}/events", query=rest).json[
            "items"
        ]
        refs = [world.services.message_ids.parse(event["message"]) for event in events["items"]]
        assert [ref.index for ref in refs] == [3, 2, 1, 0]
    found = world.call("GET", "/v1/subscribers", query={"email": "ada@new.example"})
    assert [one["id"] for one in found.json["items"]] == [moved.json["id"]]
    world.call("POST", "/v1/subscribers", {"email": "bob@example.com"})
    now = f"/v1/subscribers/{moved.json['id']}/address"
    assert world.call("POST", now, {"email": "bob@example.com"}).problem == "already-exists"
    other = world.call("POST", f"{path}/address", {"email": "x@y.example"}, key=world.other_key)
    assert other.status == 404
    query = {"action": "subscriber.readdress"}
    [entry] = world.call("GET", "/v1/audit", query=query).json["items"]
    assert entry["details"] == {"new": moved.json["id"]}


def test_upserts_add_and_merge(world: World) -> None:
    body = {"email": "ada@example.com", "attributes": {"a": 1}, "tags": ["x"]}
    assert world.call("PUT", "/v1/subscribers", body).status == 200
    merged = world.call("PUT", "/v1/subscribers", {**body, "attributes": {"b": 2}, "tags": ["y"]})
    assert merged.json["attributes"] == {"a": 1, "b": 2}
    assert merged.json["tags"] == ["x", "y"]
