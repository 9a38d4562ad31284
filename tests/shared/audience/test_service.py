import pytest

from shared.audience.drafts import SubscriberDraft, SubscriberPatch
from shared.audience.model import ListState, Subscriber, Suppression, SuppressionReason
from shared.errors import AlreadyExists, InvalidInput, NotFound, StaleWrite, WrongState
from tests.shared.audience.world import World


def test_creating() -> None:
    world = World()
    news = world.a_list()
    draft = SubscriberDraft(
        "Ann@Example.com", (news, news), {"name": "Ann"}, ("vip",), "de_de", "Europe/Berlin"
    )
    ann = world.service.create(world.ws, draft)

    assert ann == Subscriber(
        id=world.id_of("ann@example.com"),
        workspace=world.ws,
        address="ann@example.com",
        created_at=world.clock.now(),
        updated_at=world.clock.now(),
        lists={news: ListState.SUBSCRIBED},
        attributes={"name": "Ann"},
        tags=("vip",),
        locale="de-DE",
        time_zone="Europe/Berlin",
        version=1,
    )
    assert world.service.get(world.ws, ann.id) == ann
    assert world.service.find(world.ws, "ANN@example.com") == ann
    assert world.members(news) == {ann.id}
    with pytest.raises(AlreadyExists):
        world.add("ANN@example.com")
    with pytest.raises(NotFound):
        world.service.find(world.ws, "bob@example.com")


def test_every_wrong_field_is_named() -> None:
    world = World()
    draft = SubscriberDraft("ann", (world.a_list(), "lst_x"), {"Name": "x"}, (), "?", "?")
    with pytest.raises(InvalidInput) as refused:
        world.service.create(world.ws, draft)
    assert [problem.field for problem in refused.value.problems] == [
        "email",
        "attributes",
        "locale",
        "time_zone",
        "lists.1",
    ]
    assert world.subscribers.people == {}


def test_losing_the_race_to_create_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.add("ann@example.com")
    monkeypatch.setattr(world.subscribers, "get_many", lambda *_: {})
    with pytest.raises(AlreadyExists):
        world.add("ann@example.com")


def test_a_suppression_made_while_creating_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    get = world.suppressions.get

    def suppressed_meanwhile(workspace: str, subscriber_id: str) -> Suppression | None:
        monkeypatch.setattr(world.suppressions, "get", get)
        world.consent.suppress(
            workspace, subscriber_id, SuppressionReason.HARD_BOUNCE, source="webhook:a"
        )
        return get(workspace, subscriber_id)

    monkeypatch.setattr(world.suppressions, "get", suppressed_meanwhile)
    world.add("ann@example.com")
    assert world.stored("ann@example.com").suppressed is SuppressionReason.HARD_BOUNCE


def test_upserting_merges_and_takes_back_no_decision() -> None:
    world = World()
    news, offers, tips = world.a_list(), world.a_list(), world.a_list()
    first = SubscriberDraft("ann@example.com", (news, offers), {"a": 1, "b": 1}, ("x",), "de")
    ann, is_new = world.service.upsert(world.ws, first)
    assert is_new
    world.consent.unsubscribe(world.ws, ann.id, news, source="link")
    world.clock.advance(days=1)

    second = SubscriberDraft("ann@example.com", (news, tips), {"b": 2}, ("y", "x"))
    ann, is_new = world.service.upsert(world.ws, second)

    assert not is_new
    assert ann.attributes == {"a": 1, "b": 2}
    assert ann.tags == ("x", "y")
    assert ann.locale == "de"
    assert ann.updated_at == world.clock.now()
    assert ann.lists == {
        news: ListState.UNSUBSCRIBED,
        offers: ListState.SUBSCRIBED,
        tips: ListState.SUBSCRIBED,
    }
    assert world.members(tips) == {ann.id}
    assert world.members(news) == set()
    assert world.service.upsert(world.ws, second) == (ann, False)


def test_upserting_one_who_was_added_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.add("ann@example.com")
    monkeypatch.setattr(world.subscribers, "get_many", lambda *_: {})
    draft = SubscriberDraft("ann@example.com", attributes={"a": 1})
    ann, is_new = world.service.upsert(world.ws, draft)
    assert (ann.attributes, is_new) == ({"a": 1}, False)


def test_patching() -> None:
    world = World()
    draft = SubscriberDraft("ann@example.com", (), {"a": 1, "b": 1}, ("x",), "de", "UTC")
    ann = world.service.create(world.ws, draft)

    patch = SubscriberPatch({"a": None, "c": 3, "gone": None}, (), None, "")
    ann = world.service.update(world.ws, ann.id, patch)

    assert ann.attributes == {"b": 1, "c": 3}
    assert (ann.tags, ann.locale, ann.time_zone) == ((), "de", "")
    assert world.service.update(world.ws, ann.id, SubscriberPatch()) == ann
    with pytest.raises(InvalidInput, match=r"attributes\.b"):
        world.service.update(world.ws, ann.id, SubscriberPatch({"b": "x" * 1001}))
    with pytest.raises(InvalidInput, match="more than 100"):
        world.service.update(world.ws, ann.id, SubscriberPatch({f"x{i}": i for i in range(99)}))
    with pytest.raises(NotFound):
        world.service.update(world.ws, world.id_of("bob@example.com"), SubscriberPatch())


