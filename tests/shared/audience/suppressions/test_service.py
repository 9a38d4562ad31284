"""Looking, adding by hand, and letting go."""

from __future__ import annotations

import pytest

from shared.audience.model import SuppressionReason
from shared.errors import InvalidInput, NotFound, StaleWrite, WrongState
from shared.jobs import JobKind
from tests.shared.audience.suppressions.world import (
    BOUNCE,
    COMPLAINT,
    ERASURE,
    MANUAL,
    UNSUBSCRIBED,
    World,
)


def add(world: World, *emails: str) -> tuple[int, int]:
    added = world.list.add(world.ws, emails=emails, subscriber_ids=(), source="api:key_1")
    return len(added.ids), added.unchanged


def test_addresses_are_added_once_and_copied_to_the_people() -> None:
    world = World()
    world.add("ann@example.com")
    assert add(world, "Ann@Example.com", "bob@example.com") == (2, 0)
    assert world.stored("ann@example.com").suppressed is MANUAL
    entry = world.entry("bob@example.com")
    assert entry is not None
    assert (entry.address, entry.source, entry.reason) == ("bob@example.com", "api:key_1", MANUAL)
    world.clock.advance(seconds=60)
    assert add(world, "ann@example.com", "bob@example.com") == (0, 2)
    assert world.entry("bob@example.com") == entry


def test_people_are_added_by_id_and_a_graver_reason_stays() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, COMPLAINT, source="webhook:ses")
    stranger = world.id_of("nobody@example.com")
    added = world.list.add(
        world.ws, emails=(), subscriber_ids=(ann.id, stranger), source="api:key_1"
    )
    assert (added.ids, added.unchanged) == ((stranger,), 1)
    assert world.list.get(world.ws, ann.id).reason is COMPLAINT
    assert world.list.get(world.ws, stranger).address == ""


def test_what_was_cut_short_is_finished_by_doing_it_again() -> None:
    world = World()
    ann = world.add("ann@example.com")
    add(world, "ann@example.com")
    cut = world.stored("ann@example.com")
    world.subscribers.people[world.ws, ann.id] = type(cut).from_item(
        {**cut.to_item(), "suppressed": None}
    )
    assert add(world, "ann@example.com") == (0, 1)
    assert world.stored("ann@example.com").suppressed is MANUAL


def test_one_bad_address_refuses_all() -> None:
    world = World()
    with pytest.raises(InvalidInput) as refused:
        world.list.add(
            world.ws, emails=["ann@example.com", "x"], subscriber_ids=["lst_1"], source="s"
        )
    assert [p.field for p in refused.value.problems] == ["emails.1", "subscribers.0"]
    assert world.suppressions.entries == {}
    for emails in ([], [f"p{n}@example.com" for n in range(1001)]):
        with pytest.raises(InvalidInput, match="1 to 1000"):
            world.list.add(world.ws, emails=emails, subscriber_ids=(), source="s")


def test_a_former_address_leads_on_to_the_present_one() -> None:
    world = World()
    old = world.add("ann@example.com")
    new = world.address_changes.change(world.ws, old.id, "ann@new.example")
    add(world, "ann@example.com")
    assert world.list.get(world.ws, new.id).reason is MANUAL
    assert world.subscribers.get(world.ws, new.id).suppressed is MANUAL


def test_the_address_is_kept_with_the_entry_but_for_an_erasure() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, BOUNCE, source="webhook:ses")
    assert world.list.get(world.ws, ann.id).address == "ann@example.com"
    world.consent.suppress(world.ws, ann.id, ERASURE, source="erasure")
    assert world.list.get(world.ws, ann.id).address == ""


@pytest.mark.parametrize("reason", [BOUNCE, MANUAL])
def test_a_bounce_and_a_manual_entry_can_be_removed(reason: SuppressionReason) -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, reason, source="api:key_1")
    removed = world.list.remove(world.ws, ann.id, confirmed=False, at_providers=False)
    assert (removed.entry.reason, removed.job) == (reason, "")
    assert world.stored("ann@example.com").suppressed is None
    with pytest.raises(NotFound):
        world.list.remove(world.ws, ann.id, confirmed=False, at_providers=False)


@pytest.mark.parametrize("reason", [COMPLAINT, UNSUBSCRIBED])
def test_her_own_wish_needs_a_confirmation(reason: SuppressionReason) -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, reason, source="link")
    with pytest.raises(WrongState, match="confirm=true"):
        world.list.remove(world.ws, ann.id, confirmed=False, at_providers=False)
    assert world.list.get(world.ws, ann.id).reason is reason
    world.list.remove(world.ws, ann.id, confirmed=True, at_providers=False)
    assert world.suppressions.entries == {}


def test_an_erasure_is_never_removed() -> None:
    world = World()
    one = world.id_of("ann@example.com")
    world.consent.suppress(world.ws, one, ERASURE, source="erasure")
    with pytest.raises(WrongState, match="cannot be undone"):
        world.list.remove(world.ws, one, confirmed=True, at_providers=True)
    assert world.list.get(world.ws, one).reason is ERASURE


def test_an_erasure_of_the_same_moment_is_not_removed_with_what_was_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, MANUAL, source="api:key_1")
    remove = world.suppressions.remove

    def late(workspace: str, one: str, *, only: SuppressionReason | None = None) -> bool:
        world.consent.suppress(workspace, one, ERASURE, source="erasure")
        return remove(workspace, one, only=only)

    monkeypatch.setattr(world.suppressions, "remove", late)
    with pytest.raises(StaleWrite):
        world.list.remove(world.ws, ann.id, confirmed=True, at_providers=False)
    assert world.list.get(world.ws, ann.id).reason is ERASURE


def test_the_providers_are_told_if_the_deployment_knows_of_it() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.sendgrid.own.append(world.seen("ann@example.com"))
    world.run_sync()
    removed = world.list.remove(world.ws, ann.id, confirmed=False, at_providers=True)
    job = world.jobs.get(world.ws, removed.job)
    assert job.kind is JobKind.LIFT_SUPPRESSION
    assert "ann" not in str(job.params)
    assert world.queue.messages[-1].job == job.id
