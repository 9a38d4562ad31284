"""Which opens and clicks are taken for a machine's."""

from __future__ import annotations

import pytest

from shared.analytics.machines import MachineSign, machine_sign

PEOPLE = [
    "",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Thunderbird/145.0",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_people(agent: str) -> None:
    assert machine_sign(agent) is None
    assert machine_sign(agent, flagged=True) is MachineSign.FLAGGED


@pytest.mark.parametrize(
    ("agent", "sign"),
    [
        ("Mozilla/5.0", MachineSign.BARE_AGENT),
        (" mozilla/5.0 ", MachineSign.BARE_AGENT),
        ("Mozilla/5.0 (Windows NT 5.1) Gecko (via ggpht.com GoogleImageProxy)",
         MachineSign.IMAGE_PROXY),
        ("YahooMailProxy; https://help.yahoo.com/kb/x.html", MachineSign.IMAGE_PROXY),
        ("Mozilla/5.0 (compatible; SomeBot/2.1)", MachineSign.ROBOT),
        ("python-requests/2.32", MachineSign.ROBOT),
    ],
)  # fmt: skip
def test_machines(agent: str, sign: MachineSign) -> None:
    assert machine_sign(agent) is sign