def test_deleting_hides_at_once_and_a_job_removes() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    world.consent.suppress(world.ws, ann.id, SuppressionReason.COMPLAINT, source="webhook:a")

    job_id = world.service.delete(world.ws, ann.id)

    with pytest.raises(NotFound):
        world.service.get(world.ws, ann.id)
    with pytest.raises(WrongState):
        world.add("ann@example.com")
    assert [message.job for message in world.queue.messages] == [job_id]

    done = world.delete_step.run(world.jobs.get(world.ws, job_id))

    assert done.progress == {"deleted": 1}
    assert world.subscribers.people == {}
    assert world.members(news) == set()
    again = world.add("ann@example.com")
    assert again.suppressed is SuppressionReason.COMPLAINT
    assert again.lists == {}


def test_a_delete_job_run_again_spares_one_who_came_back() -> None:
    world = World()
    ann = world.add("ann@example.com")
    job = world.jobs.get(world.ws, world.service.delete(world.ws, ann.id))
    world.delete_step.run(job)
    assert world.delete_step.run(job).progress == {"deleted": 0}
    world.clock.advance(minutes=1)
    world.add("ann@example.com")

    assert world.delete_step.run(job).progress == {"deleted": 0}
    assert world.service.get(world.ws, ann.id).address == "ann@example.com"


def test_a_delete_job_finishes_what_the_api_could_not(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)

    def lose(_: Subscriber) -> Subscriber:
        raise StaleWrite("somebody else wrote first")

    with monkeypatch.context() as patch:
        patch.setattr(world.subscribers, "put", lose)
        with pytest.raises(StaleWrite):
            world.service.delete(world.ws, ann.id)
    (message,) = world.queue.messages
    world.delete_step.run(world.jobs.get(world.ws, message.job))

    assert world.subscribers.people == {}
    assert world.members(news) == set()


def test_a_delete_job_may_be_quicker_than_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ann = world.add("ann@example.com")

    def run_at_once(workspace: str, job_id: str) -> None:
        world.delete_step.run(world.jobs.get(workspace, job_id))

    monkeypatch.setattr(world.queue, "enqueue", run_at_once)
    world.service.delete(world.ws, ann.id)
    assert world.subscribers.people == {}


def test_pages_of_people_and_of_a_list() -> None:
    world = World()
    news = world.a_list()
    people = [world.add(f"p{i}@example.com", *([news] if i % 2 else [])) for i in range(9)]
    left = people[1]
    # The index may still name one who has left.
    world.consent.unsubscribe(world.ws, left.id, news, source="link")
    world.memberships.add(world.ws, news, [left.id])

    def listed(list_id: str | None) -> list[str]:
        found, cursor = [], None
        while True:
            page = world.service.page(world.ws, limit=2, cursor=cursor, list_id=list_id)
            found += [person.id for person in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    assert sorted(listed(None)) == sorted(person.id for person in people)
    assert sorted(listed(news)) == sorted(person.id for person in people[3::2])
    with pytest.raises(NotFound):
        listed("lst_x")


def test_consent_by_the_api_asks_for_person_and_list() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com")
    nobody = world.id_of("nobody@example.com")
    service, manual = world.service, SuppressionReason.MANUAL

    assert service.subscribe(world.ws, ann.id, news).lists == {news: ListState.SUBSCRIBED}
    assert service.unsubscribe(world.ws, ann.id, news, source="api:k").lists == {
        news: ListState.UNSUBSCRIBED
    }
    assert service.suppress(world.ws, ann.id, manual, source="api:k").reason is manual
    assert service.unsuppress(world.ws, ann.id).suppressed is None
    for call in (
        lambda: service.subscribe(world.ws, ann.id, "lst_x"),
        lambda: service.subscribe(world.ws, nobody, news),
        lambda: service.unsubscribe(world.ws, ann.id, "lst_x", source="api:k"),
        lambda: service.unsubscribe(world.ws, nobody, None, source="api:k"),
        lambda: service.suppress(world.ws, nobody, manual, source="api:k"),
        lambda: service.unsuppress(world.ws, nobody),
    ):
        with pytest.raises(NotFound):
            call()
    assert world.members(news) == set()


def test_workspaces_do_not_see_one_another() -> None:
    world = World()
    ann, news = world.add("ann@example.com"), world.a_list()
    other = world.resource_ids.new("ws")
    with pytest.raises(NotFound):
        world.service.get(other, ann.id)
    with pytest.raises(InvalidInput, match=r"lists\.0"):
        world.service.create(other, SubscriberDraft("ann@example.com", (news,)))
    assert world.service.create(other, SubscriberDraft("ann@example.com")).id != ann.id
