"""What leaves a consent record, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange, ConsentRecord, Consents
from shared.audience.model import ListState, Subscriber, Suppression, SuppressionReason
from shared.errors import InvalidInput, StaleWrite, WrongState
from shared.paging import encode_cursor
from tests.shared.audience.world import World

FORM = Circumstances("form", "203.0.113.9", "Firefox", "news-1", "api:key_a")


def changes(world: World, subject: str) -> list[tuple[ConsentChange, tuple[str, ...], str]]:
    kept = world.consents.records.get((world.ws, subject), {})
    return [(record.change, record.lists, record.detail) for record in kept.values()]


def test_joining_and_leaving_are_recorded_with_their_circumstances() -> None:
    world = World()
    news = world.a_list()
    ada = world.add("ada@example.com")
    world.consent.subscribe(world.ws, ada.id, news, circumstances=FORM)
    world.consent.subscribe(world.ws, ada.id, news)
    world.consent.unsubscribe(world.ws, ada.id, news, source="link")
    world.consent.unsubscribe(world.ws, ada.id, news, source="link")
    assert changes(world, ada.id) == [
        (ConsentChange.SUBSCRIBED, (news,), ""),
        (ConsentChange.UNSUBSCRIBED, (news,), ""),
    ]
    first, second = world.consents.records[world.ws, ada.id].values()
    assert first.circumstances == FORM
    assert second.circumstances == Circumstances("link", actor="link")


def test_one_who_was_pending_confirms() -> None:
    world = World()
    news = world.a_list()
    ada = world.add("ada@example.com")
    world.subscribers.put(replace(ada, lists={news: ListState.PENDING}))
    world.consent.subscribe(world.ws, ada.id, news, circumstances=FORM)
    assert changes(world, ada.id) == [(ConsentChange.CONFIRMED, (news,), "")]


def test_leaving_everything_is_recorded_as_such() -> None:
    world = World()
    news, tips = world.a_list(), world.a_list()
    ada = world.add("ada@example.com", news, tips)
    world.consent.unsubscribe(world.ws, ada.id, None, source="link")
    assert changes(world, ada.id) == [
        (ConsentChange.SUBSCRIBED, (news, tips), ""),
        (ConsentChange.SUPPRESSED, (), "unsubscribed"),
        (ConsentChange.UNSUBSCRIBED, (news, tips), ""),
    ]
    world.consent.unsuppress(world.ws, ada.id, circumstances=FORM)
    assert changes(world, ada.id)[-1] == (ConsentChange.UNSUPPRESSED, (), "unsubscribed")


def test_a_hard_bounce_is_no_consent_and_an_erased_person_leaves_no_more_records() -> None:
    world = World()
    ada = world.add("ada@example.com")
    world.consent.suppress(world.ws, ada.id, SuppressionReason.HARD_BOUNCE, source="webhook:ses")
    assert changes(world, ada.id) == []
    world.suppressions.put(
        Suppression(world.ws, ada.id, SuppressionReason.ERASURE, world.clock.now(), "api:key_a")
    )
    world.consent.suppress(world.ws, ada.id, SuppressionReason.COMPLAINT, source="webhook:ses")
    assert changes(world, ada.id) == []


def test_a_write_that_is_tried_again_leaves_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    news = world.a_list()
    ada = world.add("ada@example.com")
    put = world.subscribers.put

    def lose_once(_person: Subscriber) -> Subscriber:
        monkeypatch.setattr(world.subscribers, "put", put)
        raise StaleWrite("somebody else was first")

    monkeypatch.setattr(world.subscribers, "put", lose_once)
    world.consent.subscribe(world.ws, ada.id, news)
    assert len(changes(world, ada.id)) == 1


def test_an_import_has_one_record_for_all_whom_it_adds() -> None:
    world = World()
    news = world.a_list()
    options: dict[str, Any] = {"basis": "shop 2024", "text_version": "t1", "actor": "api:key_a"}
    job = world.run_import(
        world.upload("email\nann@example.com\nbob@example.com\n", news, **options)
    )
    assert [*world.consents.records] == [(world.ws, job.id)]
    [record] = world.consents.records[world.ws, job.id].values()
    assert (record.change, record.lists) == (ConsentChange.IMPORTED, (news,))
    assert record.detail == "shop 2024"
    assert record.circumstances == Circumstances("import", None, None, "t1", "api:key_a")
    ann = world.stored("ann@example.com")
    assert Consents(world.consents).of_imports(ann) == [record]
    assert world.upload("email\nx@example.com\n", dry_run=True).params["basis"] == ""


def test_a_dry_run_leaves_no_record() -> None:
    world = World()
    world.run_import(world.upload("email\nann@example.com\n", dry_run=True))
    assert world.consents.records == {}


def test_a_person_names_the_first_import_and_the_last_and_has_records_of_those_between() -> None:
    world = World()
    lists = [world.a_list() for _ in range(3)]
    jobs = [world.import_csv(f"email,city\nann@example.com,{n}\n", lists[n]) for n in range(3)]
    ann = world.stored("ann@example.com")
    assert (ann.first_import, ann.imported_by) == (jobs[0].id, jobs[2].id)
    assert changes(world, ann.id) == [
        (ConsentChange.IMPORTED, (lists[n],), jobs[n].id) for n in (1, 2)
    ]
    assert len(Consents(world.consents).of_imports(ann)) == 2


def test_whoever_was_erased_is_a_rejected_row() -> None:
    world = World()
    news = world.a_list()
    gone = world.id_of("gone@example.com")
    world.consent.suppress(world.ws, gone, SuppressionReason.ERASURE, source="api:key_a")
    job = world.import_csv("email\nann@example.com\ngone@example.com\n", news)
    assert (job.progress["created"], job.progress["rejected"]) == (1, 1)
    reason = "was erased at the person's request and cannot be imported"
    assert reason in str(job.progress["reasons"])
    assert (world.ws, gone) not in world.subscribers.people
    assert world.members(news) == {world.id_of("ann@example.com")}
    [rejection] = world.imports.rejections(world.ws, job.id, limit=9).items
    assert (rejection.row, rejection.field, rejection.reason) == (3, "email", reason)


def test_a_file_that_says_so_keeps_the_hash_alone() -> None:
    world = World()
    line = b'{"email": "gone@example.com", "suppressed": "erasure"}\n'
    job = world.run_import(
        world.upload(line, content_type="application/x-ndjson", product="tidepost")
    )
    assert job.progress["rejected"] == 1
    entry = world.suppressions.get(world.ws, world.id_of("gone@example.com"))
    assert entry is not None
    assert entry.reason is SuppressionReason.ERASURE
    assert world.subscribers.people == {}


def test_an_erasure_in_the_middle_of_an_import_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    news = world.a_list()
    put_many = world.subscribers.put_many

    def erase_meanwhile(people: Any) -> None:
        put_many(people)
        ann = world.id_of("ann@example.com")
        entry = Suppression(
            world.ws, ann, SuppressionReason.ERASURE, world.clock.now(), "api:key_a"
        )
        world.suppressions.put(entry)

    monkeypatch.setattr(world.subscribers, "put_many", erase_meanwhile)
    world.import_csv("email\nann@example.com\n", news)
    assert world.subscribers.people == {}
    assert world.members(news) == set()


def test_pages_go_through_former_addresses() -> None:
    world = World()
    news = world.a_list()
    ada = world.add("ada@example.com", news)
    world.clock.advance(seconds=1)
    person = world.address_changes.change(world.ws, ada.id, "ada@new.example")
    consents = Consents(world.consents)
    found: list[ConsentRecord] = []
    cursor = None
    while True:
        page = consents.page(person, limit=1, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert [record.subject for record in found] == [ada.id, person.id]
    stranger = encode_cursor({"after": "sub_stranger#2026"})
    with pytest.raises(InvalidInput):
        consents.page(person, limit=1, cursor=stranger)


def test_nobody_is_unsuppressed_after_an_erasure_without_a_new_consent() -> None:
    world = World()
    ada = world.add("ada@example.com")
    world.consent.suppress(world.ws, ada.id, SuppressionReason.ERASURE, source="api:key_a")
    with pytest.raises(WrongState, match="consent"):
        world.consent.unsuppress(world.ws, ada.id)
    assert world.stored("ada@example.com").suppressed is SuppressionReason.ERASURE
    assert world.consent.unsuppress(world.ws, ada.id, circumstances=FORM).suppressed is None
    assert changes(world, ada.id)[-1][0] is ConsentChange.RETURNED
