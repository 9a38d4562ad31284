from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.access.model import Scope
from shared.clock import to_iso
from shared.delivery.model import ChunkKey, ChunkPlan
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.report import totals_of
from shared.delivery.schedule import Schedule
from shared.delivery.states import CampaignState, RecipientState
from shared.ids import SUBSCRIBER, MessageRef, to_text
from shared.jobs import JobKind
from shared.mail import MailboxGroup
from tests.functions.api.test_campaigns import body, draft
from tests.functions.api.world import World
from tests.shared.delivery.attempts import attempt

__all__ = ["body", "draft"]  # the fixtures

PEOPLE = tuple(to_text(SUBSCRIBER, bytes([n] * 12)) for n in range(4))


@pytest.fixture
def sent(world: World, draft: Any) -> str:
    """A campaign that is sent to four: one failed, one is in doubt, two were accepted."""
    campaign = world.campaigns.get(world.workspace, draft["id"])
    key = ChunkKey(world.workspace, campaign.id, 0)
    world.ledger.put_plan(ChunkPlan(key, PEOPLE))
    tried = replace(
        attempt(key, 1, 4, dict.fromkeys((0, 1, 2), ("ses", MailboxGroup.GMAIL))),
        routing={"rule": "default"},
    )
    world.ledger.begin(tried)
    changes = [
        Change(0, RecipientState.ACCEPTED),
        Change(1, RecipientState.ACCEPTED),
        Change(2, RecipientState.IN_DOUBT, "read_timeout"),
        Change(3, RecipientState.FAILED, "no_route"),
    ]
    outcome = world.ledger.save_outcome(changed(fresh(key, 4), changes, [tried], 1))
    world.campaigns.save(
        replace(
            campaign,
            state=CampaignState.SENT,
            chunks=1,
            recipients=4,
            totals=totals_of([outcome]),
        )
    )
    return campaign.id


def test_who_is_in_which_state_is_listed(world: World, sent: str) -> None:
    path = f"/v1/campaigns/{sent}/recipients"
    answer = world.call("GET", path)
    assert answer.status == 200
    states = [item["state"] for item in answer.json["items"]]
    assert states == ["accepted", "accepted", "in_doubt", "failed"]
    (doubtful,) = world.call("GET", path, query={"state": "in_doubt"}).json["items"]
    assert doubtful == {
        "subscriber": PEOPLE[2],
        "message": world.services.message_ids.make(MessageRef(world.workspace, sent, 0, 2)),
        "state": "in_doubt",
        "reason": "read_timeout",
        "provider": "ses",
        "attempt": 1,
        "routing": {"rule": "default"},
    }
    (failed,) = world.call("GET", path, query={"state": "failed"}).json["items"]
    assert (failed["reason"], failed["provider"], failed["attempt"]) == ("no_route", None, 0)


