import csv
import gzip
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audience import joining
from shared.audience.cells import neutral
from shared.audience.drafts import SubscriberDraft
from shared.audience.fields import read_fields
from shared.audience.model import Attribute, ListState, Subscriber, SuppressionReason
from shared.audience.rows import FileFormat, Product
from shared.audience.segments.model import Segment, Source, SourceKind
from shared.errors import InvalidInput, NotFound
from tests import fakes
from tests.shared.audience.world import World


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def of_list(list_id: str) -> Source:
    return Source(SourceKind.LIST, list_id)


def test_everybody_as_json_lines() -> None:
    world = World()
    news = world.a_list()
    ann = world.add("ann@example.com", news)
    gone = world.add("gone@example.com")
    world.service.delete(world.ws, gone.id)
    assert lines(world.export()) == [
        {
            "id": ann.id,
            "email": "ann@example.com",
            "lists": {news: "subscribed"},
            "attributes": {},
            "tags": [],
            "locale": None,
            "time_zone": None,
            "suppressed": None,
            "created_at": "2026-11-24T08:00:00.000Z",
            "updated_at": "2026-11-24T08:00:00.000Z",
        }
    ]


def test_a_csv_for_spreadsheets_has_a_column_for_every_attribute() -> None:
    world = World(people_per_step=1)
    news = world.a_list()
    draft = SubscriberDraft(
        "ann@example.com", (news,), {"age": -5, "vip": True, "likes": ["a", "b"]}, ("x", "y")
    )
    world.service.create(world.ws, draft)
    world.service.create(
        world.ws, SubscriberDraft("bob@example.com", (), {"note": '=HYPERLINK("x")'})
    )
    world.consent.suppress(
        world.ws, world.id_of("bob@example.com"), SuppressionReason.MANUAL, source="x"
    )
    by_email = {row["email"]: row for row in rows(world.export("csv"))}
    ann, bob = by_email["ann@example.com"], by_email["bob@example.com"]
    assert (ann["age"], ann["vip"], ann["likes"], ann["note"]) == ("-5", "true", "a; b", "")
    assert (ann["tags"], ann["lists"], ann["status"]) == ("x; y", f"{news}=subscribed", "active")
    assert bob["note"] == '\'=HYPERLINK("x")'
    assert bob["status"] == "suppressed"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49170", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"],  # noqa: RUF001
)
def test_cells_that_could_be_formulas_are_neutralised(text: str) -> None:
    assert neutral(text) == f"'{text}"
    world = World()
    world.service.create(world.ws, SubscriberDraft("a@example.com", (), {"x": text}))
    assert rows(world.export("csv"))[0]["x"] == f"'{text}"
    assert neutral(f"a{text}") == f"a{text}"


def test_a_list_has_those_who_are_subscribed_to_it() -> None:
    world = World(people_per_step=2)
    news, other = world.a_list(), world.a_list()
    for name in "abcdefg":
        world.add(f"{name}@example.com", news)
    world.add("x@example.com", other)
    world.consent.unsubscribe(world.ws, world.id_of("a@example.com"), news, source="x")
    world.memberships.add(world.ws, news, [world.id_of("x@example.com")])
    found = {line["email"] for line in lines(world.export(source=of_list(news)))}
    assert found == {f"{name}@example.com" for name in "bcdefg"}


def test_a_segment_has_whom_its_rule_is_true_of() -> None:
    world = World(people_per_step=2)
    for index in range(9):
        draft = SubscriberDraft(f"p{index}@example.com", (), {"n": index})
        world.service.create(world.ws, draft)
    rule = {"attribute": "n", "op": "gte", "value": 5}
    segment_id = world.resource_ids.new("seg")
    now = world.clock.now()
    world.segments.create(Segment(segment_id, world.ws, "Late", rule, now, now))
    source = Source(SourceKind.SEGMENT, segment_id)
    assert {line["attributes"]["n"] for line in lines(world.export(source=source))} == {5, 6, 7, 8}


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_an_export_of_nobody(file_format: str) -> None:
    body = World().export(file_format)
    assert body.count(b"\n") == (1 if file_format == "csv" else 0)


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_many_parts_and_lost_steps_give_the_same_file(
    monkeypatch: pytest.MonkeyPatch, file_format: str, packed: bool
) -> None:
    world = World(people_per_step=3)
    for index in range(20):
        world.add(f"p{index}@example.com")
    whole = world.export(file_format)
    monkeypatch.setattr(joining, "MIN_PART_BYTES", 300)
    monkeypatch.setattr(fakes, "MIN_PART_BYTES", 300)
    run = world.export_step.run

    def run_twice(job: Any) -> Any:
        run(job)
        return run(job)

    monkeypatch.setattr(world.export_step, "run", run_twice)
    parts = world.export(file_format, packed=packed)
    assert (gzip.decompress(parts) if packed else parts) == whole


