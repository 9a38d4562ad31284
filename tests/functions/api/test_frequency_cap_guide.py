"""The example of docs/frequency-cap.md is taken as it stands there, and gives what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.functions.api.world import World

GUIDE = Path(__file__).parents[3] / "docs" / "frequency-cap.md"


def test_the_example_is_taken(world: World) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (sent,) = re.findall(r"-d '(\{.*\})'", text)
    answer = world.call("PUT", "/v1/settings", json.loads(sent))
    assert answer.status == 200
    assert answer.json["frequency_cap"] == [{"kind": "campaign", "messages": 3, "days": 7}]
    weekly = json.loads(f"[{re.findall(r'`({.messages.: 1.*?})`', text)[0]}]")
    again = {"frequency_cap": [{"kind": "campaign", **weekly[0]}]}
    assert world.call("PUT", "/v1/settings", again).json["frequency_cap"] == again["frequency_cap"]
