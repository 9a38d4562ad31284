"""Launching: once, checked, planned to the last person, resumable at every step."""

from __future__ import annotations

import pytest

from shared.audience.model import MailingList
from shared.delivery.model import CHUNK_SIZE, ChunkKey, ChunkPlan
from shared.delivery.states import CampaignState
from shared.errors import InvalidInput, WrongState
from shared.jobs import JobState
from shared.mail import Mailbox
from tests.shared.delivery.world import DOMAIN, World


def test_launching_twice_says_so_and_plans_once() -> None:
    world = World()
    world.people(3)
    campaign = world.launched()
    with pytest.raises(WrongState, match="not launched a second time"):
        world.service().launch(world.workspace, campaign.id)
    assert len(world.job_queue.messages) == 1


def test_resuming_while_it_is_planned_does_not_end_it_with_nobody_mailed() -> None:
    world = World()
    world.people(3)
    draft = world.service().create(world.workspace, world.draft())
    campaign = world.service().launch(world.workspace, draft.id)
    with pytest.raises(WrongState, match="planning"):
        world.service().resume(world.workspace, campaign.id)
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.PLANNING


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sender": Mailbox("hello@other.example.com")}, "sender.email"),
        ({"template_id": "tpl_00000000000000000000"}, "template"),
        ({"list_ids": ("lst_00000000000000000000",)}, "lists.0"),
    ],
)
def test_a_launch_that_cannot_work_is_refused(change: dict[str, object], field: str) -> None:
    world = World()
    world.people(1)
    campaign = world.service().create(world.workspace, world.draft(**change))
    with pytest.raises(InvalidInput) as caught:
        world.service().launch(world.workspace, campaign.id)
    assert caught.value.problems[0].field == field
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.DRAFT


def test_an_empty_audience_is_refused() -> None:
    world = World()
    campaign = world.service().create(world.workspace, world.draft())
    with pytest.raises(InvalidInput, match="no members"):
        world.service().launch(world.workspace, campaign.id)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a\nb"}, "name"),
        ({"name": " "}, "name"),
        ({"sender": Mailbox("x", "")}, "sender.email"),
        ({"sender": Mailbox(f"x@{DOMAIN}", "A\r\nBcc: b@example.com")}, "sender.name"),
        ({"reply_to": Mailbox("a\n@b.example")}, "reply_to.email"),
        ({"list_ids": ()}, "lists"),
        ({"tags": ("a b",)}, "tags"),
    ],
)
def test_a_bad_draft_names_the_field(change: dict[str, object], field: str) -> None:
    world = World()
    with pytest.raises(InvalidInput) as caught:
        world.service().create(world.workspace, world.draft(**change))
    assert caught.value.problems[0].field == field


def test_another_workspaces_domain_is_refused_when_saved() -> None:
    world = World()
    world.sender_check.domains.add(("ws_other", "theirs.example.com"))
    with pytest.raises(InvalidInput, match=r"sender\.email"):
        world.service().create(world.workspace, world.draft(sender=Mailbox("a@theirs.example.com")))


def test_only_a_draft_can_be_changed() -> None:
    world = World()
    world.people(1)
    campaign = world.launched()
    with pytest.raises(WrongState, match="only a draft"):
        world.service().update(world.workspace, campaign.id, world.draft(name="other"))


def test_two_lists_reach_everybody_once() -> None:
    world = World()
    world.people(700)
    second = world.ids.new("lst")
    world.lists.create(MailingList(second, world.workspace, "More", world.clock.now()))
    ids = [person.id for person in world.subscribers.people.values()]
    world.memberships.add(world.workspace, second, ids[:500])
    ids += [person.id for person in world.people(200, start=700)]
    campaign = world.launched(list_ids=(world.list_id, second))
    assert campaign.recipients == 900
    planned = [
        subscriber
        for number in range(campaign.chunks)
        for subscriber in world.ledger.plans[
            ChunkKey(world.workspace, campaign.id, number)
        ].subscribers
    ]
    assert sorted(planned) == sorted(ids)
    sizes = [len(plan.subscribers) for plan in world.ledger.plans.values()]
    assert sizes == [CHUNK_SIZE, 400]


class Killed(Exception):
    """The worker process is gone."""


@pytest.mark.parametrize("killed_after", range(5))
def test_a_plan_killed_anywhere_and_done_again_is_the_same(killed_after: int) -> None:
    """The worker dies after its n-th plan item; the job's saved cursor is still the old one."""
    world = World()
    world.people(2300)
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, "job_" + campaign.id.partition("_")[2])
    put, left = world.ledger.put_plan, iter(range(killed_after))

    def dying(plan: ChunkPlan) -> ChunkPlan:
        if next(left, None) is None:
            raise Killed
        return put(plan)

    world.ledger.put_plan = dying  # type: ignore[method-assign]  # the crash under test
    with pytest.raises(Killed):
        world.plan_step().run(job)
    world.ledger.put_plan = put  # type: ignore[method-assign]  # the next worker lives
    world.run_job(job.id)
    done = world.campaigns.get(world.workspace, campaign.id)
    assert (done.state, done.recipients, done.chunks) == (CampaignState.SENDING, 2300, 5)
    world.drain()
    assert len(world.mailed()) == len(set(world.mailed())) == 2300


def test_a_plan_job_of_a_cancelled_campaign_ends() -> None:
    world = World()
    world.people(3)
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    world.service().cancel(world.workspace, campaign.id)
    job = world.run_job("job_" + campaign.id.partition("_")[2])
    assert job.state is JobState.DONE
    assert world.queue.sent == []


def test_people_who_came_after_the_first_chunk_do_not_shift_the_rest() -> None:
    world = World()
    world.people(1200)
    campaign = world.service().create(world.workspace, world.draft())
    world.service().launch(world.workspace, campaign.id)
    job = world.jobs.get(world.workspace, "job_" + campaign.id.partition("_")[2])
    world.plan_step().run(job)
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENDING
    world.people(300, start=1200)
    world.plan_step().run(job)
    assert world.campaigns.get(world.workspace, campaign.id).recipients == 1200
