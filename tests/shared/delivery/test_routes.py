"""Whom rules or providers leave without a route, and who goes another way instead."""

from __future__ import annotations

import json

import pytest

from shared.delivery.composing import MessageRequest
from shared.delivery.rules import DeliveryRules
from shared.delivery.states import CampaignState
from shared.mail import Mailbox
from shared.providers.ses.addresses import cannot_take
from tests.fakes import FakeSender
from tests.shared.delivery.world import DOMAIN, World

JUERGEN = "j\u00fcrgen@b\u00fccher.example"


def ruled(*rules: dict[str, object]) -> World:
    world = World()
    world.rules = DeliveryRules.parse(json.dumps({"rules": rules}), list(world.senders))
    return world


@pytest.mark.parametrize(
    "choice",
    [
        {"exclude": ["sendgrid", "ses", "postmark"]},
        {"order": ["ses"], "exclude": ["ses"]},
        {"weights": {"ses": 1, "postmark": 0}, "exclude": ["ses"]},
    ],
)
def test_whom_a_rule_leaves_no_provider_fails_and_the_others_get_their_mail(
    choice: dict[str, object],
) -> None:
    world = ruled({"name": "nobody", "match": {"groups": ["yahoo"]}, **choice})
    world.people(5)
    world.people(3, "yahoo.com", start=5)
    campaign = world.launched()
    world.drain()
    world.tick()
    report = world.report(campaign)
    assert (report["accepted"], report["failed"]) == (5, 3)
    assert report["reasons"] == {"no_route": 3}
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENT
    assert not any(address.endswith("@yahoo.com") for address in world.mailed())


def test_a_message_that_a_rule_leaves_no_provider_fails() -> None:
    nobody = {"match": {"kinds": ["transactional"]}, "exclude": ["sendgrid", "ses", "postmark"]}
    world = ruled({"name": "nobody", **nobody})
    request = MessageRequest(
        Mailbox("ada@example.com"), Mailbox(f"a@{DOMAIN}"), subject="Hi", text="Hello"
    )
    message = world.messages().send(world.workspace, request)
    world.drain()
    story = world.messages().get(world.workspace, message)
    assert (story["state"], story["reason"]) == ("failed", "no_route")
    assert world.mailed() == []


def test_an_address_that_ses_cannot_take_goes_through_another() -> None:
    world = World()
    world.senders["ses"] = FakeSender("ses", max_batch=50, cannot_take=cannot_take)
    world.weights = {"sendgrid": 1, "ses": 1000, "postmark": 0}
    world.people(20)
    world.people(1, start=20, address=JUERGEN)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 21
    by_ses = [one.to.address for batch in world.senders["ses"].batches for one in batch.recipients]
    assert all(address.isascii() for address in by_ses)
    assert JUERGEN in world.mailed()
