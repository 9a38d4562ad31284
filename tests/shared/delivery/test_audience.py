"""Campaigns to segments: who is planned, that nobody is twice or forgotten, and who is mailed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.segments.model import Audience, Consent, Segment, Snapshot, Source, SourceKind
from shared.delivery import planning
from shared.delivery.model import Campaign, ChunkPlan
from shared.delivery.states import CampaignState
from shared.errors import ConfirmationRequired, InvalidInput
from shared.ids import SEGMENT, SNAPSHOT
from tests.shared.delivery.world import World

LARGE: dict[str, Any] = {"attribute": "size", "op": "gte", "value": 50}
SMALL = {"not": LARGE}


def source(world: World, thing: str | dict[str, Any]) -> Source:
    """A list's or snapshot's id as it is, and of a rule a segment."""
    if isinstance(thing, str):
        return Source(SourceKind.LIST if thing.startswith("lst") else SourceKind.SNAPSHOT, thing)
    segment_id = world.ids.new(SEGMENT)
    now = world.clock.now()
    world.segments.create(Segment(segment_id, world.workspace, "S", thing, now, now))
    return Source(SourceKind.SEGMENT, segment_id)


def audience(
    world: World, *include: str | dict[str, Any], exclude: tuple[str | dict[str, Any], ...] = ()
) -> Audience:
    return Audience(
        tuple(source(world, one) for one in include), tuple(source(world, one) for one in exclude)
    )


def snapshot(world: World, people: list[Subscriber]) -> str:
    snapshot_id = world.ids.new(SNAPSHOT)
    now = world.clock.now()
    later = now.replace(year=now.year + 1)
    world.snapshots.create(
        Snapshot(snapshot_id, world.workspace, "seg_x", LARGE, now, later, len(people))
    )
    world.memberships.add(world.workspace, snapshot_id, [one.id for one in people])
    return snapshot_id


def sized(world: World, count: int, start: int = 0, **fields: Any) -> list[Subscriber]:
    """People of sizes 0 to 99, by turns."""
    return [
        world.subscribers.put(replace(one, attributes={"size": n % 100}))
        for n, one in enumerate(world.people(count, start=start, **fields))
    ]


def create(world: World, whom: Audience) -> Campaign:
    return world.service().create(world.workspace, world.draft(list_ids=(), audience=whom))


def launched(world: World, whom: Audience) -> Campaign:
    return world.launched(list_ids=(), audience=whom)


def planned(world: World, campaign: Campaign) -> list[str]:
    plans = [plan for key, plan in world.ledger.plans.items() if key.campaign == campaign.id]
    return [one for plan in sorted(plans, key=lambda p: p.key.chunk) for one in plan.subscribers]


def test_include_and_exclude_of_every_kind() -> None:
    world = World()
    people = sized(world, 400)
    other = world.ids.new("lst")
    world.lists.create(MailingList(other, world.workspace, "Other", world.clock.now()))
    kept = snapshot(world, people[:100])
    whom = audience(world, world.list_id, SMALL, exclude=(LARGE, kept, other))
    campaign = launched(world, whom)
    expected = {one.id for n, one in enumerate(people) if n % 100 < 50 and n >= 100}
    assert set(planned(world, campaign)) == expected
    assert campaign.recipients == len(planned(world, campaign)) == 150
    assert campaign.state is CampaignState.SENDING
    world.drain()
    assert len(world.mailed()) == len(set(world.mailed())) == 150


def test_a_snapshot_is_mailed_as_it_was() -> None:
    world = World()
    people = sized(world, 20)
    campaign = launched(world, audience(world, snapshot(world, people[:7])))
    assert set(planned(world, campaign)) == {one.id for one in people[:7]}


def test_the_rule_is_kept_as_it_was_when_planning_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LOOKS_PER_STEP", 100)
    world = World()
    people = sized(world, 600)
    whom = audience(world, LARGE)
    campaign = create(world, whom)
    world.service().launch(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, "job_" + campaign.id.partition("_")[2])
    job = world.jobs.save(world.plan_step().run(job))
    segment = world.segments.get(world.workspace, whom.include[0].id)
    world.segments.save(replace(segment, rule=SMALL))
    world.run_job(job.id)
    expected = {one.id for one in people if (one.attributes["size"]) >= 50}  # type: ignore[operator]  # numbers
    assert set(planned(world, campaign)) == expected


def test_few_among_many_wait_for_a_full_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LOOKS_PER_STEP", 150)
    world = World()
    sized(world, 1300)
    campaign = launched(world, audience(world, LARGE))
    sizes = [len(plan.subscribers) for plan in world.ledger.plans.values()]
    assert (campaign.recipients, sizes) == (650, [500, 150])


class Killed(Exception):
    """The worker process is gone."""


@pytest.mark.parametrize("killed_after", range(4))
def test_a_plan_killed_anywhere_and_done_again_has_nobody_twice(
    killed_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two runs, people join and others no longer fit the rule."""
    monkeypatch.setattr(planning, "LOOKS_PER_STEP", 700)
    monkeypatch.setattr(planning, "CHUNK_SIZE", 100)
    world = World()
    people = sized(world, 900)
    campaign = create(world, audience(world, LARGE))
    world.service().launch(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, "job_" + campaign.id.partition("_")[2])
    put, left = world.ledger.put_plan, iter(range(killed_after))

    def dying(plan: ChunkPlan) -> ChunkPlan:
        if next(left, None) is None:
            raise Killed
        return put(plan)

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "put_plan", dying)
        with pytest.raises(Killed):
            world.run_job(job.id)
    newcomers = sized(world, 300, start=900)
    for one in people[50:100]:
        stored = world.subscribers.get(world.workspace, one.id)
        world.subscribers.put(replace(stored, attributes={"size": 1}))
    world.run_job(job.id)
    done = world.campaigns.get(world.workspace, campaign.id)
    found = planned(world, campaign)
    assert done.recipients == len(found) == len(set(found))
    stayed = {one.id for n, one in enumerate(people) if n % 100 >= 50 and n >= 100}
    assert stayed <= set(found)
    assert set(found) - stayed <= {one.id for one in (*people[50:100], *newcomers)}


