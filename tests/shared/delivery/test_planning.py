"""Planning reads its lists once, and goes on behind what is planned already."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.audience.ports import SHARDS
from shared.delivery.model import CHUNK_SIZE, Campaign, ChunkPlan
from shared.delivery.states import CampaignState
from tests.shared.delivery.world import World


def planned(world: World) -> list[str]:
    plans = sorted(world.ledger.plans.values(), key=lambda plan: plan.key.chunk)
    return [subscriber for plan in plans for subscriber in plan.subscribers]


def launched(world: World) -> tuple[Campaign, str]:
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    return campaign, "job_" + campaign.id.partition("_")[2]


def test_a_step_asks_for_each_shard_of_a_list_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.people(5 * CHUNK_SIZE)
    campaign, job_id = launched(world)
    asked: list[int] = []
    members = world.memberships.members

    def counted(
        workspace: str,
        list_id: str,
        shard: int,
        *,
        after: str | None = None,
        consistent: bool = True,
    ) -> Iterator[str]:
        assert consistent, "who came just before the launch must not be missed"
        asked.append(shard)
        return members(workspace, list_id, shard, after=after)

    monkeypatch.setattr(world.memberships, "members", counted)
    world.run_job(job_id)
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENDING
    assert asked == list(range(SHARDS))


class Killed(Exception):
    """The worker process is gone."""


@pytest.mark.parametrize("killed_after", range(1, 5))
def test_lists_that_changed_since_a_killed_step_shift_nobody(
    killed_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is done again over plans that are there, and over lists that are not the same."""
    world = World()
    before = {person.id for person in world.people(5 * CHUNK_SIZE - 100)}
    campaign, job_id = launched(world)
    put = world.ledger.put_plan

    def dying(plan: ChunkPlan) -> ChunkPlan:
        if plan.key.chunk == killed_after:
            raise Killed
        return put(plan)

    with monkeypatch.context() as patched:
        patched.setattr(world.ledger, "put_plan", dying)
        with pytest.raises(Killed):
            world.plan_step().run(world.jobs.get(world.workspace, job_id))
    there = planned(world)
    gone = sorted(before - set(there))[:40] + there[:30]
    for subscriber in gone:
        world.memberships.remove(world.workspace, world.list_id, subscriber)
    came = {person.id for person in world.people(200, start=5 * CHUNK_SIZE)}
    world.run_job(job_id)

    everybody = planned(world)
    assert everybody[: len(there)] == there
    assert len(everybody) == len(set(everybody))
    assert before - set(gone) <= set(everybody) <= before | came
    stored = world.campaigns.get(world.workspace, campaign.id)
    assert (stored.recipients, stored.chunks) == (len(everybody), len(world.ledger.plans))
