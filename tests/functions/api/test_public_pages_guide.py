"""Every call of the guide about public pages is taken as it stands there, and tells the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.audience.asking import COUNTED_FOR, MAX_ATTEMPTS, MAX_MAILS, MAX_OF_PROXY, SAME_WITHIN
from shared.audience.opt_in import CONFIRM_WITHIN
from tests.functions.api.world import World

GUIDE = (Path(__file__).parents[3] / "docs" / "public-pages.md").read_text(encoding="utf-8")
GUIDE = re.sub(r"'(\$[A-Z]+)'", r"\1", GUIDE)  # how a shell's variable stands in a quoted text
_CALL = re.compile(
    r"""^call(?: -X (\w+))? "\$API(/[^"]+)" -d '(\{.*?\})'""", re.DOTALL | re.MULTILINE
)


def test_the_guide_shows_every_call() -> None:
    shown = [path for _, path, _ in _CALL.findall(GUIDE)]
    assert shown == [
        *("/lists", "/templates", "/lists/$LIST", "/subscribers"),
        *("/subscribers/$ID", "/subscribers/$ID", "/templates", "/settings/pages"),
    ]


@pytest.mark.parametrize(("method", "path", "body"), _CALL.findall(GUIDE))
def test_an_example_is_taken(world: World, method: str, path: str, body: str) -> None:
    world.verify_domain()
    asks = {"sender": {"email": "news@example.com"}}
    template = {"name": "Ask", "subject": "Ask", "text": "{{ data.confirm_url }}"}
    made = {
        "LIST": world.call("POST", "/v1/lists", {"name": "News", "double_opt_in": asks}),
        "ID": world.call("POST", "/v1/subscribers", {"email": "bob@example.com"}),
        "TEMPLATE": world.call("POST", "/v1/templates", template),
    }
    for name, answer in made.items():
        path, body = (text.replace(f"${name}", answer.json["id"]) for text in (path, body))
    answer = world.call(method or "POST", f"/v1{path}", json.loads(body))
    assert answer.status in {200, 201}, answer.text


def test_the_numbers_are_those_in_force() -> None:
    assert (SAME_WITHIN.seconds, MAX_MAILS, COUNTED_FOR.days) == (600, 5, 1)
    assert "within 10 minutes" in GUIDE
    assert "at most five a day" in GUIDE
    assert f"good for {CONFIRM_WITHIN.days} days" in GUIDE
    assert f"may sign up {MAX_ATTEMPTS} addresses a minute" in GUIDE
    assert f"bounded to {MAX_OF_PROXY} a minute" in GUIDE
