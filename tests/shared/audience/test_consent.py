from dataclasses import replace

import pytest

from shared.audience.model import ListState, Subscriber, Suppression, SuppressionReason
from shared.audience.writes import ATTEMPTS
from shared.errors import NotFound, StaleWrite, WrongState
from tests.shared.audience.world import World


def test_subscribing_and_leaving_one_list() -> None:
    world = World()
    news, offers = world.a_list(), world.a_list()
    ann = world.add("ann@example.com", news, offers)

    left = world.consent.unsubscribe(world.ws, ann.id, news, source="link")

    assert left is not None
    assert left.lists == {news: ListState.UNSUBSCRIBED, offers: ListState.SUBSCRIBED}
    assert world.members(news) == set()
    assert world.members(offers) == {ann.id}
    assert world.consent.subscribe(world.ws, ann.id, news).lists[news] is ListState.SUBSCRIBED
    assert world.members(news) == {ann.id}


def test_leaving_twice_changes_nothing_and_mends_the_index() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    once = world.consent.unsubscribe(world.ws, ann.id, news, source="link")
    world.memberships.add(world.ws, news, [ann.id])

    assert world.consent.unsubscribe(world.ws, ann.id, news, source="link") == once
    assert world.members(news) == set()


def test_leaving_a_list_never_joined_is_remembered() -> None:
    world = World()
    ann, news = world.add("ann@example.com"), world.a_list()
    world.consent.unsubscribe(world.ws, ann.id, news, source="link")
    assert world.stored("ann@example.com").lists == {news: ListState.UNSUBSCRIBED}


def test_leaving_everything_suppresses_and_leaves_every_list() -> None:
    world = World()
    news, offers = world.a_list(), world.a_list()
    ann = world.add("ann@example.com", news, offers)

    left = world.consent.unsubscribe(world.ws, ann.id, None, source="link")

    assert left is not None
    assert left.suppressed is SuppressionReason.UNSUBSCRIBED
    assert set(left.lists.values()) == {ListState.UNSUBSCRIBED}
    assert world.members(news) | world.members(offers) == set()
    assert world.suppressions.entries[world.ws, ann.id].source == "link"
    assert world.consent.unsubscribe(world.ws, ann.id, None, source="link") == left


def test_one_who_is_gone_is_still_suppressed() -> None:
    world = World()
    gone = world.id_of("gone@example.com")

    assert world.consent.unsubscribe(world.ws, gone, "lst_x", source="link") is None
    assert world.consent.unsubscribe(world.ws, gone, None, source="link") is None

    assert world.suppressions.entries[world.ws, gone].reason is SuppressionReason.UNSUBSCRIBED
    assert world.add("gone@example.com").suppressed is SuppressionReason.UNSUBSCRIBED


def test_the_graver_reason_stays() -> None:
    world = World()
    ann = world.add("ann@example.com")
    complaint, manual = SuppressionReason.COMPLAINT, SuppressionReason.MANUAL

    assert world.consent.suppress(world.ws, ann.id, complaint, source="x").reason is complaint
    assert world.consent.suppress(world.ws, ann.id, manual, source="x").reason is complaint
    assert world.stored("ann@example.com").suppressed is complaint


def test_unsuppressing_clears_list_and_copy_but_joins_nothing() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    world.consent.unsubscribe(world.ws, ann.id, None, source="link")

    back = world.consent.unsuppress(world.ws, ann.id)

    assert back.suppressed is None
    assert back.lists == {news: ListState.UNSUBSCRIBED}
    assert world.suppressions.entries == {}
    with pytest.raises(NotFound):
        world.consent.unsuppress(world.ws, world.id_of("nobody@example.com"))


def test_a_change_in_between_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    put = world.subscribers.put

    def put_after_another(subscriber: Subscriber) -> Subscriber:
        monkeypatch.setattr(world.subscribers, "put", put)
        put(replace(world.stored("ann@example.com"), tags=("vip",)))
        return put(subscriber)

    monkeypatch.setattr(world.subscribers, "put", put_after_another)
    world.consent.unsubscribe(world.ws, ann.id, news, source="link")

    stored = world.stored("ann@example.com")
    assert stored.tags == ("vip",)
    assert stored.lists == {news: ListState.UNSUBSCRIBED}


