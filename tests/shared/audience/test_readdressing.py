from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from shared.audience.drafts import SubscriberDraft
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.audience.settings import AudienceSettings, QualityAction
from shared.engagement import Deed, EngagementState, Fact, KeptState, day_of
from shared.errors import AlreadyExists, InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import to_bytes
from shared.jobs import JobKind
from tests.shared.audience.world import World

OLD, NEW = "ann@old.example", "ann@new.example"


def a_world() -> tuple[World, Subscriber, str, str]:
    world = World()
    news, offers = world.a_list(), world.a_list()
    draft = SubscriberDraft(OLD, (news, offers), {"n": 1}, ("vip",), "de", "Europe/Berlin")
    ann = world.service.create(world.ws, draft)
    ann = world.service.unsubscribe(world.ws, ann.id, offers, source="link")
    world.clock.advance(days=1)
    return world, ann, news, offers


def change(world: World, person: Subscriber, email: str = NEW) -> Subscriber:
    return world.address_changes.change(world.ws, person.id, email)


def test_a_new_id_takes_over_and_the_old_one_leads_on_to_it() -> None:
    world, ann, news, offers = a_world()
    moved = change(world, ann)
    assert moved == replace(
        ann, id=world.id_of(NEW), address=NEW, previous=(ann.id,), updated_at=world.clock.now(),
        version=1,
    )  # fmt: skip
    assert world.service.get(world.ws, ann.id) == moved
    assert world.members(news) == {moved.id}
    assert world.members(offers) == set()
    old = world.subscribers.people[world.ws, ann.id]
    assert (old.address, old.attributes, old.lists, old.moved_to) == ("", {}, {}, moved.id)
    assert [one.id for one in world.service.page(world.ws, limit=10).items] == [moved.id]
    assert change(world, ann) == moved
    assert change(world, moved) == moved


@pytest.mark.parametrize("reason", SuppressionReason)
def test_what_is_about_her_goes_along_and_what_is_about_the_address_stays(
    reason: SuppressionReason,
) -> None:
    world, ann, _, _ = a_world()
    world.consent.suppress(world.ws, ann.id, reason, source="x")
    moved = change(world, ann)
    if reason is SuppressionReason.HARD_BOUNCE:
        assert moved.suppressed is None
    else:
        assert moved.suppressed is reason
        entry = world.suppressions.get(world.ws, moved.id)
        assert entry is not None
        assert (entry.reason, entry.source) == (reason, "x")
    assert world.suppressions.get(world.ws, ann.id)


def test_a_suppression_of_the_new_address_holds() -> None:
    world, ann, _, _ = a_world()
    complaint = SuppressionReason.COMPLAINT
    world.consent.suppress(world.ws, world.id_of(NEW), complaint, source="x")
    assert change(world, ann).suppressed is complaint


def test_links_and_events_of_old_mails_still_count() -> None:
    world, ann, news, _ = a_world()
    moved = change(world, ann)
    left = world.consent.unsubscribe(world.ws, ann.id, news, source="link")
    assert left is not None
    assert (left.id, left.lists[news]) == (moved.id, ListState.UNSUBSCRIBED)
    assert world.members(news) == set()
    assert world.consent.subscribe(world.ws, ann.id, news).id == moved.id
    assert world.members(news) == {moved.id}
    world.consent.suppress(world.ws, ann.id, SuppressionReason.HARD_BOUNCE, source="webhook:x")
    assert world.stored(NEW).suppressed is None
    world.consent.unsubscribe(world.ws, ann.id, None, source="link")
    assert world.stored(NEW).suppressed is SuppressionReason.UNSUBSCRIBED
    world.consent.unsuppress(world.ws, ann.id)
    assert world.stored(NEW).suppressed is None


def opened(world: World, campaign: bytes) -> EngagementState:
    return EngagementState().heard([Fact(campaign, Deed.OPENED, day_of(world.clock.now()))])


