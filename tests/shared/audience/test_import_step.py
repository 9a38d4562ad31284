import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audience.model import (
    ListState,
    RowRejection,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from shared.errors import InvalidInput
from shared.jobs import Job, JobState
from tests.shared.audience.world import World

DAY_ONE = "email,name,tags\nann@example.com,Ann,x\nbob@example.com,Bob,\n"


def counts(job: Job) -> dict[str, int]:
    """What is not zero, without rows and percent."""
    hidden = {"rows", "percent", "reasons"}
    return {key: value for key, value in job.progress.items() if value and key not in hidden}


def test_new_people() -> None:
    world = World()
    news = world.a_list()
    job = world.import_csv(
        "email,Name,age,tags,locale,time_zone\nAnn@Example.com,Ann,41,a;b,de,Europe/Berlin\n", news
    )
    assert job.state is JobState.DONE
    assert job.progress["percent"] == 100
    assert counts(job) == {"created": 1}
    assert world.stored("ann@example.com") == Subscriber(
        id=world.id_of("ann@example.com"),
        workspace=world.ws,
        address="ann@example.com",
        created_at=job.created_at,
        updated_at=job.created_at,
        lists={news: ListState.SUBSCRIBED},
        attributes={"name": "Ann", "age": "41"},
        tags=("a", "b"),
        locale="de",
        time_zone="Europe/Berlin",
        version=1,
        imported_by=job.id,
    )
    assert world.members(news) == {world.id_of("ann@example.com")}


def test_json_keeps_types() -> None:
    world = World()
    body = json.dumps([{"email": "ann@example.com", "attributes": {"n": 1.5, "b": True}}])
    world.run_import(world.upload(body, content_type="application/json"))
    assert world.stored("ann@example.com").attributes == {"n": 1.5, "b": True}


def test_every_row_is_accounted_for() -> None:
    world = World(people_per_step=2)
    job = world.import_csv(
        "email,name,locale\n"
        "ann@example.com,Ann,\n"
        "ANN@EXAMPLE.COM,Second,\n"
        "bob@münchen.example,Bob,\n"
        "bob@xn--mnchen-3ya.example,Again,\n"
        "no-address,X,\n"
        ",Nobody,\n"
        "carl@example.com,Carl,klingon\n"
        "carl@example.com,Carl,de\n"
        "a,b,c,d\n"
    )
    assert counts(job) == {"created": 3, "duplicates": 2, "rejected": 4}
    assert job.progress["rows"] == 9
    assert job.progress["reasons"] == {
        "email: has no @": 1,
        "email: is empty": 1,
        "locale: must be a language tag such as de or pt-BR": 1,
        "row: has more fields than the header has columns": 1,
    }
    assert world.stored("ann@example.com").attributes == {"name": "Ann"}
    assert world.stored("carl@example.com").locale == "de"
    rejected = world.imports.rejections(world.ws, job.id, limit=10).items
    assert [(rejection.row, rejection.field) for rejection in rejected] == [
        (6, "email"),
        (7, "email"),
        (8, "locale"),
        (10, "row"),
    ]


@pytest.mark.parametrize(
    ("policy", "outcome", "attributes", "tags"),
    [
        ("merge", {"updated": 1, "unchanged": 1}, {"name": "Anna", "city": "Ulm"}, ("x", "y")),
        ("overwrite", {"updated": 2}, {"name": "Anna"}, ("y",)),
        ("skip", {"unchanged": 2}, {"name": "Ann", "city": "Ulm"}, ("x",)),
    ],
)
def test_people_who_are_there_already(
    policy: str, outcome: dict[str, int], attributes: dict[str, str], tags: Sequence[str]
) -> None:
    world = World()
    world.import_csv("email,name,city,tags\nann@example.com,Ann,Ulm,x\nbob@example.com,B,,\n")
    day_one = world.clock.now()
    world.clock.advance(days=1)
    job = world.import_csv(
        "email,name,tags\nann@example.com,Anna,y\nbob@example.com,,\n", policy=policy
    )
    assert counts(job) == outcome
    ann = world.stored("ann@example.com")
    assert (ann.attributes, ann.tags) == (attributes, tags)
    assert ann.created_at == day_one
    assert ann.updated_at == (day_one if policy == "skip" else world.clock.now())


def test_the_same_file_again_changes_nothing() -> None:
    world = World()
    news = world.a_list()
    world.import_csv(DAY_ONE, news)
    before = dict(world.subscribers.people)
    world.clock.advance(days=1)
    assert counts(world.import_csv(DAY_ONE, news)) == {"unchanged": 2}
    assert world.subscribers.people == before


def test_an_import_takes_back_no_decision() -> None:
    world = World()
    news, offers = world.a_list(), world.a_list()
    world.import_csv("email\nleft@example.com\nhit@example.com\nfine@example.com\n", news)
    world.consent.unsubscribe(world.ws, world.id_of("left@example.com"), news, source="link")
    hard_bounce = SuppressionReason.HARD_BOUNCE
    world.consent.suppress(world.ws, world.id_of("hit@example.com"), hard_bounce, source="x")
    world.consent.suppress(world.ws, world.id_of("new@example.com"), hard_bounce, source="x")

    job = world.import_csv(
        "email\nleft@example.com\nhit@example.com\nfine@example.com\nnew@example.com\n",
        news,
        offers,
    )

    assert counts(job) == {"created": 1, "updated": 2, "unchanged": 1, "kept_unsubscribed": 3}
    subscribed, unsubscribed = ListState.SUBSCRIBED, ListState.UNSUBSCRIBED
    assert world.stored("left@example.com").lists == {news: unsubscribed, offers: subscribed}
    assert world.stored("hit@example.com").lists == {news: subscribed}
    assert world.stored("fine@example.com").lists == {news: subscribed, offers: subscribed}
    assert world.stored("new@example.com").lists == {}
    assert world.stored("new@example.com").suppressed is hard_bounce
    assert world.members(offers) == {
        world.id_of("left@example.com"),
        world.id_of("fine@example.com"),
    }


def test_an_unsubscribe_during_the_step_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    job = world.jobs.save(world.import_step.run(world.upload(DAY_ONE, news)))
    get_many = world.subscribers.get_many

    def then_she_leaves(workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        people = get_many(workspace, ids)
        monkeypatch.setattr(world.subscribers, "get_many", get_many)
        world.consent.unsubscribe(workspace, ann.id, news, source="link")
        return people

    monkeypatch.setattr(world.subscribers, "get_many", then_she_leaves)
    job = world.run_import(job)

    assert counts(job) == {"created": 1, "updated": 1, "kept_unsubscribed": 1}
    stored = world.stored("ann@example.com")
    assert stored.lists == {news: ListState.UNSUBSCRIBED}
    assert stored.attributes == {"name": "Ann"}


def test_joining_on_a_newer_record_still_names_the_member_in_the_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com")
    world.consent.suppress(world.ws, ann.id, SuppressionReason.MANUAL, source="x")
    job = world.jobs.save(world.import_step.run(world.upload(DAY_ONE, news)))
    get_many = world.subscribers.get_many

    def then_she_is_free(workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        people = get_many(workspace, ids)
        monkeypatch.setattr(world.subscribers, "get_many", get_many)
        world.consent.unsuppress(workspace, ann.id)
        return people

    monkeypatch.setattr(world.subscribers, "get_many", then_she_is_free)
    world.run_import(job)
    assert world.stored("ann@example.com").lists == {news: ListState.SUBSCRIBED}
    assert ann.id in world.members(news)


def test_a_suppression_made_while_people_are_added_is_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    ann = world.id_of("ann@example.com")
    job = world.jobs.save(world.import_step.run(world.upload(DAY_ONE)))
    get_many = world.suppressions.get_many

    def then_she_complains(workspace: str, ids: Sequence[str]) -> dict[str, Suppression]:
        entries = get_many(workspace, ids)
        monkeypatch.setattr(world.suppressions, "get_many", get_many)
        world.consent.suppress(workspace, ann, SuppressionReason.COMPLAINT, source="webhook:a")
        return entries

    monkeypatch.setattr(world.suppressions, "get_many", then_she_complains)
    world.run_import(job)
    assert world.stored("ann@example.com").suppressed is SuppressionReason.COMPLAINT


def test_one_who_is_being_deleted_is_rejected_and_stays_deleted() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.service.delete(world.ws, ann.id)
    job = world.import_csv(DAY_ONE)
    assert counts(job) == {"created": 1, "rejected": 1}
    assert world.stored("ann@example.com").deleted
    (rejection,) = world.imports.rejections(world.ws, job.id, limit=10).items
    assert (rejection.row, rejection.field) == (2, "email")


def test_one_who_is_deleted_during_the_step_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ann = world.add("ann@example.com")
    job = world.jobs.save(world.import_step.run(world.upload(DAY_ONE)))
    get_many = world.subscribers.get_many

    def then_she_is_deleted(workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        people = get_many(workspace, ids)
        monkeypatch.setattr(world.subscribers, "get_many", get_many)
        world.service.delete(workspace, ann.id)
        return people

    monkeypatch.setattr(world.subscribers, "get_many", then_she_is_deleted)
    assert counts(world.run_import(job)) == {"created": 1, "rejected": 1}


def test_too_many_attributes_after_merging_is_that_rows_problem() -> None:
    world = World()
    names = [f"a{i}" for i in range(100)]
    world.import_csv(f"email,{','.join(names)}\nann@example.com,{','.join(names)}\n")
    job = world.import_csv("email,more\nann@example.com,1\nbob@example.com,1\n")
    assert counts(job) == {"created": 1, "rejected": 1}
    assert job.progress["reasons"] == {"attributes: are more than 100": 1}
    assert world.imports.rejections(world.ws, job.id, limit=10).items == (
        RowRejection(2, "attributes", "are more than 100"),
    )


def test_a_file_that_breaks_in_the_middle_changes_nobody() -> None:
    world = World()
    job = world.upload(DAY_ONE)
    broken = 'email\nann@example.com\n"bob@example.com\n'
    (key,) = world.blobs.files
    world.blobs.put(key, broken.encode(), content_type="text/csv")
    with pytest.raises(InvalidInput, match="row 3 is not valid CSV"):
        world.import_step.run(job)
    assert world.subscribers.people == {}


def test_writes_per_new_person(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    written: list[str] = []

    def count(name: str, method: str) -> None:
        store = getattr(world, name)
        original = getattr(store, method)

        def counting(*arguments: object) -> object:
            items = arguments[-1]
            several = list(items) if isinstance(items, Iterable) else [items]
            written.extend([f"{name}.{method}"] * len(several))
            return original(*arguments[:-1], several if isinstance(items, Iterable) else items)

        monkeypatch.setattr(store, method, counting)

    for name, method in (
        ("subscribers", "put_many"),
        ("subscribers", "put"),
        ("memberships", "add"),
    ):
        count(name, method)
    world.import_csv("email\n" + "".join(f"p{i}@example.com\n" for i in range(50)), world.a_list())
    assert len(written) == 100


_names = ["ann", "ANN", "bob", "carl", "dee", "eve", "fred", "left", "hit"]
_emails = st.sampled_from(["bad", "", "x@münchen.de", *(f"{name}@example.com" for name in _names)])
_rows = st.lists(st.tuples(_emails, st.sampled_from(["", "1", "2"])), min_size=1, max_size=20)
_policies = st.sampled_from(["merge", "overwrite", "skip"])


def a_world_with_history(people_per_step: int) -> tuple[World, str]:
    """Some people are there, one has left the list, one is suppressed, one unknown is too."""
    world = World(people_per_step=people_per_step)
    news = world.a_list()
    world.import_csv("email,x\nann@example.com,1\nleft@example.com,1\nhit@example.com,1\n", news)
    world.consent.unsubscribe(world.ws, world.id_of("left@example.com"), news, source="link")
    for email in ("hit@example.com", "eve@example.com"):
        complaint = SuppressionReason.COMPLAINT
        world.consent.suppress(world.ws, world.id_of(email), complaint, source="x")
    world.clock.advance(days=1)
    return world, news


def people(world: World) -> dict[str, Subscriber]:
    """Without versions: how often a person was written depends on the course of things."""
    return {
        person.address: replace(person, version=0) for person in world.subscribers.people.values()
    }


def as_csv(rows: Sequence[tuple[str, str]]) -> str:
    return "email,x\n" + "".join(f"{email},{value}\n" for email, value in rows if email or value)


class Killed(Exception):
    pass


@settings(deadline=None, max_examples=60)
@given(_rows, _policies, st.integers(1, 7), st.data())
def test_any_split_and_any_repeat_gives_the_same_people_and_the_same_report(
    rows: list[tuple[str, str]], policy: str, people_per_step: int, data: st.DataObject
) -> None:
    body = as_csv([*rows, ("zoe@example.com", "")])
    whole, news = a_world_with_history(1000)
    expected = whole.import_csv(body, news, policy=policy)

    split, news = a_world_with_history(people_per_step)
    job = split.upload(body, news, policy=policy)
    while job.state is not JobState.DONE:
        for _ in range(data.draw(st.integers(0, 2), label="steps whose result is lost")):
            run_until_killed(split, job, data.draw(st.integers(0, 6), label="writes before it"))
        job = split.jobs.save(split.import_step.run(job))

    assert job.progress == expected.progress
    assert people(split) == people(whole)
    assert split.members(news) == whole.members(news)
    assert split.imports.rejections(split.ws, job.id, limit=100).items == (
        whole.imports.rejections(whole.ws, expected.id, limit=100).items
    )
    outcomes = ("created", "updated", "unchanged", "duplicates", "rejected")
    assert job.progress["rows"] == sum(job.progress[outcome] for outcome in outcomes)


def run_until_killed(world: World, job: Job, writes: int) -> None:
    """A step that dies before write number `writes`; a batch may be written in part."""
    left = writes

    def spend() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    put, put_many = world.subscribers.put, world.subscribers.put_many

    def dying_put(subscriber: Subscriber) -> Subscriber:
        spend()
        return put(subscriber)

    def dying_put_many(subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            spend()
            put_many([subscriber])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.subscribers, "put", dying_put)
        patch.setattr(world.subscribers, "put_many", dying_put_many)
        try:
            world.import_step.run(job)
        except Killed:
            return
