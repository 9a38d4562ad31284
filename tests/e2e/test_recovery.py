"""Outages, lost answers, pauses: nobody is mailed twice and nobody is forgotten.

The slow ones wait for the scheduler's look some minutes later, so they are all
started first and waited for side by side.
"""

from dataclasses import dataclass

import pytest

from tests.e2e.conftest import World, until

pytestmark = pytest.mark.e2e

SLOW_S = 330.0


def people(kind: str, count: int) -> list[str]:
    return [f"person.{number}@{kind}.example" for number in range(count)]


def test_an_outage_of_one_provider_costs_nobody_the_mail(calm: World) -> None:
    calm.sandbox.behave(
        {"providers": {"postmark": {"outages": [{"from": 0, "to": 600, "mode": "maintenance"}]}}}
    )
    campaign = calm.campaign([calm.list_of(people("outage", 60))])
    calm.launch(campaign)
    report = calm.accounted(campaign)
    assert report["accepted"] == report["recipients"] == 60
    assert "accepted" not in report["by_provider"].get("postmark", {})
    assert len(list(calm.sandbox.messages(to="@outage.example"))) == 60


@dataclass(frozen=True)
class Slow:
    """Campaigns that need the scheduler to come to an end."""

    world: World
    lost: str
    paused: str


@pytest.fixture
def slow(calm: World) -> Slow:
    calm.sandbox.behave(
        {
            "domains": {
                "lost.example": {"accept_then_drop_rate": 1},
                "paused.example": {"latency_ms": 6000},
            }
        }
    )
    lost = calm.campaign([calm.list_of(people("lost", 10))])
    paused = calm.campaign([calm.list_of(people("paused", 1600))])
    calm.launch(lost)
    until(lambda: calm.report(lost), lambda r: r["recipients"] > 0 == r["pending"])
    calm.launch(paused)
    until(lambda: calm.api.get(f"/campaigns/{paused}"), lambda c: c["state"] == "sending")
    calm.api.post(f"/campaigns/{paused}/pause")
    return Slow(calm, lost, paused)


def test_lost_answers_and_pauses_are_made_good(slow: Slow) -> None:
    world = slow.world
    report = world.report(slow.lost)
    assert report["in_doubt"] > 0
    # What was under way when the pause came is finished, nothing else is begun.
    held = until(lambda: world.report(slow.paused), lambda r: r["accepted"] > 0)
    held = until(
        lambda: world.report(slow.paused),
        lambda r: r["accepted"] == len(list(world.sandbox.messages(to="@paused.example"))),
    )
    assert 0 < held["pending"] < 1600
    assert world.api.get(f"/campaigns/{slow.paused}")["state"] == "paused"
    world.sandbox.behave({"domains": {"paused.example": {"latency_ms": 0}}})
    world.api.post(f"/campaigns/{slow.paused}/resume")

    resumed = world.accounted(slow.paused, SLOW_S)
    assert resumed["accepted"] == resumed["recipients"] == 1600
    settled = world.accounted(slow.lost, SLOW_S)
    assert settled["accepted"] == settled["recipients"] == 10
    for kind, count in (("lost", 10), ("paused", 1600)):
        assert len(list(world.sandbox.messages(to=f"@{kind}.example"))) == count
    assert world.sandbox.stats()["duplicates"] == 0
