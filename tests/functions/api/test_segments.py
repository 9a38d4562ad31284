from __future__ import annotations

from typing import Any

import pytest

from shared.audience.segments.snapshots import SnapshotStep, job_of
from shared.audience.segments.walking import AudienceWalk
from shared.jobs import JobState
from tests.fakes import FakePersonStates
from tests.functions.api.world import World

VIP = {"tag": "vip"}
BODY = {"name": "VIPs", "rule": VIP, "description": "our best"}


@pytest.fixture
def crowd(world: World) -> World:
    """Thirty people, every third a VIP, all on one list."""
    world.call("POST", "/v1/lists", {"name": "News"})
    list_id = world.call("GET", "/v1/lists").json["items"][0]["id"]
    for n in range(30):
        tags = ["vip"] if n % 3 == 0 else []
        body = {"email": f"p{n}@example.org", "lists": [list_id], "tags": tags}
        assert world.call("POST", "/v1/subscribers", body).status in {200, 201}
    return world


def created(world: World, rule: Any = VIP) -> str:
    answer = world.call("POST", "/v1/segments", BODY | {"rule": rule})
    assert answer.status == 201, answer.text
    segment_id: str = answer.json["id"]
    return segment_id


def taken(world: World, segment: str) -> str:
    """A snapshot, with its job done."""
    answer = world.call("POST", f"/v1/segments/{segment}/snapshot")
    assert (answer.status, answer.json["state"], answer.json["members"]) == (202, "queued", None)
    snapshot: str = answer.json["id"]
    walk = AudienceWalk(world.memberships, world.subscribers, FakePersonStates())
    step = SnapshotStep(world.snapshots, world.memberships, walk)
    job = world.jobs.get(world.workspace, job_of(snapshot))
    while job.state is not JobState.DONE:
        job = world.jobs.save(step.run(job))
    return snapshot


def test_a_segment_is_created_read_changed_listed_and_deleted(world: World) -> None:
    made = world.call("POST", "/v1/segments", BODY)
    assert made.status == 201
    assert {name: made.json[name] for name in BODY} == BODY
    path = f"/v1/segments/{made.json['id']}"
    assert world.call("GET", path).json == made.json
    changed = world.call("PATCH", path, {"rule": {"not": VIP}})
    assert changed.json["rule"] == {"not": VIP}
    assert changed.json["name"] == "VIPs"
    assert world.call("GET", "/v1/segments").json == {"items": [changed.json], "cursor": None}
    assert world.call("DELETE", path).status == 204
    assert world.call("GET", path).problem == "not-found"


def test_segments_are_paged(world: World) -> None:
    ids = []
    for _ in range(3):
        ids.append(created(world))
        world.clock.advance(seconds=1)
    first = world.call("GET", "/v1/segments", query={"limit": "2"}).json
    query = {"limit": "2", "cursor": first["cursor"]}
    rest = world.call("GET", "/v1/segments", query=query).json
    assert [item["id"] for item in first["items"] + rest["items"]] == ids


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (
            {"rule": {"all": [VIP, {"field": "email", "op": "eq", "value": "x"}]}},
            "/rule/all/1/field",
        ),
        ({"rule": {"attribute": "age", "op": "gt", "value": [1]}}, "/rule/value"),
        ({"rule": {"segment": "seg_" + "0" * 20}}, "/rule/segment"),
        ({"rule": []}, "rule"),
        ({"name": ""}, "name"),
        ({"rules": {}}, "rules"),
    ],
)
def test_what_is_wrong_is_pointed_to(world: World, change: dict[str, Any], field: str) -> None:
    for method, path in (("POST", "/v1/segments"), ("PATCH", f"/v1/segments/{created(world)}")):
        answer = world.call(method, path, (BODY if method == "POST" else {}) | change)
        assert (answer.status, answer.fields) == (422, [field])


def test_a_cycle_is_refused(world: World) -> None:
    first = created(world)
    second = created(world, {"any": [VIP, {"segment": first}]})
    answer = world.call("PATCH", f"/v1/segments/{first}", {"rule": {"segment": second}})
    assert (answer.status, answer.fields) == (422, ["/rule/segment"])
    assert "leads back to itself" in answer.json["detail"]
    answer = world.call("DELETE", f"/v1/segments/{first}")
    assert (answer.status, answer.problem) == (409, "wrong-state")


def test_a_rule_nested_without_end_is_refused(world: World) -> None:
    raw = '{"rule": ' + '{"not": ' * 5000 + "{}" + "}" * 5000 + "}"
    headers = {"Content-Type": "application/json"}
    answer = world.call("POST", "/v1/segments/preview", raw=raw, headers=headers)
    assert answer.status in {400, 422}
    deep = '{"rule": ' + '{"not": ' * 200 + '{"tag": "x"}' + "}" * 200 + "}"
    answer = world.call("POST", "/v1/segments/preview", raw=deep, headers=headers)
    assert answer.status == 422


def test_a_preview_counts_and_shows_some(crowd: World) -> None:
    answer = crowd.call("POST", "/v1/segments/preview", {"rule": {"segment": created(crowd)}})
    assert answer.status == 200
    shown = answer.json["examples"]
    assert {n: answer.json[n] for n in ("count", "exact", "low", "high", "looked_at")} == {
        "count": 10, "exact": True, "low": 10, "high": 10, "looked_at": 30,
    }  # fmt: skip
    assert len(shown) == 10
    assert "@" not in answer.text


