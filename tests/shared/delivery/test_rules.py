"""delivery_rules.json: the first match decides, and mistakes are named by their field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.delivery.rules import DeliveryRules, Traits, schema
from shared.errors import InvalidInput
from shared.mail import MessageKind

CONFIG = Path(__file__).parents[3] / "config"
PROVIDERS = ("sendgrid", "ses", "postmark")
WEIGHTS = {"sendgrid": 40.0, "ses": 40.0, "postmark": 20.0}
CAMPAIGN = Traits(MessageKind.CAMPAIGN)


def _parse(**content: Any) -> DeliveryRules:
    return DeliveryRules.parse(json.dumps(content), PROVIDERS)


def _problem(**content: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        _parse(**content)
    (problem,) = caught.value.problems
    return problem.field, problem.reason


def test_the_shipped_rules_are_valid_and_their_schema_is_up_to_date() -> None:
    text = (CONFIG / "delivery_rules.json").read_text()
    providers = json.loads((CONFIG / "providers.json").read_text())["providers"]

    rules = DeliveryRules.parse(text, [one["name"] for one in providers])

    assert rules.first("gmail", "", CAMPAIGN)[0] == "default"
    assert (CONFIG / "delivery_rules.schema.json").read_text() == schema()


def test_the_first_rule_that_matches_decides() -> None:
    rules = _parse(
        rules=[
            {"name": "sleepers", "match": {"bands": ["asleep"]}, "exclude": ["ses"]},
            {"name": "gmail", "match": {"groups": ["gmail"]}, "weights": {"ses": 1}},
            {"name": "vip", "match": {"tags": ["vip"], "lists": ["l1"]}, "order": ["postmark"]},
            {"name": "mail", "match": {"kinds": ["transactional"]}, "learn": False},
        ]
    )

    def name(group: str, band: str, traits: Traits) -> str:
        return rules.first(group, band, traits)[0]

    vip = Traits(MessageKind.CAMPAIGN, frozenset({"l1", "l2"}), frozenset({"vip"}))
    assert name("gmail", "asleep", CAMPAIGN) == "sleepers"
    assert name("gmail", "awake", CAMPAIGN) == "gmail"
    assert name("yahoo", "awake", vip) == "vip"
    assert name("yahoo", "awake", Traits(MessageKind.CAMPAIGN, tags=frozenset({"vip"}))) == (
        "default"
    )
    assert name("yahoo", "awake", Traits(MessageKind.TRANSACTIONAL)) == "mail"


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ({}, WEIGHTS),
        ({"exclude": ["ses"]}, {"sendgrid": 40.0, "postmark": 20.0}),
        ({"weights": {"ses": 3, "postmark": 0}}, {"ses": 3.0}),
        ({"order": ["postmark", "ses"]}, {"postmark": 1.0, "ses": 1.0}),
        ({"order": ["postmark"], "exclude": ["postmark"]}, {}),
        ({"exclude": list(PROVIDERS)}, {}),
    ],
)
def test_what_a_rule_leaves(choice: dict[str, Any], left: dict[str, float]) -> None:
    _, rule = _parse(default=choice).first("gmail", "", CAMPAIGN)

    assert rule.providers(WEIGHTS) == left
    assert list(rule.providers(WEIGHTS)) == list(left)


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        ({"default": {"weights": {"acme": 1}}}, "default.weights.acme", "no provider 'acme'"),
        (
            {"rules": [{"name": "a"}, {"name": "b", "order": ["ses", "acme"]}]},
            "rules.1.order.1",
            "known are: postmark, sendgrid, ses",
        ),
        ({"rules": [{"name": "a", "exclude": ["acme"]}]}, "rules.0.exclude.0", "'acme'"),
        (
            {"rules": [{"name": "a", "weights": {"ses": 0}}]},
            "rules.0.weights",
            "weights sum to zero",
        ),
        ({"rules": [{"name": "a", "weights": {}}]}, "rules.0.weights", "weights sum to zero"),
        ({"default": {"weights": {"ses": -1}}}, "default.weights.ses", "greater than or equal"),
        ({"default": {"weights": {"ses": 1}, "order": ["ses"]}}, "default", "not both"),
        ({"default": {"order": ["ses", "ses"]}}, "default", "twice"),
        ({"rules": [{"name": "default"}]}, "the whole", "two rules are named default"),
        ({"rules": [{"name": "a", "match": {"groups": ["gmial"]}}]}, "rules.0.match.groups.0", ""),
        ({"rules": [{"name": "a", "match": {"tags": []}}]}, "rules.0.match.tags", "match nobody"),
        ({"rules": [{"name": "a", "macth": {}}]}, "rules.0.macth", "not permitted"),
    ],
)
def test_a_mistake_is_named_by_its_field(content: dict[str, Any], field: str, reason: str) -> None:
    found, why = _problem(**content)

    assert found == field
    assert reason in why
