"""The send path's cost, small: two chunks of 500 per provider, counts only and no clock."""

from __future__ import annotations

import pytest

from benchmarks.deployment import PROVIDERS
from benchmarks.send import counted

FAMILY = "send."


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_message_costs(provider: str) -> None:
    figures = {one.name.removeprefix(FAMILY): one for one in counted(provider, chunks=2)}
    assert [one for one in figures.values() if not one.met] == []
    # What has no goal is still known: 1 KB a person is one strong read each.
    assert 1 <= figures["read_units_per_message"].value < 1.15
    # Per chunk a receive and a delete; per 20 chunks a send and the planning job.
    assert figures["sqs_requests_per_1000"].value <= 12
    assert figures["log_bytes_per_message"].value <= 20
    calls = figures["calls_per_message"]
    assert calls.value == pytest.approx(calls.context["again"], rel=0.03)
