from __future__ import annotations

from tests.functions.api.world import World


def test_a_list_is_created_read_changed_and_deleted(world: World) -> None:
    created = world.call("POST", "/v1/lists", {"name": "News", "description": "Monthly"})
    assert created.status == 201
    path = f"/v1/lists/{created.json['id']}"
    assert world.call("GET", path).json == created.json
    changed = world.call("PATCH", path, {"name": "Old news"})
    assert changed.json == created.json | {"name": "Old news"}
    gone = world.call("DELETE", path)
    assert (gone.status, gone.text) == (204, "")
    assert "content-type" not in gone.headers
    assert world.call("GET", path).problem == "not-found"


def test_lists_are_paged(world: World) -> None:
    names = ["a", "b", "c"]
    for name in names:
        world.call("POST", "/v1/lists", {"name": name})
        world.clock.advance(seconds=1)
    first = world.call("GET", "/v1/lists", query={"limit": "2"}).json
    rest = world.call("GET", "/v1/lists", query={"limit": "2", "cursor": first["cursor"]}).json
    assert [item["name"] for item in first["items"] + rest["items"]] == names
    assert rest["cursor"] is None


def test_a_name_with_a_line_break_is_refused(world: World) -> None:
    answer = world.call("POST", "/v1/lists", {"name": "a\nb"})
    assert (answer.status, answer.fields) == (422, ["name"])


def test_another_workspace_sees_nothing(world: World) -> None:
    path = f"/v1/lists/{world.call('POST', '/v1/lists', {'name': 'News'}).json['id']}"
    other = world.other_key
    for method, body in (("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)):
        assert world.call(method, path, body, key=other).problem == "not-found"
    assert world.call("GET", "/v1/lists", key=other).json["items"] == []
    assert world.call("GET", path).json["name"] == "News"