def test_what_cannot_be_exported() -> None:
    world = World()
    with pytest.raises(InvalidInput, match="list"):
        world.export(source=of_list("lst_x"))
    with pytest.raises(InvalidInput, match="raw"):
        world.export("jsonl", raw=True)
    job = world.import_csv("email\na@example.com\n")
    with pytest.raises(NotFound):
        world.exports.get(world.ws, job.id)


def test_too_many_columns_are_refused_with_a_way_out() -> None:
    world = World()
    for index in range(25):
        attributes: dict[str, Attribute] = {f"a{index}_{n}": 1 for n in range(90)}
        world.service.create(world.ws, SubscriberDraft(f"p{index}@example.com", (), attributes))
    with pytest.raises(InvalidInput, match="take jsonl, or raw"):
        world.export("csv")
    assert len(rows(world.export("csv", raw=True))) == 25


_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"), max_size=20
) | st.sampled_from(["=1", "'x", '"', "a,b\r\n", " x ", "[1]", "{}", "null", "\u2028", "\ufeff"])
_value = st.one_of(
    _text,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(_text, max_size=3),
)
_tag = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9) | st.just("a;b, c")
_person = st.fixed_dictionaries(
    {
        "attributes": st.dictionaries(st.sampled_from(["a", "b", "email", "tags"]), _value),
        "tags": st.lists(_tag, max_size=3, unique=True),
        "locale": st.sampled_from(["", "de", "pt-BR"]),
        "time_zone": st.sampled_from(["", "Europe/Berlin"]),
    }
)
_state = st.sampled_from([None, *ListState])
_suppressed = st.sampled_from(
    [None, *(one for one in SuppressionReason if one is not SuppressionReason.ERASURE)]
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(_person, _state, _state, _suppressed), min_size=1, max_size=6),
    st.sampled_from([("csv", True), ("jsonl", False)]),
    st.booleans(),
)
def test_a_raw_export_imports_back_unchanged(
    made: list[tuple[dict[str, Any], Any, Any, Any]], form: tuple[str, bool], packed: bool
) -> None:
    world = World(people_per_step=2, rows_per_step=2)
    lists = [world.a_list(), world.a_list()]
    for index, (person, one, other, suppressed) in enumerate(made):
        fields = read_fields(**person)
        address = f"jürgen{index}@münchen.example" if index else "info@mailinator.com"
        stored = world.add(address)
        states = zip(lists, (one, other), strict=True)
        world.subscribers.put(
            replace(
                stored,
                attributes=fields.attributes,
                tags=fields.tags,
                locale=fields.locale,
                time_zone=fields.time_zone,
                lists={list_id: state for list_id, state in states if state},
            )
        )
        if suppressed:
            world.consent.suppress(world.ws, stored.id, suppressed, source="x")
    before = dict(world.subscribers.people)
    body = world.export(form[0], packed=packed, raw=form[1])

    world.subscribers.people.clear()
    world.suppressions.entries.clear()
    world.memberships.lists.clear()
    content_type = "text/csv" if form[0] == "csv" else "application/x-ndjson"
    job = world.open_import(body, file_format=FileFormat(content_type), product=Product.TIDEPOST)
    done = world.run_import(job)
    assert done.progress["created"] == len(made)
    assert {key: essence(one) for key, one in world.subscribers.people.items()} == {
        key: essence(one) for key, one in before.items()
    }
    for (_, subscriber_id), record in before.items():
        for list_id in lists:
            on = record.lists.get(list_id) in {ListState.SUBSCRIBED, ListState.PENDING}
            assert (subscriber_id in world.members(list_id)) == on


def essence(person: Subscriber) -> Subscriber:
    """But for when and by what it was written."""
    epoch = World().clock.now()
    return replace(person, version=0, imported_by="", created_at=epoch, updated_at=epoch)
