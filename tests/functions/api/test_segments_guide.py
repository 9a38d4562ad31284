"""Every example of docs/segments.md is taken as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.audience.segments.rules import ENGAGEMENT, FIELDS, OPS, check_rule
from tests.functions.api.world import World

TEXT = (Path(__file__).parents[3] / "docs" / "segments.md").read_text(encoding="utf-8")


def bodies() -> list[dict[str, Any]]:
    """What the guide's calls send."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    sent = [
        json.JSONDecoder().raw_decode(one[one.index("{\n") :])[0] for one in blocks if "-d" in one
    ]
    assert len(sent) == 3
    return sent


def rules() -> list[dict[str, Any]]:
    found = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
    return [one for one in found if {"all", "any"} & set(one)]


@pytest.mark.parametrize("body", bodies(), ids="-".join)
def test_a_body_is_taken(world: World, body: dict[str, Any]) -> None:
    world.verify_domain("example.com")
    paths = {"audience": "/v1/campaigns", "name": "/v1/segments", "rule": "/v1/segments/preview"}
    path = next(path for name, path in paths.items() if name in body)
    answer = world.call("POST", path, body)
    assert answer.status in {200, 201}, answer.text


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: next(iter(rule)))
def test_a_rule_is_good(rule: dict[str, Any]) -> None:
    assert check_rule(rule) == []


def test_a_rule_of_every_kind_is_described() -> None:
    for word in (*OPS, *FIELDS, *ENGAGEMENT):
        assert f"`{word}`" in TEXT
    assert len(rules()) == 2
