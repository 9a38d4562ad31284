"""Campaigns with a start, an end, quiet hours, local times, a pace or seeds, minute by minute."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from shared.audience.model import ListState, MailingList
from shared.delivery.model import Campaign
from shared.delivery.schedule import QuietHours, Schedule
from shared.delivery.states import CampaignState
from shared.errors import ConfirmationRequired, InvalidInput, WrongState
from tests.shared.delivery.world import World

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NIGHT = QuietHours(time(21), time(8))
local = datetime.fromisoformat


def current(world: World, campaign: Campaign) -> Campaign:
    return world.campaigns.get(world.workspace, campaign.id)


def minutes(world: World, count: int, step: float = 1) -> None:
    """That many ticks; planning is done and what is released dispatched after each."""
    for _ in range(count):
        world.tick(step)
        while world.job_queue.messages:
            world.run_job(world.job_queue.messages.pop(0).job)
        world.drain()


def launch(world: World, **fields: Any) -> Campaign:
    campaign = world.service().create(world.workspace, world.draft(**fields))
    return world.service().launch(world.workspace, campaign.id)


# --- start and end ---


def test_a_scheduled_campaign_starts_by_itself_and_not_before() -> None:
    world = World()
    world.people(20)
    campaign = launch(world, schedule=Schedule(start_at=NOW + timedelta(hours=2)))
    assert (campaign.state, campaign.launched_at) == (CampaignState.SCHEDULED, None)
    minutes(world, 119)
    assert world.mailed() == []
    minutes(world, 3)
    assert len(world.mailed()) == 20
    assert current(world, campaign).state is CampaignState.SENT


def test_a_scheduled_campaign_can_be_made_a_draft_again_and_launched_anew() -> None:
    world = World()
    world.people(5)
    start = Schedule(start_at=NOW + timedelta(hours=2))
    campaign = launch(world, schedule=start)
    world.service().unschedule(world.workspace, campaign.id)
    world.service().update(world.workspace, campaign.id, world.draft(name="Other"))
    minutes(world, 130)
    assert world.mailed() == []
    world.service().launch(world.workspace, campaign.id)
    minutes(world, 4)
    assert len(world.mailed()) == 5
    with pytest.raises(WrongState, match="not scheduled"):
        world.service().unschedule(world.workspace, campaign.id)


def test_a_scheduled_campaign_can_be_cancelled() -> None:
    world = World()
    world.people(5)
    campaign = launch(world, schedule=Schedule(start_at=NOW + timedelta(hours=2)))
    world.service().cancel(world.workspace, campaign.id)
    minutes(world, 130)
    assert world.mailed() == []


def test_a_start_that_has_passed_when_it_is_launched_is_refused() -> None:
    world = World()
    world.people(5)
    draft = world.draft(schedule=Schedule(start_at=NOW + timedelta(hours=2)))
    campaign = world.service().create(world.workspace, draft)
    world.clock.advance(hours=3)
    with pytest.raises(InvalidInput, match="start_at: is in the past"):
        world.service().launch(world.workspace, campaign.id)


def test_who_is_not_mailed_by_the_end_is_skipped_and_the_sum_agrees() -> None:
    world = World()
    world.people(1300)
    end = Schedule(end_at=NOW + timedelta(minutes=12))
    campaign = launch(world, schedule=end, pace_per_hour=600)
    minutes(world, 30)
    report = world.report(campaign)
    assert report["accepted"] == 150  # slices of 50 at 8:00, 8:05 and 8:10
    assert report["reasons"] == {"ended": 1150}
    assert current(world, campaign).state is CampaignState.SENT


def test_a_paused_campaign_runs_out_at_its_end_without_a_mail() -> None:
    world = World()
    world.people(600)
    schedule = Schedule(end_at=NOW + timedelta(hours=1))
    campaign = launch(world, schedule=schedule)
    world.run_job(world.job_queue.messages.pop(0).job)
    world.service().pause(world.workspace, campaign.id)
    minutes(world, 70)
    assert world.mailed() == []
    assert world.report(campaign)["reasons"] == {"ended": 600}
    assert current(world, campaign).state is CampaignState.SENT


# --- the recipients' clocks ---


def test_each_gets_it_when_it_is_the_local_time_there() -> None:
    world = World()
    zones = ("Asia/Tokyo", "Europe/Berlin", "America/New_York", "")
    for number, zone in enumerate(zones):
        world.people(10, start=10 * number, time_zone=zone)
    nine = Schedule(local_time=local("2026-11-25T09:00"), time_zone="America/Los_Angeles")
    campaign = launch(world, schedule=nine)
    received: dict[str, str] = {}
    for _ in range(36 * 4):
        minutes(world, 1, step=15)
        for address in world.mailed():
            received.setdefault(address, f"{world.clock.now():%d-%H:%M}")
    by_hour = Counter(received.values())
    assert set(by_hour.values()) == {10}
    # Tokyo, Berlin, New York, Los Angeles
    assert sorted(by_hour) == ["25-00:00", "25-08:00", "25-14:00", "25-17:00"]
    assert len(world.mailed()) == 40
    assert current(world, campaign).state is CampaignState.SENT


def test_a_chunk_that_waits_for_an_hour_is_not_looked_at_in_vain() -> None:
    world = World()
    world.people(10, time_zone="America/New_York")
    launch(world, schedule=Schedule(quiet_hours=NIGHT))
    minutes(world, 2)
    runs = 0
    for _ in range(290):
        world.tick()
        runs += len(world.drain())
    assert (runs, world.mailed()) == (0, [])
    minutes(world, 15)
    assert len(world.mailed()) == 10


def test_the_workspaces_quiet_hours_hold_for_a_campaign_without_any() -> None:
    world = World()
    settings = world.settings.get(world.workspace)
    world.settings.save(
        world.workspace, replace(settings, quiet_hours=NIGHT, time_zone="America/New_York")
    )
    world.people(10)
    campaign = launch(world)
    assert campaign.schedule == Schedule(quiet_hours=NIGHT, time_zone="America/New_York")
    minutes(world, 60)
    assert world.mailed() == []
    minutes(world, 300)
    assert len(world.mailed()) == 10


def test_those_whose_hour_it_is_do_not_wait_for_the_others() -> None:
    world = World()
    world.people(600, time_zone="America/New_York")
    world.people(600, start=600, time_zone="Europe/Berlin")
    launch(world, schedule=Schedule(quiet_hours=NIGHT))
    minutes(world, 5)
    assert len(world.mailed()) == 600


# --- pace ---


def test_a_pace_is_kept_to_the_message_and_spread_over_the_hour() -> None:
    world = World()
    world.people(2000)
    campaign = launch(world, pace_per_hour=1200)
    sent = []
    runs = 0
    for _ in range(120):
        world.tick()
        while world.job_queue.messages:
            world.run_job(world.job_queue.messages.pop(0).job)
        runs += len(world.drain())
        sent.append(len(world.mailed()))
    assert sent[57] == 1200  # 8:58
    assert max(after - before for before, after in zip(sent, sent[5:], strict=False)) <= 200
    assert sent[-1] == 2000
    assert runs < 60  # no circling: a few chunks for each of the slices
    assert len(set(world.mailed())) == 2000
    assert current(world, campaign).state is CampaignState.SENT


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"pace_per_hour": 9}, "pace_per_hour"),
        (
            {"pace_per_hour": 600, "schedule": Schedule(local_time=local("2026-12-01T09:00"))},
            "pace_per_hour",
        ),
        ({"seed_wait_minutes": 0}, "seed_wait_minutes"),
        ({"schedule": Schedule(start_at=NOW)}, "start_at"),
    ],
)
def test_a_draft_that_cannot_work_names_the_field(fields: dict[str, Any], field: str) -> None:
    world = World()
    with pytest.raises(InvalidInput) as caught:
        world.service().create(world.workspace, world.draft(**fields))
    assert [problem.field for problem in caught.value.problems] == [field]


# --- guard and seeds ---


def seeded(world: World, count: int = 3) -> str:
    """A seed list. Its members are on the campaign's list as well, but for the first."""
    seeds = world.ids.new("lst")
    world.lists.create(MailingList(seeds, world.workspace, "Seeds", world.clock.now()))
    for person in world.people(count, "acme.example"):
        world.memberships.add(world.workspace, seeds, [person.id])
        stored = world.subscribers.get(world.workspace, person.id)
        world.subscribers.put(replace(stored, lists={seeds: ListState.SUBSCRIBED, **stored.lists}))
    return seeds


