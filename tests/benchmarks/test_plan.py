"""The plan that is measured is the production one, and reads every member once."""

from __future__ import annotations

import pytest

from benchmarks import plan
from benchmarks.measure_plan import plan as planned
from shared.delivery.model import CHUNK_SIZE
from shared.storage import tables


def test_everybody_is_planned_and_read_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_state", {})
    found = planned(40 * CHUNK_SIZE)
    assert found["recipients"] == 20_000
    assert found["steps"] == 3  # the last one finds that there is nobody left
    assert 1 <= found["members_read_per_recipient"] < 1.1


def test_the_figures_say_how_time_and_memory_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(recipients: int) -> dict[str, float]:
        seconds = recipients / 1000
        return {"recipients": recipients, "seconds": seconds, "cpu_s": seconds, "peak_mb": 80}

    monkeypatch.setattr(plan, "_measure", measure)
    monkeypatch.setattr(plan, "reads", lambda **_: [])
    figures = plan.run()
    assert [one.value for one in figures if one.name == "plan.seconds_and_mb"] == [10, 100, 1000]
    growth = {one.name: one.value for one in figures if one.goal}
    assert growth == {
        "plan.memory_growth": 1,
        "plan.time_growth_per_recipient": pytest.approx(1),
    }