def test_a_cursor_of_the_release_before_is_understood() -> None:
    world = World()
    world.people(700)
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, "job_" + campaign.id.partition("_")[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "CHUNKS_PER_STEP", 1)
        job = world.plan_step().run(job)
    before = {name: job.cursor[name] for name in ("chunk", "recipients", "position")}
    world.jobs.save(replace(job, cursor=before))
    world.run_job(job.id)
    assert len(set(planned(world, campaign))) == 700


def test_a_segment_that_is_gone_by_the_time_fails_the_campaign() -> None:
    world = World()
    sized(world, 60)
    whom = audience(world, LARGE)
    campaign = create(world, whom)
    world.service().launch(world.workspace, campaign.id)
    world.segments.delete(world.workspace, whom.include[0].id)
    world.run_job("job_" + campaign.id.partition("_")[2])
    failed = world.campaigns.get(world.workspace, campaign.id)
    assert failed.state is CampaignState.FAILED
    assert "there is no segment" in failed.state_reason


def test_an_audience_that_nobody_is_in_when_planned_fails() -> None:
    world = World()
    people = sized(world, 60)
    campaign = create(world, audience(world, LARGE))
    world.service().launch(world.workspace, campaign.id)
    for one in people:
        world.subscribers.put(replace(one, attributes={}))
    world.run_job("job_" + campaign.id.partition("_")[2])
    failed = world.campaigns.get(world.workspace, campaign.id)
    assert (failed.state, failed.state_reason) == (
        CampaignState.FAILED,
        "nobody is in the audience",
    )


@pytest.mark.parametrize("missing", ["list", "segment", "snapshot", "nobody"])
def test_a_launch_that_cannot_work_is_refused(missing: str) -> None:
    world = World()
    sized(world, 40)
    sources = {
        "list": Source(SourceKind.LIST, "lst_" + "0" * 20),
        "segment": Source(SourceKind.SEGMENT, "seg_" + "0" * 20),
        "snapshot": Source(SourceKind.SNAPSHOT, "snp_" + "0" * 20),
        "nobody": source(world, LARGE),
    }
    campaign = create(world, Audience((sources[missing],)))
    with pytest.raises(InvalidInput) as caught:
        world.service().launch(world.workspace, campaign.id)
    field = "audience" if missing == "nobody" else "audience.include.0"
    assert [one.field for one in caught.value.problems] == [field]


def test_a_draft_has_lists_or_an_audience() -> None:
    world = World()
    both = world.draft(audience=audience(world, LARGE))
    with pytest.raises(InvalidInput, match="cannot go with audience"):
        world.service().create(world.workspace, both)
    with pytest.raises(InvalidInput, match="or give an audience"):
        world.service().create(world.workspace, world.draft(list_ids=()))
    with pytest.raises(InvalidInput, match=r"audience\.include"):
        world.service().create(world.workspace, world.draft(list_ids=(), audience=Audience(())))


def test_a_large_segment_has_to_be_confirmed() -> None:
    world = World()
    sized(world, 90)
    settings = world.settings.get(world.workspace)
    world.settings.save(world.workspace, replace(settings, confirm_above=30))
    campaign = create(world, audience(world, LARGE))
    with pytest.raises(ConfirmationRequired) as caught:
        world.service().launch(world.workspace, campaign.id)
    assert caught.value.recipients == 40
    world.service().launch(world.workspace, campaign.id, 40)


def test_a_segment_of_a_list_is_mailed_and_left_by_that_list() -> None:
    world = World()
    people = sized(world, 100)
    rule = {"all": [LARGE, {"list": world.list_id}]}
    campaign = launched(world, audience(world, rule))
    assert campaign.consent == Consent((world.list_id,))
    left = replace(
        world.subscribers.get(world.workspace, people[60].id),
        lists={world.list_id: ListState.UNSUBSCRIBED, "lst_other": ListState.SUBSCRIBED},
    )
    world.subscribers.put(left)
    world.drain()
    assert len(world.mailed()) == 49
    assert left.address not in world.mailed()


def test_a_segment_of_no_list_goes_to_who_is_subscribed_to_any() -> None:
    world = World()
    people = sized(world, 100)
    for one in people[50:60]:
        world.subscribers.put(replace(one, lists={}, attributes={"size": 99}))
    campaign = launched(world, audience(world, LARGE))
    assert campaign.recipients == 50
    world.drain()
    assert len(world.mailed()) == 40
    assert world.report(campaign)["skipped"] == 10


def test_seeds_get_it_first_and_once_with_a_segment_too() -> None:
    world = World()
    people = sized(world, 100)
    seeds = world.ids.new("lst")
    world.lists.create(MailingList(seeds, world.workspace, "Us", world.clock.now()))
    for one in (people[10], people[60]):
        world.memberships.add(world.workspace, seeds, [one.id])
    campaign = world.launched(list_ids=(), audience=audience(world, LARGE), seed_list=seeds)
    found = planned(world, campaign)
    assert set(found[:2]) == {people[10].id, people[60].id}
    assert len(found) == len(set(found)) == 51