def test_an_entry_removed_while_it_is_copied_leaves_no_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    ann = world.add("ann@example.com")
    get = world.suppressions.get

    def get_then_lose_the_race(workspace: str, subscriber_id: str) -> Suppression | None:
        entry = get(workspace, subscriber_id)
        if entry is None:
            return None
        monkeypatch.setattr(world.suppressions, "get", get)
        world.consent.unsuppress(world.ws, ann.id)
        world.service.subscribe(world.ws, ann.id, world.a_list())
        return entry

    monkeypatch.setattr(world.suppressions, "get", get_then_lose_the_race)
    world.consent.suppress(world.ws, ann.id, SuppressionReason.MANUAL, source="api:key")

    assert world.suppressions.entries == {}
    assert world.stored("ann@example.com").suppressed is None


def test_retries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ann = world.add("ann@example.com")
    tries = []

    def lose(subscriber: Subscriber) -> Subscriber:
        tries.append(subscriber)
        raise StaleWrite("somebody else wrote first")

    monkeypatch.setattr(world.subscribers, "put", lose)
    with pytest.raises(StaleWrite, match="try again"):
        world.consent.subscribe(world.ws, ann.id, world.a_list())
    assert len(tries) == ATTEMPTS


def test_asking_makes_pending_only_who_was_nothing_before() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com")
    asked = world.consent.ask(world.ws, ann.id, news)
    assert asked.lists == {news: ListState.PENDING}
    assert world.members(news) == {ann.id}
    assert world.consent.ask(world.ws, ann.id, news) == asked
    for state in (ListState.SUBSCRIBED, ListState.UNSUBSCRIBED):
        stored = world.subscribers.put(
            replace(world.stored("ann@example.com"), lists={news: state})
        )
        assert world.consent.ask(world.ws, ann.id, news) == stored
    with pytest.raises(NotFound):
        world.consent.ask(world.ws, world.id_of("bob@example.com"), news)


@pytest.mark.parametrize("state", [None, *ListState])
def test_opting_in_subscribes_from_every_state(state: ListState | None) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com")
    world.subscribers.put(replace(ann, lists={news: state} if state else {}))
    for _ in range(2):
        assert world.consent.opt_in(world.ws, ann.id, news).lists == {news: ListState.SUBSCRIBED}
    assert world.members(news) == {ann.id}


def test_opting_in_lifts_an_unsubscription_and_leaves_other_lists_left() -> None:
    world = World()
    news, offers = world.a_list(), world.a_list()
    ann = world.add("ann@example.com", news, offers)
    world.consent.unsubscribe(world.ws, ann.id, None, source="link")
    person = world.consent.opt_in(world.ws, ann.id, news)
    assert person.suppressed is None
    assert person.lists == {news: ListState.SUBSCRIBED, offers: ListState.UNSUBSCRIBED}
    assert world.suppressions.entries == {}


def test_a_crash_before_the_suppression_is_lifted_is_mended_by_opting_in_again() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    world.consent.unsubscribe(world.ws, ann.id, None, source="link")
    world.suppressions.remove(world.ws, ann.id)
    assert world.stored("ann@example.com").suppressed is SuppressionReason.UNSUBSCRIBED
    assert world.consent.opt_in(world.ws, ann.id, news).suppressed is None


@pytest.mark.parametrize(
    "reason", [one for one in SuppressionReason if one is not SuppressionReason.UNSUBSCRIBED]
)
def test_opting_in_lifts_nothing_graver_even_if_it_comes_at_that_moment(
    reason: SuppressionReason,
) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    world.consent.unsubscribe(world.ws, ann.id, None, source="link")
    find = world.suppressions.get

    def overtaken(workspace: str, subscriber_id: str) -> Suppression | None:
        found = find(workspace, subscriber_id)
        entry = Suppression(workspace, subscriber_id, reason, world.clock.now(), "webhook:ses")
        world.suppressions.put(entry)
        return found

    world.suppressions.get = overtaken  # type: ignore[method-assign]  # another writer
    world.consent.opt_in(world.ws, ann.id, news)
    world.suppressions.get = find  # type: ignore[method-assign]  # as it was
    assert world.stored("ann@example.com").suppressed is reason
    before = world.stored("ann@example.com")
    with pytest.raises(WrongState, match="suppressed"):
        world.consent.opt_in(world.ws, ann.id, news)
    assert world.stored("ann@example.com") == before
