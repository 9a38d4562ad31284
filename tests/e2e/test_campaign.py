"""The main job: a campaign goes out, and every number agrees with what the ESPs saw."""

from typing import Any

import pytest

from local.client import ApiError, Client
from local.demo import mail
from local.demo.leaving import leave
from local.demo.watching import FATES, PROVIDERS, differences
from local.http import request
from shared.content.compiled import render_directly
from shared.content.model import TemplateSource
from tests.e2e.conftest import Ran, World, until

pytestmark = pytest.mark.e2e

PER_PROVIDER = 8


def test_the_report_agrees_with_the_sandbox(ran: Ran) -> None:
    assert differences(ran.result.snapshot) == []


def test_every_recipient_is_accounted_for(ran: Ran) -> None:
    report = ran.result.snapshot.report
    assert report["recipients"] == sum(report[fate] for fate in FATES) > 500
    assert report["in_doubt"] == 0
    assert ran.result.snapshot.stats["duplicates"] == 0


def test_the_campaign_ends_as_sent(world: World, ran: Ran) -> None:
    seen = until(
        lambda: world.api.get(f"/campaigns/{ran.campaign}"), lambda c: c["state"] == "sent", 130
    )
    assert seen["finished_at"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_mail_is_byte_equal_to_direct_rendering(world: World, ran: Ran, provider: str) -> None:
    source = TemplateSource(mail.SUBJECT, mail.HTML, mail.TEXT)
    own = [m for m in world.sandbox.messages(provider=provider) if is_of(m, world)]
    assert len(own) >= PER_PROVIDER
    for summary in own[:PER_PROVIDER]:
        message = world.sandbox.message(summary["id"])
        person = world.person(message["to"])
        context = {
            "subscriber": {
                name: person[name] for name in ("id", "email", "attributes", "tags", "locale")
            },
            "campaign": {"id": ran.campaign, "name": "December news"},
            "unsubscribe_url": message["headers"]["List-Unsubscribe"].strip("<>"),
        }
        direct = render_directly(source, context)
        assert message["subject"] == direct.subject
        assert message["html"] == direct.html
        assert message["text"] == direct.text


def test_a_message_tells_its_story(world: World, ran: Ran) -> None:
    message = next(m for m in world.sandbox.messages() if m["state"] == "delivered")
    story = world.api.get(f"/messages/{message['tidepost_id']}")
    assert story["campaign"] == ran.campaign
    assert story["state"] == "accepted"
    assert story["attempts"][0]["provider"] == message["provider"]
    assert "delivered" in {event["type"] for event in story["events"]}


def test_events_are_listed_by_campaign_and_by_person(world: World, ran: Ran) -> None:
    events = list(world.api.items(f"/campaigns/{ran.campaign}/events", limit=200))
    delivered = [e for e in events if e["type"] == "delivered"]
    assert len(delivered) == ran.result.snapshot.report["delivered"]
    person = delivered[0]["subscriber"]
    own = list(world.api.items(f"/subscribers/{person}/events"))
    assert delivered[0]["message"] in {event["message"] for event in own}


def test_hard_bounces_are_suppressed(world: World, ran: Ran) -> None:
    assert ran.campaign
    bounced = [m for m in world.sandbox.messages() if m["state"] == "hard_bounced"]
    assert bounced
    for message in bounced:
        assert world.person(message["to"])["suppressed"] == "hard_bounce"


def test_who_left_or_is_suppressed_gets_no_second_campaign(calm: World, ran: Ran) -> None:
    complainer = next(m for m in calm.sandbox.messages() if m["state"] == "delivered")
    calm.sandbox.report({"message_id": complainer["id"], "type": "complained"})
    until(lambda: calm.person(complainer["to"]), lambda p: p["suppressed"] == "complaint")
    bounced = {m["to"] for m in calm.sandbox.messages() if m["state"] == "hard_bounced"}
    gone = {complainer["to"], *ran.result.left, *bounced}
    second = calm.campaign([ran.prepared.list_id])
    calm.launch(second)
    report = calm.accounted(second)
    assert report["recipients"] < ran.result.snapshot.recipients
    assert report["accepted"] + report["skipped"] == report["recipients"]
    mailed = {m["to"] for m in calm.sandbox.messages() if m["subject"].startswith("Hello ")}
    assert len(mailed) >= report["accepted"] > 0
    assert not {a for a in gone if sum(m["to"] == a for m in calm.sandbox.messages()) > 1}


def test_one_click_can_be_repeated_and_a_get_changes_nothing(calm: World) -> None:
    campaign = calm.campaign([calm.list_of(["clicker@oneclick.example"])])
    calm.launch(campaign)
    calm.accounted(campaign)
    [message] = calm.sandbox.messages(to="clicker@oneclick.example")
    url = message["headers"]["List-Unsubscribe"].strip("<>")
    assert request("GET", url).status == 200
    assert set(calm.person("clicker@oneclick.example")["lists"].values()) == {"subscribed"}
    leave(message)
    leave(message)
    assert set(calm.person("clicker@oneclick.example")["lists"].values()) == {"unsubscribed"}
    assert request("POST", url[:-4] + "AAAA").status == 404


def test_launching_twice_sends_nothing_more(calm: World, ran: Ran) -> None:
    accepted = calm.sandbox.stats()["accepted_total"]
    with pytest.raises(ApiError) as refused:
        calm.launch(ran.campaign)
    assert (refused.value.status, refused.value.code) == (409, "wrong-state")
    assert calm.sandbox.stats()["accepted_total"] == accepted


def test_another_workspaces_key_finds_nothing(world: World, ran: Ran, stranger: Client) -> None:
    person = next(iter(world.sandbox.messages()))
    paths = [
        f"/campaigns/{ran.campaign}",
        f"/campaigns/{ran.campaign}/report",
        f"/campaigns/{ran.campaign}/events",
        f"/lists/{ran.prepared.list_id}",
        f"/templates/{ran.prepared.template_id}",
        f"/subscribers/{world.person(person['to'])['id']}",
        f"/messages/{person['tidepost_id']}",
    ]
    assert {path: status_of(stranger, path) for path in paths} == dict.fromkeys(paths, 404)
    with pytest.raises(ApiError) as refused:
        stranger.post(f"/campaigns/{ran.campaign}/launch")
    assert refused.value.status == 404


def status_of(api: Client, path: str) -> int:
    try:
        api.get(path)
    except ApiError as error:
        return error.status
    return 200


def is_of(message: dict[str, Any], world: World) -> bool:
    return str(message["from"]).endswith(f"news@{world.domain}>") and "December" in str(
        message["subject"]
    )
