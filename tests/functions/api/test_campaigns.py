from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.analytics.model import Engagement
from shared.delivery.states import CampaignState
from shared.events import Event, EventType
from shared.ids import MessageRef
from shared.mail import MailboxGroup
from tests.functions.api.world import World

SENDER = {"email": "news@example.com", "name": "Example"}
TEMPLATE = {"name": "T", "subject": "Hi", "text": "Hello"}


@pytest.fixture
def body(world: World) -> dict[str, Any]:
    """Everything that a campaign needs, one subscriber on the list included."""
    world.verify_domain("example.com")
    list_id = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    template = world.call("POST", "/v1/templates", TEMPLATE).json["id"]
    world.call("POST", "/v1/subscribers", {"email": "ada@example.org", "lists": [list_id]})
    return {"name": "December", "sender": SENDER, "template": template, "lists": [list_id]}


@pytest.fixture
def draft(world: World, body: dict[str, Any]) -> Any:
    answer = world.call("POST", "/v1/campaigns", body)
    assert answer.status == 201
    return answer.json


def move(world: World, campaign_id: str, state: CampaignState) -> None:
    """As jobs and scheduler would."""
    campaign = world.campaigns.get(world.workspace, campaign_id)
    world.campaigns.save(replace(campaign, state=state, chunks=1, recipients=1))


def test_a_draft_is_created_read_and_changed(
    world: World, body: dict[str, Any], draft: Any
) -> None:
    assert draft["state"] == "draft"
    assert draft["sender"] == SENDER
    assert (draft["template"], draft["template_version"]) == (body["template"], None)
    path = f"/v1/campaigns/{draft['id']}"
    assert world.call("GET", path).json == draft
    changed = world.call("PATCH", path, {"name": "New", "reply_to": {"email": "re@example.com"}})
    reply_to = {"email": "re@example.com", "name": ""}
    assert changed.json == draft | {"name": "New", "reply_to": reply_to}
    assert world.call("PATCH", path, {"tags": ["a"]}).json["reply_to"] == reply_to
    assert world.call("PATCH", path, {"reply_to": None}).json["reply_to"] is None
    assert [c["id"] for c in world.call("GET", "/v1/campaigns").json["items"]] == [draft["id"]]


def test_launching_twice_says_so_and_sends_nothing_more(world: World, draft: Any) -> None:
    path = f"/v1/campaigns/{draft['id']}"
    launched = world.call("POST", path + "/launch")
    assert (launched.status, launched.json["state"]) == (202, "planning")
    assert launched.json["template_version"] == 1
    assert len(world.job_queue.messages) == 1
    again = world.call("POST", path + "/launch")
    assert (again.status, again.problem) == (409, "wrong-state")
    assert len(world.job_queue.messages) == 1
    assert world.call("PATCH", path, {"name": "New"}).problem == "wrong-state"


def test_a_campaign_is_paused_resumed_and_cancelled(world: World, draft: Any) -> None:
    path = f"/v1/campaigns/{draft['id']}"
    assert world.call("POST", path + "/pause").problem == "wrong-state"
    world.call("POST", path + "/launch")
    move(world, draft["id"], CampaignState.SENDING)
    assert world.call("POST", path + "/pause").json["state"] == "paused"
    assert world.call("POST", path + "/resume").json["state"] == "sending"
    assert world.call("POST", path + "/cancel").json["state"] == "cancelled"
    assert world.call("POST", path + "/resume").problem == "wrong-state"


def test_a_report_always_shows_the_sum(world: World, draft: Any) -> None:
    report = world.call("GET", f"/v1/campaigns/{draft['id']}/report")
    assert report.status == 200
    states = ("accepted", "rejected", "failed", "skipped", "in_doubt", "pending")
    assert report.json["recipients"] == sum(report.json[state] for state in states)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "two\nlines"}, "name"),
        ({"sender": SENDER | {"name": "two\r\nlines"}}, "sender.name"),
        ({"sender": {"email": "nobody"}}, "sender.email"),
        ({"lists": []}, "lists"),
        ({"lists": None}, "lists"),
        ({"template": None}, "template"),
        ({"tags": ["white space"]}, "tags"),
        ({"reply_to": {"email": "nobody"}}, "reply_to.email"),
        ({"html": "<p>"}, "html"),
    ],
)
def test_a_bad_body_names_the_field(
    world: World, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    answer = world.call("POST", "/v1/campaigns", body | change)
    assert (answer.status, answer.fields) == (422, [field])


def test_a_sender_of_another_workspace_is_refused_when_it_is_saved(
    world: World, body: dict[str, Any]
) -> None:
    world.verify_domain("theirs.example", key=world.other_key)
    answer = world.call("POST", "/v1/campaigns", body | {"sender": {"email": "a@theirs.example"}})
    assert (answer.status, answer.fields) == (422, ["sender.email"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sender": {"email": "a@unverified.example"}}, "sender.email"),
        ({"lists": ["lst_unknown"]}, "lists.0"),
        ({"template": "tpl_unknown"}, "template"),
    ],
)
def test_a_launch_that_cannot_succeed_is_refused(
    world: World, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    draft = world.call("POST", "/v1/campaigns", body | change).json
    answer = world.call("POST", f"/v1/campaigns/{draft['id']}/launch")
    assert (answer.status, answer.fields) == (422, [field])
    assert not world.job_queue.messages
    assert world.call("GET", f"/v1/campaigns/{draft['id']}").json["state"] == "draft"


def test_a_launch_to_nobody_is_refused(world: World, body: dict[str, Any]) -> None:
    empty = world.call("POST", "/v1/lists", {"name": "Empty"}).json["id"]
    draft = world.call("POST", "/v1/campaigns", body | {"lists": [empty]}).json
    answer = world.call("POST", f"/v1/campaigns/{draft['id']}/launch")
    assert (answer.status, answer.fields) == (422, ["lists"])


def test_events_of_a_campaign_are_listed(world: World, draft: Any) -> None:
    move(world, draft["id"], CampaignState.PLANNING)
    event = Event(
        type=EventType.CLICKED,
        provider="ses-1",
        event_id="e",
        occurred_at=world.clock.now(),
        esp_type="Click",
        url="https://example.com/",
    )
    ref = MessageRef(world.workspace, draft["id"], 0, 0)
    subscriber = "sub_" + "0" * 20
    world.engagements.put_many([Engagement(event, ref, subscriber, MailboxGroup.GMAIL)])
    answer = world.call("GET", f"/v1/campaigns/{draft['id']}/events")
    assert answer.json["cursor"] is None
    (item,) = answer.json["items"]
    assert item["type"] == "clicked"
    assert item["url"] == "https://example.com/"
    assert item["subscriber"] == subscriber
    assert item["at"] == "2026-11-24T08:00:00.000Z"


def test_another_workspace_sees_nothing(world: World, draft: Any) -> None:
    path = f"/v1/campaigns/{draft['id']}"
    other = world.other_key
    for ending in ("", "/report", "/events"):
        assert world.call("GET", path + ending, key=other).status == 404
    for ending in ("/launch", "/pause", "/resume", "/cancel"):
        assert world.call("POST", path + ending, key=other).status == 404
    assert world.call("PATCH", path, {"name": "x"}, key=other).status == 404
    assert world.call("GET", "/v1/campaigns", key=other).json["items"] == []
