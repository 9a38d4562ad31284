"""The send path's cost, small: two chunks of 500 per provider, counts only and no clock."""

from __future__ import annotations

import pytest

from benchmarks.deployment import PROVIDERS
from benchmarks.send import capped, counted

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
    # The look at the providers' health, every five seconds, falls into one of them or not.
    assert calls.value == pytest.approx(calls.context["again"], rel=0.08)


def test_what_a_frequency_cap_adds() -> None:
    (figure,) = capped(chunks=1)
    first, second, last = figure.context["campaigns"]
    assert (figure.value, figure.met) == (1, True)
    assert [one["accepted"] for one in (first, second, last)] == [500, 500, 0]
    assert last["skipped"] == 500
    assert last["cap_write_units"] == 1
    assert last["other_write_units"] < first["other_write_units"] < 0.036
