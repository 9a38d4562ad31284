"""The send path's cost, small: two chunks of 500 per provider, counts only and no clock."""

from __future__ import annotations

import pytest

from benchmarks.deployment import PROVIDERS
from benchmarks.send import counted

FAMILY = "send."


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_message_costs(provider: str) -> None:
    figures = {one.name.removeprefix(FAMILY): one for one in counted(provider, chunks=2)}
    # Launching and planning weigh ten times as much here as with twenty chunks.
    reads, writes = figures.pop("read_units_per_message"), figures.pop("write_units_per_message")
    assert 1 <= reads.value < 1.12
    assert writes.value < 0.036
    assert [one for one in figures.values() if not one.met] == []
    # Per chunk a receive and a delete; per 20 chunks a send and the planning job.
    assert figures["sqs_requests_per_1000"].value <= 12
    assert figures["new_handshakes_after_warmup"].context["opened_in_all"] > 0
    calls = figures["calls_per_message"]
    assert calls.value == pytest.approx(calls.context["again"], rel=0.03)
