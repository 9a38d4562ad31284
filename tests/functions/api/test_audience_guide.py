"""Every call of the guides about the audience that sends JSON is taken as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.functions.api.world import World

DOCS = Path(__file__).parents[3] / "docs"
GUIDES = ("audience.md", "from-pinpoint.md", "privacy.md", "suppressions.md")
_CALL = re.compile(
    r"""(?:call|-H [^\n]*?)(?: -X (\w+))? "\$API(/[^"]+)" -d '(\{.*?\})'""", re.DOTALL
)
_HERE = {"LIST", "SEGMENT", "ID"}


def calls() -> list[tuple[str, str, str]]:
    """Method, path and body of each call; names of the shell's variables stand as `$NAME`."""
    found = []
    for guide in GUIDES:
        text = (DOCS / guide).read_text(encoding="utf-8").replace("'$1'", "true")
        text = re.sub(r"'(\$[A-Z]+)'", r"\1", text)
        found += [(method or "POST", path, body) for method, path, body in _CALL.findall(text)]
    return found


def test_the_guides_show_every_call() -> None:
    shown = {path for _, path, _ in calls()}
    assert shown >= {
        *("/subscribers", "/subscribers/$ID", "/subscribers/$ID/address", "/settings/audience"),
        *("/addresses/check", "/subscribers/imports/uploads", "/subscribers/exports", "/lists"),
        *("/segments/preview", "/suppressions", "/suppressions/imports", "/suppressions/exports"),
        *("/segments/preview", "/erasures", "/settings/retention"),
    }


@pytest.mark.parametrize(("method", "path", "body"), calls())
def test_an_example_is_taken(world: World, method: str, path: str, body: str) -> None:
    made: dict[str, Any] = {
        "LIST": world.call("POST", "/v1/lists", {"name": "News"}).json["id"],
        "ID": world.call("POST", "/v1/subscribers", {"email": "bob@example.com"}).json["id"],
        "SEGMENT": world.call("POST", "/v1/segments", {"name": "VIP", "rule": {"tag": "vip"}}).json[
            "id"
        ],
    }
    for name in _HERE:
        path = path.replace(f"${name}", made[name])
        body = body.replace(f"${name}", made[name])
    answer = world.call(method, f"/v1{path}", json.loads(body))
    assert answer.status in {200, 201, 202}, answer.text
