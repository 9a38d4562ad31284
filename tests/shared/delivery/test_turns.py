"""One large campaign cannot starve another tenant; the brake stops a bad one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.analytics.model import CounterDelta
from shared.content.model import Template
from shared.delivery.model import Campaign, ChunkKey, ChunkPlan
from shared.delivery.rates import Limits
from shared.delivery.release import IN_FLIGHT, LEAST, in_flight
from shared.delivery.states import CampaignState
from shared.ids import TEMPLATE, to_text
from shared.mail import Mailbox
from tests.shared.delivery.world import DOMAIN, SOURCE, World

PER_MINUTE = 100
"""Chunks that the workers of this simulation get through in a minute."""


def planned(world: World, workspace: str, chunks: int) -> Campaign:
    """A campaign that is sending, of chunks with one erased person each."""
    template = world.ids.new(TEMPLATE)
    world.templates.create(Template(template, workspace, "T", SOURCE, world.clock.now()))
    world.sender_check.domains.add((workspace, DOMAIN))
    campaign = Campaign(
        world.ids.new("cmp"), workspace, "C", Mailbox(f"a@{DOMAIN}"), template,
        (world.list_id,), world.clock.now(), state=CampaignState.SENDING, template_version=1,
        chunks=chunks, recipients=chunks,
    )  # fmt: skip
    world.campaigns.create(campaign)
    for number in range(chunks):
        person = to_text("sub", number.to_bytes(12, "big"))
        world.ledger.put_plan(ChunkPlan(ChunkKey(workspace, campaign.id, number), (person,)))
    return campaign


def minute(world: World) -> None:
    """A tick, and as much as the workers get through, first come first served."""
    world.tick()
    for key, _ in [world.queue.sent.pop(0) for _ in range(min(PER_MINUTE, len(world.queue.sent)))]:
        world.dispatch(key)


def finished_after(world: World, campaign: Campaign, limit: int = 60) -> int:
    for count in range(1, limit):
        minute(world)
        state = world.campaigns.get(campaign.workspace, campaign.id).state
        if state is CampaignState.SENT:
            return count
    raise AssertionError("it did not finish")


def test_a_small_tenant_is_served_within_minutes_beside_a_huge_campaign() -> None:
    world = World()
    planned(world, world.workspace, 2000)
    for _ in range(3):
        minute(world)
    small = planned(world, world.ids.new("ws"), 20)
    # What is in flight before it is at most the budget: 200 chunks and 100 a minute.
    assert finished_after(world, small) <= 5


def test_two_large_tenants_get_the_same() -> None:
    world = World()
    first = planned(world, world.workspace, 1000)
    second = planned(world, world.ids.new("ws"), 1000)
    for _ in range(20):
        minute(world)
    done = [world.campaigns.get(c.workspace, c.id).released for c in (first, second)]
    assert abs(done[0] - done[1]) <= PER_MINUTE
    assert sum(done) >= 20 * PER_MINUTE


def test_campaigns_of_one_workspace_share_its_part() -> None:
    world = World()
    mine = [planned(world, world.workspace, 500) for _ in range(2)]
    other = planned(world, world.ids.new("ws"), 500)
    world.tick()
    released = [world.campaigns.get(c.workspace, c.id).released for c in (*mine, other)]
    assert released == [50, 50, 100]


def counted(world: World, campaign: Campaign, word: str, count: int, sequence: str) -> None:
    delta = CounterDelta(
        world.workspace, campaign.id, "shard", sequence, {f"ses|other|{word}": count}
    )
    assert world.counters.apply(delta)


def test_the_brake_pauses_with_the_evidence_and_a_resumed_campaign_goes_on() -> None:
    world = World()
    world.people(1000)
    campaign = world.launched(pace_per_hour=6000)
    world.drain()
    assert world.report(campaign)["accepted"] == 500
    counted(world, campaign, "hard_bounced", 45, "1")
    tick = world.tick()
    paused = world.campaigns.get(world.workspace, campaign.id)
    assert tick.did["campaigns_stopped"] == 1
    assert paused.state is CampaignState.PAUSED
    assert "45 hard bounces of 500 accepted messages (9.00%)" in paused.state_reason
    world.service().resume(world.workspace, campaign.id)
    assert not world.tick().did["campaigns_stopped"]
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENDING


def test_complaints_below_the_threshold_stop_nothing() -> None:
    world = World()
    world.people(600)
    campaign = world.launched(pace_per_hour=600)
    counted(world, campaign, "complained", 1, "1")
    world.drain()
    world.tick()
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENDING


def test_no_more_is_in_flight_than_the_providers_have_use_for() -> None:
    shipped = (Limits(per_second=100), Limits(per_second=14, per_day=50_000), Limits(per_hour=600))
    assert in_flight(shipped) == 29  # (12,000 + 1,680 + 600) / 500
    assert in_flight([Limits(per_second=1)]) == LEAST
    assert in_flight([Limits(per_second=1), Limits()]) == IN_FLIGHT


def test_without_tokens_nobody_is_read() -> None:
    limits = {name: Limits(per_hour=10) for name in ("sendgrid", "ses", "postmark")}
    world = World(limits)
    world.people(100)
    world.launched()
    world.drain()
    assert len(world.mailed()) == 30
    reads: list[Sequence[str]] = []
    read = world.subscribers.recipients

    def noted(workspace: str, ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        reads.append(ids)
        return read(workspace, ids)

    world.subscribers.recipients = noted  # type: ignore[method-assign, assignment]  # a spy
    runs = []
    for _ in range(58):
        world.tick()
        runs += world.drain()
    assert (runs, reads) == ([], [])
    world.tick(5)
    world.drain()
    assert len(world.mailed()) == 60