def test_a_snapshot_is_taken_shown_and_listed(crowd: World) -> None:
    segment = created(crowd)
    snapshot = taken(crowd, segment)
    shown = crowd.call("GET", f"/v1/snapshots/{snapshot}").json
    assert (shown["state"], shown["members"], shown["looked_at"]) == ("done", 10, 30)
    assert (shown["segment"], shown["rule"]) == (segment, VIP)
    assert shown["expires_at"] == "2027-02-22T08:00:00.000Z"
    [listed] = crowd.call("GET", "/v1/snapshots").json["items"]
    assert listed == {name: shown[name] for name in listed}
    assert crowd.call("POST", "/v1/segments/seg_x/snapshot").status == 404


def test_a_snapshot_stays_while_people_and_the_segment_change(crowd: World) -> None:
    segment = created(crowd)
    snapshot = taken(crowd, segment)
    before = crowd.memberships.lists[crowd.workspace, snapshot].copy()
    for person in crowd.call("GET", "/v1/subscribers", query={"limit": "50"}).json["items"]:
        tags = {"tags": [] if person["tags"] else ["vip"]}
        assert crowd.call("PATCH", f"/v1/subscribers/{person['id']}", tags).status == 200
    rule = {"segment": segment}
    assert crowd.call("POST", "/v1/segments/preview", {"rule": rule}).json["count"] == 20
    assert crowd.call("DELETE", f"/v1/segments/{segment}").status == 204
    shown = crowd.call("GET", f"/v1/snapshots/{snapshot}").json
    assert (shown["members"], shown["rule"]) == (10, VIP)
    assert crowd.memberships.lists[crowd.workspace, snapshot] == before


def test_a_campaign_includes_and_excludes(crowd: World) -> None:
    crowd.verify_domain("example.com")
    body = {"name": "T", "subject": "Hi", "text": "Hello"}
    template = crowd.call("POST", "/v1/templates", body).json["id"]
    list_id = crowd.call("GET", "/v1/lists").json["items"][0]["id"]
    segment = created(crowd)
    audience = {
        "include": [{"list": list_id}, {"segment": segment}],
        "exclude": [{"snapshot": taken(crowd, segment)}],
    }
    draft = {
        "name": "December",
        "sender": {"email": "news@example.com"},
        "template": template,
        "audience": audience,
    }
    made = crowd.call("POST", "/v1/campaigns", draft)
    assert (made.status, made.json["audience"], made.json["lists"]) == (201, audience, [])
    path = f"/v1/campaigns/{made.json['id']}"
    by_lists = crowd.call("PATCH", path, {"lists": [list_id]}).json
    assert by_lists["lists"] == [list_id]
    assert by_lists["audience"] == {"include": [{"list": list_id}], "exclude": []}
    again = crowd.call("PATCH", path, {"audience": audience, "name": "New"}).json
    assert (again["lists"], again["audience"], again["name"]) == ([], audience, "New")
    assert crowd.call("PATCH", path, {"name": "Newer"}).json["audience"] == audience
    launched = crowd.call("POST", path + "/launch")
    assert (launched.status, launched.json["state"]) == (202, "planning")


@pytest.mark.parametrize(
    ("audience", "fields"),
    [
        ({"include": []}, ["audience.include"]),
        ({"include": [{}]}, ["audience.include.0"]),
        ({"include": [{"list": "lst_1", "segment": "seg_1"}]}, ["audience.include.0"]),
        ({"include": [{"tag": "x"}]}, ["audience.include.0.tag"]),
        ({"include": [{"list": "nothing"}]}, ["audience.include.0"]),
    ],
)
def test_a_bad_audience_is_named(world: World, audience: Any, fields: list[str]) -> None:
    draft = {
        "name": "x",
        "sender": {"email": "news@example.com"},
        "template": "tpl_x",
        "audience": audience,
    }
    answer = world.call("POST", "/v1/campaigns", draft)
    assert (answer.status, answer.fields) == (422, fields)


def test_a_campaign_needs_lists_or_an_audience_and_not_both(world: World) -> None:
    draft = {"name": "x", "sender": {"email": "news@example.com"}, "template": "tpl_x"}
    both = {"lists": ["lst_1"], "audience": {"include": [{"list": "lst_" + "0" * 20}]}}
    for change in ({}, both):
        answer = world.call("POST", "/v1/campaigns", draft | change)
        assert (answer.status, answer.fields) == (422, ["lists"])


def test_another_workspace_sees_nothing(crowd: World) -> None:
    segment = created(crowd)
    snapshot = taken(crowd, segment)
    other = crowd.other_key
    for method, path, body in (
        ("GET", f"/v1/segments/{segment}", None),
        ("PATCH", f"/v1/segments/{segment}", {"name": "mine"}),
        ("DELETE", f"/v1/segments/{segment}", None),
        ("POST", f"/v1/segments/{segment}/snapshot", None),
        ("GET", f"/v1/snapshots/{snapshot}", None),
    ):
        assert crowd.call(method, path, body, key=other).problem == "not-found"
    for path in ("/v1/segments", "/v1/snapshots"):
        assert crowd.call("GET", path, key=other).json["items"] == []
    answer = crowd.call("POST", "/v1/segments/preview", {"rule": {"segment": segment}}, key=other)
    assert answer.status == 422
    answer = crowd.call("POST", "/v1/segments/preview", {"rule": VIP}, key=other)
    assert answer.json["count"] == 0
