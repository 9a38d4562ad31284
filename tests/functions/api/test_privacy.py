"""Consents, a person's data, erasure and retention, as a client sees them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.api.routes import privacy
from shared.analytics.model import Engagement
from shared.audience.model import SuppressionReason
from shared.engagement import Deed, EngagementState, Fact, KeptState, day_of
from shared.events import Event, EventType
from shared.ids import Ids, to_bytes
from shared.mail import MailboxGroup
from tests.fakes import seeded_bytes
from tests.functions.api.world import World

AGREED = {
    "how": "checkout form",
    "text_version": "news-2026-03",
    "ip": "203.0.113.9",
    "user_agent": "Firefox",
}


def add(world: World, email: str = "ada@example.com", **more: Any) -> Any:
    answer = world.call("POST", "/v1/subscribers", {"email": email, **more})
    assert answer.status == 201, answer.text
    return answer.json


def erase(world: World, **whom: str) -> Any:
    answer = world.call("POST", "/v1/erasures", whom)
    assert answer.status == 202, answer.text
    return answer.json


def test_each_change_of_consent_leaves_a_record_that_says_how(world: World) -> None:
    news = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    ada = add(world, lists=[news], consent=AGREED)
    path = f"/v1/subscribers/{ada['id']}"
    world.clock.advance(minutes=1)
    world.call("PATCH", path, {"lists": {news: "unsubscribed"}})
    world.call("PATCH", path, {"lists": {news: "unsubscribed"}})
    page = world.call("GET", f"{path}/consents").json
    first, second = page["items"]
    assert first == {
        "change": "subscribed",
        "at": "2026-11-24T08:00:00.000Z",
        "subscriber": ada["id"],
        "lists": [news],
        "detail": "",
        "actor": second["actor"],
        **AGREED,
    }
    assert (second["change"], second["how"], second["ip"]) == ("unsubscribed", "api", None)
    assert second["actor"].startswith("api:key_")
    assert page["imports"] == []
    one = world.call("GET", f"{path}/consents", query={"limit": "1"}).json
    rest = world.call("GET", f"{path}/consents", query={"cursor": one["cursor"]}).json
    assert (one["items"], rest["items"]) == ([first], [second])
    bent = world.call("GET", f"{path}/consents", query={"cursor": "bent"})
    assert (bent.status, bent.fields) == (422, ["cursor"])


def test_consents_go_along_with_a_new_address(world: World) -> None:
    news = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    ada = add(world, lists=[news])
    world.clock.advance(minutes=1)
    moved = world.call("POST", f"/v1/subscribers/{ada['id']}/address", {"email": "a@new.example"})
    items = world.call("GET", f"/v1/subscribers/{moved.json['id']}/consents").json["items"]
    assert [(item["change"], item["subscriber"]) for item in items] == [
        ("subscribed", ada["id"]),
        ("readdressed", moved.json["id"]),
    ]
    assert items[1]["detail"] == ada["id"]


def test_all_that_is_known_comes_in_one_document(world: World) -> None:
    ada = add(world, attributes={"first_name": "Ada"}, tags=["vip"])
    answer = world.call("GET", f"/v1/subscribers/{ada['id']}/data")
    document = answer.json["document"]
    assert document["profile"]["address"] == "ada@example.com"
    assert document["attributes"] == {"first_name": "Ada"}
    assert set(document) == {
        "as_of", "profile", "lists", "attributes", "tags", "former_ids", "consents",
        "suppressions", "engagement", "snapshots", "campaigns", "messages", "events",
    }  # fmt: skip
    assert answer.json["download"] is None
    [entry] = world.call("GET", "/v1/audit", query={"action": "subscriber.read_all"}).json["items"]
    assert entry["target"] == ada["id"]
    assert world.call("GET", f"/v1/subscribers/{ada['id']}/data", key=world.other_key).status == 404


def test_a_document_too_large_for_an_answer_is_a_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = add(world)
    monkeypatch.setattr(privacy, "MAX_INLINE_BYTES", 10)
    answer = world.call("GET", f"/v1/subscribers/{ada['id']}/data").json
    assert answer["document"] is None
    [key] = world.blobs.files
    assert key.startswith(f"{world.workspace}/exports/data/")
    assert answer["download"].startswith(f"https://files.example/{key}?")
    assert b"ada@example.com" in world.blobs.files[key]


def test_an_erasure_is_in_force_at_once_and_journalled(world: World) -> None:
    ada = add(world)
    begun = erase(world, subscriber=ada["id"])
    assert (begun["state"], begun["subscriber"]) == ("queued", ada["id"])
    assert world.call("GET", f"/v1/erasures/{begun['id']}").json == begun
    entry = world.suppressions.entries[world.workspace, ada["id"]]
    assert entry.reason is SuppressionReason.ERASURE
    assert world.subscribers.people[world.workspace, ada["id"]].suppressed is entry.reason
    [journalled] = world.erasures.entries
    assert (journalled.workspace, journalled.subscribers) == (world.workspace, (ada["id"],))
    assert world.job_queue.messages[-1].job == begun["id"]
    [logged] = world.call("GET", "/v1/audit", query={"action": "subscriber.erase"}).json["items"]
    assert logged["target"] == ada["id"]
    assert "ada@" not in world.call("GET", "/v1/audit").text


def test_somebody_who_is_not_stored_is_erased_by_address(world: World) -> None:
    begun = erase(world, email="Gone@Example.com")
    refused = world.call("POST", "/v1/subscribers", {"email": "gone@example.com"})
    assert (refused.status, refused.problem) == (409, "wrong-state")
    vague = {"email": "gone@example.com", "consent": {"how": "form"}}
    assert world.call("PUT", "/v1/subscribers", vague).status == 409
    back = world.call("POST", "/v1/subscribers", {"email": "gone@example.com", "consent": AGREED})
    assert (back.status, back.json["id"]) == (201, begun["subscriber"])
    assert back.json["suppressed"] is None
    records = world.call("GET", f"/v1/subscribers/{back.json['id']}/consents").json["items"]
    assert "returned" in [record["change"] for record in records]


def test_nobody_moves_to_an_erased_address(world: World) -> None:
    erase(world, email="gone@example.com")
    ada = add(world)
    path = f"/v1/subscribers/{ada['id']}/address"
    assert world.call("POST", path, {"email": "gone@example.com"}).problem == "wrong-state"
    assert world.call("GET", f"/v1/subscribers/{ada['id']}").json["email"] == "ada@example.com"


@pytest.mark.parametrize(
    "whom", [{}, {"email": "a@example.com", "subscriber": "sub_00000000000000000000"}]
)
def test_an_erasure_names_one_person(world: World, whom: dict[str, str]) -> None:
    assert world.call("POST", "/v1/erasures", whom).fields == ["body"]


def test_an_erasure_of_what_is_no_id_or_no_address(world: World) -> None:
    assert world.call("POST", "/v1/erasures", {"subscriber": "ada"}).status == 404
    assert world.call("POST", "/v1/erasures", {"email": "ada"}).fields == ["email"]
    job = world.call("POST", "/v1/subscribers/exports", {}).json["id"]
    assert world.call("GET", f"/v1/erasures/{job}").status == 404
    begun = erase(world, email="a@example.com")
    assert world.call("GET", f"/v1/erasures/{begun['id']}", key=world.other_key).status == 404


def test_retention_is_set_within_bounds(world: World) -> None:
    path = "/v1/settings/retention"
    default = world.call("GET", path).json
    assert default == {
        "event_days": 400,
        "engagement_days": 400,
        "message_days": 30,
        "pending_days": 30,
        "erased_consent_days": 1095,
        "audit_days": None,
        "version": 0,
    }
    assert world.call("PUT", path, {"event_days": 90}).json == {
        **default,
        "event_days": 90,
        "version": 1,
    }
    refused = world.call("PUT", path, {"event_days": 1, "message_days": 31, "audit_days": 3})
    assert refused.fields == ["event_days", "message_days", "audit_days"]
    assert world.call("GET", path, key=world.other_key).json == default


def test_an_export_s_file_that_is_gone_has_no_link(world: World) -> None:
    begun = world.call("POST", "/v1/subscribers/exports", {}).json
    job = world.jobs.get(world.workspace, begun["id"])
    world.jobs.save(job.advanced(cursor={}, progress=job.progress, done=True))
    answer = world.call("GET", f"/v1/subscribers/exports/{begun['id']}").json
    assert (answer["state"], answer["download"]) == ("done", None)


def test_the_document_has_messages_events_engagement_and_snapshots(world: World) -> None:
    ada = add(world)
    world.verify_domain("example.com")
    sent = {
        "to": {"email": "ada@example.com"},
        "sender": {"email": "shop@example.com"},
        "subject": "Receipt",
        "text": "Dear Ada",
        "cc": [{"email": "bob@example.com"}],
        "data": {"long": "x" * 20_000},
    }
    answer = world.call("POST", "/v1/messages", sent)
    assert answer.status == 202, answer.text
    message = answer.json["id"]
    ref = world.services.message_ids.parse(message)
    campaign = Ids(world.clock, seeded_bytes(9)).new("cmp")
    events = [
        Event(EventType.OPENED, "ses", f"e{n}", world.clock.now(), "open", ip="203.0.113.9")
        for n in range(2)
    ]
    in_campaign = replace(ref, campaign=campaign, chunk=0)
    world.engagements.put_many(
        [
            Engagement(events[0], ref, ada["id"], MailboxGroup.OTHER),
            Engagement(events[1], in_campaign, ada["id"], MailboxGroup.OTHER),
        ]
    )
    fact = Fact(to_bytes(campaign), Deed.OPENED, day_of(world.clock.now()))
    state = EngagementState().heard([fact])
    world.person_states.save(world.workspace, {ada["id"]: KeptState(state)})
    segment = world.call("POST", "/v1/segments", {"name": "VIP", "rule": {"tag": "vip"}}).json
    snapshot = world.call("POST", f"/v1/segments/{segment['id']}/snapshot").json["id"]
    world.memberships.add(world.workspace, snapshot, [ada["id"]])

    document = world.call("GET", f"/v1/subscribers/{ada['id']}/data").json["document"]
    [told] = document["messages"]
    assert (told["id"], told["to"]["address"]) == (message, "ada@example.com")
    assert told["content"]["text"] == "Dear Ada"
    assert "bob@" not in json.dumps(document)
    assert {event["ip"] for event in document["events"]} == {"203.0.113.9"}
    assert {event["message"] for event in document["events"]} >= {message}
    assert document["campaigns"] == [campaign]
    assert document["engagement"][0]["campaigns"][campaign]["opened"] == "2026-11-24"
    assert document["snapshots"] == [snapshot]


def test_who_has_a_former_address_now_is_not_in_her_document(world: World) -> None:
    news = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    old = add(world)["id"]
    moved = world.call("POST", f"/v1/subscribers/{old}/address", {"email": "ada@new.example"}).json
    world.subscribers.delete(world.workspace, old)  # as the job does that frees the address
    assert add(world, lists=[news], consent=AGREED)["id"] == old
    path = f"/v1/subscribers/{moved['id']}"
    assert AGREED["ip"] not in world.call("GET", f"{path}/data").text
    assert AGREED["ip"] not in world.call("GET", f"{path}/consents").text