def test_a_large_launch_asks_and_a_confirmed_one_goes() -> None:
    world = World()
    settings = replace(world.settings.get(world.workspace), confirm_above=100)
    world.settings.save(world.workspace, settings)
    world.people(120)
    campaign = world.service().create(world.workspace, world.draft())
    with pytest.raises(ConfirmationRequired):
        world.service().launch(world.workspace, campaign.id)
    assert current(world, campaign).state is CampaignState.DRAFT
    world.service().launch(world.workspace, campaign.id, 118)
    minutes(world, 3)
    assert len(world.mailed()) == 120


def test_seeds_get_it_first_and_the_rest_after_the_wait() -> None:
    world = World()
    world.people(700)
    campaign = launch(world, seed_list=seeded(world), seed_wait_minutes=20)
    minutes(world, 15)
    assert sorted(world.mailed()) == [f"p{n}@acme.example" for n in range(3)]
    minutes(world, 10)
    assert len(set(world.mailed())) == len(world.mailed()) == 703
    assert world.report(campaign)["recipients"] == 703
    assert current(world, campaign).state is CampaignState.SENT


@pytest.mark.parametrize("paused", [True, False])
def test_resuming_lets_the_rest_follow_at_once(paused: bool) -> None:  # a table
    world = World()
    world.people(20)
    campaign = launch(world, seed_list=seeded(world), seed_wait_minutes=600)
    minutes(world, 5)
    if paused:
        world.service().pause(world.workspace, campaign.id)
        minutes(world, 700)
    assert len(world.mailed()) == 3
    world.service().resume(world.workspace, campaign.id)
    minutes(world, 3)
    assert len(world.mailed()) == 23


def test_a_seed_list_must_have_members() -> None:
    world = World()
    world.people(20)
    empty = world.ids.new("lst")
    with pytest.raises(InvalidInput, match="seed_list: must be a list of 1 to 500"):
        launch(world, seed_list=empty)