def test_what_segments_know_of_her_engagement_goes_along() -> None:
    world, ann, _, _ = a_world()
    first, second, third = (opened(world, bytes([n]) * 12) for n in range(3))
    world.engagement.save(world.ws, {ann.id: KeptState(first), world.id_of(NEW): KeptState(second)})
    moved = change(world, ann)
    kept = world.engagement.load(world.ws, [ann.id, moved.id])
    assert kept[ann.id] == KeptState(EngagementState(), 2, moved_to=moved.id)
    assert kept[moved.id] == KeptState(first.joined(second), 2)
    world.engagement.save(world.ws, {moved.id: KeptState(third, 2)})
    back = change(world, moved, OLD)
    kept = world.engagement.load(world.ws, [moved.id, back.id])
    assert kept[moved.id].moved_to == back.id
    assert (kept[back.id].state, kept[back.id].moved_to) == (third, "")


def test_an_event_noted_while_the_state_moves_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    world, ann, _, _ = a_world()
    first, late = opened(world, b"a" * 12), opened(world, b"b" * 12)
    world.engagement.save(world.ws, {ann.id: KeptState(first)})
    save = world.engagement.save

    def in_between(workspace: str, states: Mapping[str, KeptState]) -> set[str]:
        monkeypatch.setattr(world.engagement, "save", save)
        assert save(workspace, {ann.id: KeptState(first.joined(late), 1)}) == set()
        return save(workspace, states)

    monkeypatch.setattr(world.engagement, "save", in_between)
    moved = change(world, ann)
    kept = world.engagement.load(world.ws, [ann.id, moved.id])
    assert kept[moved.id].state == first.joined(late)
    assert kept[ann.id].moved_to == moved.id


def test_events_that_never_cease_end_it_and_it_can_be_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, ann, _, _ = a_world()
    with monkeypatch.context() as patch:
        patch.setattr(world.engagement, "save", lambda _workspace, states: set(states))
        with pytest.raises(StaleWrite, match="try again"):
            change(world, ann)
    assert change(world, ann).address == NEW


def test_there_and_back_again_and_on() -> None:
    world, ann, news, _ = a_world()
    moved = change(world, ann)
    back = change(world, moved, OLD)
    assert (back.id, back.address, back.previous) == (ann.id, OLD, (moved.id,))
    assert world.members(news) == {ann.id}
    assert world.service.get(world.ws, moved.id) == back
    third = change(world, back, "ann@third.example")
    assert set(third.previous) == {ann.id, moved.id}
    assert world.service.get(world.ws, moved.id) == third


def test_an_address_that_somebody_has_or_had_is_refused() -> None:
    world, ann, _, _ = a_world()
    bob = world.add("bob@example.com")
    with pytest.raises(AlreadyExists, match="person of that address"):
        change(world, ann, "bob@example.com")
    change(world, bob, "bob@new.example")
    with pytest.raises(AlreadyExists, match="former address"):
        change(world, ann, "bob@example.com")
    with pytest.raises(AlreadyExists, match="former address"):
        world.add("bob@example.com")
    assert world.service.get(world.ws, ann.id).address == OLD


def test_a_former_address_is_freed_by_deleting_its_id() -> None:
    world, ann, _, _ = a_world()
    moved = change(world, ann)
    job_id = world.service.delete(world.ws, ann.id)
    world.delete_step.run(world.jobs.get(world.ws, job_id))
    assert world.service.get(world.ws, moved.id) == moved
    other = world.add(OLD)
    assert other.id == ann.id
    job_id = world.service.delete(world.ws, moved.id)
    world.delete_step.run(world.jobs.get(world.ws, job_id))
    assert world.service.get(world.ws, other.id) == other
    assert len(world.subscribers.people) == 1


