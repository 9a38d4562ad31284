"""Every example of docs/messages.md is taken as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.functions.api.world import World

GUIDE = Path(__file__).parents[3] / "docs" / "messages.md"
_SHELL = {
    re.compile(r"'\"\$\(base64 [^)]*\)\"'"): "QQ==",
    re.compile(r"'\"\$\(date [^)]*\)\"'"): "2026-11-25T08:00:00Z",
}


def bodies() -> list[dict[str, Any]]:
    """What the guide's calls send."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        text = block
        for pattern, value in _SHELL.items():
            text = pattern.sub(value, text)
        start = text.find("{\n") if "{\n" in text else text.find('{"messages"')
        if start < 0:
            continue
        document, _ = json.JSONDecoder().raw_decode(text[start:])
        found.append(document)
    return found


def test_the_guide_has_an_example_for_every_field() -> None:
    named = {name for body in bodies() for name in body}
    assert named >= {
        *("to", "sender", "subject", "html", "text", "template", "data", "reply_to", "cc", "bcc"),
        *("headers", "attachments", "tags", "metadata", "send_at", "on_doubt", "messages"),
    }


@pytest.mark.parametrize("body", bodies(), ids=lambda body: "-".join(sorted(body))[:60])
def test_an_example_is_taken(world: World, body: dict[str, Any]) -> None:
    world.verify_domain("example.com")
    source = {"name": "Order", "subject": "Order {{ data.order }}", "text": "Thank you"}
    template = world.call("POST", "/v1/templates", source).json["id"]
    if "template" in body:
        body = body | {"template": template}
    path = "/v1/messages/batch" if "messages" in body else "/v1/messages"
    answer = world.call("POST", path, body)
    assert answer.status == 202, answer.text
    if "messages" in body:
        assert [bool(one["id"]) for one in answer.json["messages"]] == [True, False]
