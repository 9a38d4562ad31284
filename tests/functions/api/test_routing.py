"""Explaining routing, and how the providers are, over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.access.model import Scope
from shared.delivery.breaker import Breaker, BreakerState
from shared.delivery.health import Health
from shared.delivery.quarantine import Watch
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules
from shared.providers.ses.addresses import cannot_take
from tests.functions.api.test_campaigns import body
from tests.functions.api.world import World

__all__ = ["body"]  # a fixture

RULES = """{"rules": [
  {"name": "vip", "match": {"tags": ["vip"], "kinds": ["campaign"]}, "order": ["postmark"]},
  {"name": "receipts", "match": {"kinds": ["transactional"]}, "exclude": ["ses"]}
]}"""


@pytest.fixture
def three(world: World) -> World:
    """Three providers, and two rules."""
    world.candidates = (
        Candidate("ses", 3, cannot_take),
        Candidate("sendgrid", 1, lambda _: ""),
        Candidate("postmark", 1, lambda _: ""),
    )
    world.rules = DeliveryRules.parse(RULES, [c.name for c in world.candidates])
    return world


def explained(world: World, **question: Any) -> Any:
    answer = world.call("POST", "/v1/routing/explain", {"email": "Ann@GMAIL.com", **question})
    assert answer.status == 200, answer.text
    return answer.json


def test_by_the_weights_while_nothing_is_known(three: World) -> None:
    found = explained(three)
    assert (found["provider"], found["group"], found["rule"]) == ("ses", "gmail", "default")
    assert found["excluded"] == []
    chances = {name: score["chance"] for name, score in found["scores"].items()}
    assert chances == {"ses": 0.6, "sendgrid": 0.2, "postmark": 0.2}


def test_rules_ask_for_kind_and_tags(three: World) -> None:
    vip = explained(three, tags=["vip"])
    assert (vip["provider"], vip["rule"]) == ("postmark", "vip")
    assert {"provider": "ses", "because": "rule:vip"} in vip["excluded"]
    receipt = explained(three, kind="transactional", tags=["vip"])
    assert receipt["rule"] == "receipts"
    assert "ses" not in receipt["scores"]


def test_a_campaign_brings_its_lists_and_tags(three: World, body: dict[str, Any]) -> None:
    campaign = three.call("POST", "/v1/campaigns", {**body, "tags": ["vip"]}).json
    assert explained(three, campaign=campaign["id"])["rule"] == "vip"
    foreign = {"email": "ann@gmail.com", "campaign": campaign["id"]}
    answer = three.call("POST", "/v1/routing/explain", foreign, key=three.other_key)
    assert answer.status == 404


def test_who_cannot_is_named_with_the_reason(three: World) -> None:
    now = three.clock.now()
    three.health.health = Health(
        breakers={
            "sendgrid": Breaker(BreakerState.OUT_OF_SERVICE, because="http_401"),
            "postmark": Breaker(BreakerState.OPEN, 1, now + timedelta(seconds=9), because="503"),
        }
    )
    found = explained(three, email="änn@example.com")
    assert found["provider"] is None
    because = {entry["provider"]: entry["because"] for entry in found["excluded"]}
    assert because["sendgrid"] == "out_of_service:http_401"
    assert because["postmark"] == "breaker_open:503"
    assert because["ses"]


def test_the_providers_and_how_they_are(three: World) -> None:
    now = three.clock.now()
    moment = now.timestamp()
    three.health.health = Health(
        folded=int(moment // 10),
        breakers={"ses": Breaker(BreakerState.OPEN, 1, now + timedelta(seconds=9), because="503")},
        watches={("sendgrid", "yahoo"): Watch(20.0, moment + 60)},
    )
    answer = three.call("GET", "/v1/providers").json
    by_name = {item["name"]: item for item in answer["items"]}
    assert list(by_name) == ["postmark", "sendgrid", "ses"]
    assert by_name["postmark"]["state"] == "closed"
    assert (by_name["ses"]["state"], by_name["ses"]["because"]) == ("open", "503")
    assert by_name["ses"]["retry_at"] == "2026-11-24T08:00:09.000Z"
    assert by_name["sendgrid"]["quarantined"] == ["yahoo"]


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "ann@gmail.com", "kind": "pigeon"}, "kind"),
        ({"email": "ann@gmail.com", "tags": [""]}, "tags.0"),
        ({}, "email"),
    ],
)
def test_a_bad_question_names_the_field(world: World, question: dict[str, Any], field: str) -> None:
    answer = world.call("POST", "/v1/routing/explain", question)
    assert answer.status in {400, 422}
    assert field in answer.fields


def test_it_takes_the_right_to_read_campaigns(world: World) -> None:
    key = world.issue(world.workspace, Scope.SUBSCRIBERS_READ)
    asked = {"email": "ann@gmail.com"}
    assert world.call("POST", "/v1/routing/explain", asked, key=key).status == 403
    assert world.call("GET", "/v1/providers", key=key).status == 403