def test_deleting_her_deletes_what_leads_to_her() -> None:
    world, ann, _, _ = a_world()
    moved = change(world, ann)
    job = world.jobs.get(world.ws, world.service.delete(world.ws, moved.id))
    assert job.kind is JobKind.DELETE_SUBSCRIBER
    world.delete_step.run(job)
    assert world.subscribers.people == {}
    assert world.engagement.states == {}


def test_what_cannot_be() -> None:
    world, ann, _, _ = a_world()
    with pytest.raises(InvalidInput):
        change(world, ann, "nope")
    with pytest.raises(NotFound):
        world.address_changes.change(world.ws, "sub_x", NEW)
    with pytest.raises(NotFound):
        world.address_changes.change("ws_other", ann.id, NEW)
    world.settings.save(world.ws, AudienceSettings(role=QualityAction.REJECT))
    with pytest.raises(InvalidInput, match="role"):
        change(world, ann, "info@new.example")
    bob = world.add("bob@example.com")
    world.service.delete(world.ws, bob.id)
    with pytest.raises(WrongState):
        change(world, ann, "bob@example.com")


class Killed(Exception):
    pass


@pytest.mark.parametrize("writes", range(11))
def test_after_a_crash_anywhere_calling_again_finishes_it(
    writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ann, news, _ = a_world()
    world.consent.suppress(world.ws, ann.id, SuppressionReason.MANUAL, source="x")
    heard = opened(world, b"a" * 12)
    world.engagement.save(world.ws, {ann.id: KeptState(heard)})
    left = writes

    def counted(write: Callable[..., object]) -> Callable[..., object]:
        def counting(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return write(*arguments)

        return counting

    with monkeypatch.context() as patch:
        for store, method in (
            (world.subscribers, "put"), (world.memberships, "add"),
            (world.memberships, "remove"), (world.suppressions, "put"),
            (world.engagement, "save"),
        ):  # fmt: skip
            patch.setattr(store, method, counted(getattr(store, method)))
        try:
            change(world, ann)
        except Killed:
            mailable = [p for p in world.subscribers.people.values() if not p.suppressed]
            assert all(person.deleted for person in mailable)
    moved = change(world, ann)
    assert (moved.address, moved.suppressed) == (NEW, SuppressionReason.MANUAL)
    assert moved.previous == (ann.id,)
    assert world.members(news) == {moved.id}
    assert len(world.subscribers.people) == 2
    kept = world.engagement.load(world.ws, [ann.id, moved.id])
    assert (kept[moved.id].state, kept[ann.id].moved_to) == (heard, moved.id)


def test_who_loses_the_race_for_an_address_stays_where_she_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, ann, news, _ = a_world()
    add = world.memberships.add

    def then_somebody_signs_up(*arguments: object) -> None:
        monkeypatch.setattr(world.memberships, "add", add)
        add(*arguments)  # type: ignore[arg-type]  # as it was called
        world.add(NEW)

    monkeypatch.setattr(world.memberships, "add", then_somebody_signs_up)
    with pytest.raises(AlreadyExists):
        change(world, ann)
    stored = world.service.get(world.ws, ann.id)
    assert (stored.address, stored.lists[news]) == (OLD, ListState.SUBSCRIBED)
    assert world.stored(NEW).lists == {}


def test_an_unsubscribe_in_the_very_moment_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    world, ann, news, _ = a_world()
    put = world.subscribers.put

    def in_between(person: Subscriber) -> Subscriber:
        stored = put(person)
        if stored.moved_to:
            monkeypatch.setattr(world.subscribers, "put", put)
            with pytest.raises(StaleWrite, match="try again"):
                world.consent.unsubscribe(world.ws, ann.id, news, source="link")
            world.consent.suppress(world.ws, ann.id, SuppressionReason.COMPLAINT, source="x")
        return stored

    monkeypatch.setattr(world.subscribers, "put", in_between)
    moved = change(world, ann)
    assert moved.suppressed is SuppressionReason.COMPLAINT
    assert to_bytes(moved.id) != to_bytes(ann.id)