def test_the_listing_is_paged(world: World, sent: str) -> None:
    path = f"/v1/campaigns/{sent}/recipients"
    first = world.call("GET", path, query={"limit": "3"}).json
    rest = world.call("GET", path, query={"limit": "3", "cursor": first["cursor"]}).json
    assert [len(first["items"]), len(rest["items"]), rest["cursor"]] == [3, 1, None]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "lost"}, "state"),
        ({"state": "claimed"}, "state"),
        ({"cursor": "bent"}, "cursor"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_a_bad_query_names_the_field(
    world: World, sent: str, query: dict[str, str], field: str
) -> None:
    answer = world.call("GET", f"/v1/campaigns/{sent}/recipients", query=query)
    assert answer.status == 422
    assert set(answer.fields) == {field}


@pytest.mark.parametrize("reasons", [None, {}, {"reasons": ["no_route"]}])
def test_a_retry_opens_the_campaign_and_starts_its_job(
    world: World, sent: str, reasons: dict[str, Any] | None
) -> None:
    answer = world.call("POST", f"/v1/campaigns/{sent}/retry", reasons)
    assert (answer.status, answer.json["state"]) == (202, "sending")
    queued = world.job_queue.messages[-1]
    job = world.jobs.get(world.workspace, queued.job)
    assert job.kind is JobKind.RETRY_CAMPAIGN
    assert job.params == {"campaign": sent, "reasons": (reasons or {}).get("reasons", [])}
    [entry] = world.call("GET", "/v1/audit", query={"action": "campaign.retry"}).json["items"]
    assert entry["target"] == sent
    assert entry["details"] == {"reasons": job.params["reasons"], "job": job.id}
    report = world.call("GET", f"/v1/campaigns/{sent}/report").json
    assert (report["state"], report["failed"], report["recipients"]) == ("sending", 1, 4)
    again = world.call("POST", f"/v1/campaigns/{sent}/retry")
    assert (again.status, again.problem) == (409, "wrong-state")
    assert "under way" in again.json["detail"]


def test_a_retry_with_nobody_failed_says_so(world: World, sent: str) -> None:
    answer = world.call("POST", f"/v1/campaigns/{sent}/retry", {"reasons": ["gave_up"]})
    assert (answer.status, answer.problem) == (409, "wrong-state")
    assert "no recipient of this campaign has failed" in answer.json["detail"]
    assert world.campaigns.get(world.workspace, sent).state is CampaignState.SENT


def test_a_retry_past_the_end_is_refused_and_names_it(world: World, sent: str) -> None:
    campaign = world.campaigns.get(world.workspace, sent)
    end_at = world.clock.now() - timedelta(minutes=1)
    world.campaigns.save(replace(campaign, schedule=Schedule(end_at=end_at)))
    answer = world.call("POST", f"/v1/campaigns/{sent}/retry")
    assert (answer.status, answer.problem) == (409, "wrong-state")
    assert f"end_at of this campaign, {to_iso(end_at)}, has passed" in answer.json["detail"]
    assert world.campaigns.get(world.workspace, sent).state is CampaignState.SENT


@pytest.mark.parametrize(
    ("sent_body", "field"),
    [
        ({"reasons": [""]}, "reasons.0"),
        ({"reasons": ["x"] * 51}, "reasons"),
        ({"reasons": "gave_up"}, "reasons"),
        ({"resons": []}, "resons"),
    ],
)
def test_a_bad_retry_names_the_field(
    world: World, sent: str, sent_body: dict[str, Any], field: str
) -> None:
    answer = world.call("POST", f"/v1/campaigns/{sent}/retry", sent_body)
    assert answer.status == 422
    assert field in answer.fields


def test_a_doubt_is_settled_by_hand_and_recorded(world: World, sent: str) -> None:
    message = world.services.message_ids.make(MessageRef(world.workspace, sent, 0, 2))
    path = f"/v1/messages/{message}/settle"
    note = "found in the activity feed"
    answer = world.call("POST", path, {"state": "accepted", "note": note})
    assert answer.status == 200
    assert (answer.json["state"], answer.json["reason"]) == ("accepted", "settled_by_hand")
    assert answer.json["attempts"][0]["routing"] == {"rule": "default"}
    [entry] = world.call("GET", "/v1/audit", query={"target": message}).json["items"]
    assert entry["action"] == "message.settle"
    assert entry["details"] == {"state": "accepted", "note": note}
    again = world.call("POST", path, {"state": "failed", "note": note})
    assert (again.status, again.problem) == (409, "wrong-state")
    assert "the message is accepted" in again.json["detail"]


@pytest.mark.parametrize(
    ("settlement", "field"),
    [
        ({"state": "rejected", "note": "x"}, "state"),
        ({"state": "accepted"}, "note"),
        ({"state": "accepted", "note": ""}, "note"),
        ({"state": "accepted", "note": "x", "by": "me"}, "by"),
    ],
)
def test_a_bad_settlement_names_the_field(
    world: World, sent: str, settlement: dict[str, str], field: str
) -> None:
    message = world.services.message_ids.make(MessageRef(world.workspace, sent, 0, 2))
    answer = world.call("POST", f"/v1/messages/{message}/settle", settlement)
    assert (answer.status, answer.fields) == (422, [field])


def test_another_workspace_sees_nothing(world: World, sent: str) -> None:
    message = world.services.message_ids.make(MessageRef(world.workspace, sent, 0, 2))
    for method, path, sent_body in [
        ("GET", f"/v1/campaigns/{sent}/recipients", None),
        ("POST", f"/v1/campaigns/{sent}/retry", None),
        ("POST", f"/v1/messages/{message}/settle", {"state": "failed", "note": "x"}),
    ]:
        assert world.call(method, path, sent_body, key=world.other_key).status == 404


@pytest.mark.parametrize(
    ("method", "tail", "scope"),
    [
        ("GET", "campaigns/{sent}/recipients", Scope.CAMPAIGNS_READ),
        ("POST", "campaigns/{sent}/retry", Scope.CAMPAIGNS_WRITE),
        ("POST", "messages/{message}/settle", Scope.ADMIN),
    ],
)
def test_each_call_needs_its_scope(
    world: World, sent: str, method: str, tail: str, scope: Scope
) -> None:
    message = world.services.message_ids.make(MessageRef(world.workspace, sent, 0, 2))
    path = "/v1/" + tail.format(sent=sent, message=message)
    sent_body = {"state": "failed", "note": "x"} if "settle" in tail else None
    for other in set(Scope) - {scope, Scope.ADMIN}:
        key = world.issue(world.workspace, other)
        assert world.call(method, path, sent_body, key=key).status == 403
    key = world.issue(world.workspace, scope)
    assert world.call(method, path, sent_body, key=key).status in {200, 202}
