from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest

from functions.api.routes import NOUNS
from shared.access.model import Scope
from tests.functions.api.test_campaigns import body, draft
from tests.functions.api.world import World

__all__ = ["body", "draft"]  # the fixtures


def told(world: World, key: str = "") -> list[tuple[str, str]]:
    items = world.call("GET", "/v1/audit", key=key).json["items"]
    return [(item["action"], item["target"]) for item in items]


def test_what_is_done_to_a_campaign_is_recorded_newest_first(world: World, draft: Any) -> None:
    campaign = world.campaigns.get(world.workspace, draft["id"])
    path = f"/v1/campaigns/{campaign.id}"
    world.clock.advance(seconds=1)
    assert world.call("POST", path + "/launch").status == 202
    world.clock.advance(seconds=1)
    assert world.call("POST", path + "/cancel").status == 200
    assert told(world)[:2] == [("campaign.cancel", campaign.id), ("campaign.launch", campaign.id)]
    item = world.call("GET", "/v1/audit", query={"limit": "1"}).json
    assert item["items"][0]["by"].startswith("api:key_")
    rest = world.call("GET", "/v1/audit", query={"limit": "1", "cursor": item["cursor"]}).json
    assert rest["items"][0]["action"] == "campaign.launch"


def test_what_is_refused_is_not_recorded(world: World, draft: Any) -> None:
    before = told(world)
    assert world.call("POST", f"/v1/campaigns/{draft['id']}/pause").status == 409
    assert world.call("DELETE", "/v1/keys/key_none").status == 404
    assert told(world) == before


def test_keys_domains_and_deletions_are_recorded(world: World) -> None:
    key = world.call("POST", "/v1/keys", {"name": "k", "scopes": ["messages:send"]}).json
    world.call("DELETE", f"/v1/keys/{key['id']}")
    domain = world.call("POST", "/v1/sender-domains", {"domain": "a.example.com"}).json
    world.txt.records[domain["record"]["name"]] = [domain["record"]["value"]]
    world.call("POST", f"/v1/sender-domains/{domain['id']}/verify")
    world.call("DELETE", f"/v1/sender-domains/{domain['id']}")
    person = world.call("POST", "/v1/subscribers", {"email": "ada@example.org"}).json
    world.call("DELETE", f"/v1/subscribers/{person['id']}")
    recorded = told(world)
    assert sorted(recorded) == sorted(
        [
            ("key.issue", key["id"]),
            ("key.revoke", key["id"]),
            ("sender_domain.add", domain["id"]),
            ("sender_domain.verify", domain["id"]),
            ("sender_domain.delete", domain["id"]),
            ("subscriber.create", person["id"]),
            ("subscriber.delete", person["id"]),
        ]
    )
    text = world.call("GET", "/v1/audit").text
    assert "ada@" not in text
    assert key["api_key"] not in text


def test_another_workspace_has_its_own_log(world: World) -> None:
    world.verify_domain("example.com")
    assert told(world)
    assert told(world, world.other_key) == []


@pytest.mark.parametrize("scope", [s for s in Scope if s is not Scope.ADMIN])
def test_only_an_admin_reads_it(world: World, scope: Scope) -> None:
    key = world.issue(world.workspace, scope)
    assert world.call("GET", "/v1/audit", key=key).status == 403


def test_a_bent_cursor_names_its_field(world: World) -> None:
    answer = world.call("GET", "/v1/audit", query={"cursor": "bent"})
    assert (answer.status, answer.fields) == (422, ["cursor"])


def test_the_log_is_asked_by_key_action_target_and_time(world: World) -> None:
    first = world.call("POST", "/v1/lists", {"name": "a"}).json["id"]
    world.clock.advance(days=40)
    second = world.call("POST", "/v1/lists", {"name": "b"}).json["id"]
    by = world.call("GET", "/v1/audit").json["items"][0]["by"]

    def asked(**query: str) -> list[str]:
        items = world.call("GET", "/v1/audit", query=query).json["items"]
        return [item["target"] for item in items]

    assert asked(by=by) == [second, first]
    assert asked(by="api:key_other") == []
    assert asked(action="list.create", target=first) == [first]
    assert asked(action="list.delete") == []
    assert asked(since="2026-12-01T00:00:00Z") == [second]
    assert asked(until="2026-12-01T00:00:00+00:00") == [first]
    assert world.call("GET", "/v1/audit", query={"since": "2026-12-01T00:00:00"}).status == 422


NOT_RECORDED = {
    "POST /v1/addresses/check": "stores nothing",
    "POST /v1/segments/preview": "stores nothing",
    "POST /v1/routing/explain": "stores nothing",
    "POST /v1/templates/<template_id>/preview": "stores nothing",
    "POST /v1/subscribers/imports/pinpoint-segments": "stores nothing",
    "POST /v1/messages": "a write unit a message; the ledger has it, the request log its key",
    "POST /v1/messages/batch": "as for one message",
}
"""Routes that are no GET and leave no entry, and why."""


def test_every_route_that_writes_leaves_an_entry_or_says_why_not() -> None:
    silent = {
        f"{endpoint.method} {endpoint.rule}"
        for noun in NOUNS
        for endpoint in noun.declared
        if endpoint.method != "GET" and "call.record(" not in inspect.getsource(endpoint.call)
    }
    assert silent == set(NOT_RECORDED)


def test_an_entry_is_kept_for_good_or_as_long_as_is_set(world: World) -> None:
    world.call("POST", "/v1/lists", {"name": "a"})
    assert set(world.audit_log.until.values()) == {None}
    assert world.call("PUT", "/v1/settings/retention", {"audit_days": 365}).status == 200
    world.clock.advance(minutes=5)
    world.call("POST", "/v1/lists", {"name": "b"})
    *_, newest = world.audit_log.until.values()
    assert newest == world.clock.now() + timedelta(days=365)
