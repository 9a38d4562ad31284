"""Mailing lists, templates and files, in AWS and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest

from shared.audience.model import DoubleOptIn, MailingList
from shared.audience.ports import BlobStore, ListStore
from shared.content.model import Template, TemplateSource
from shared.content.ports import TemplateStore
from shared.errors import AlreadyExists, InvalidInput, NotFound, StaleWrite
from shared.mail import Mailbox
from shared.storage.blobs import S3Blobs
from shared.storage.lists import DynamoLists
from shared.storage.templates import DynamoTemplates
from tests.fakes import FakeBlobs, FakeLists, FakeTemplates

WS, OTHER = "ws_mine", "ws_other"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NEWS = MailingList("lst_a", WS, "News", NOW, "Weekly")
HELLO = Template("tpl_a", WS, "Hello", TemplateSource("Hi {{ name }}", "<p>Hi</p>"), NOW)


@pytest.fixture(params=["dynamo", "fake"])
def lists(request: pytest.FixtureRequest) -> ListStore:
    if request.param == "fake":
        return FakeLists()
    request.getfixturevalue("dynamo")
    return DynamoLists()


@pytest.fixture(params=["dynamo", "fake"])
def templates(request: pytest.FixtureRequest) -> TemplateStore:
    if request.param == "fake":
        return FakeTemplates()
    request.getfixturevalue("dynamo")
    return DynamoTemplates()


@pytest.fixture(params=["s3", "fake"])
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    if request.param == "fake":
        return FakeBlobs()
    request.getfixturevalue("dynamo")
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="tidepost-test-files")
    return S3Blobs(client, "tidepost-test-files")


def test_a_list_is_created_once(lists: ListStore) -> None:
    lists.create(NEWS)
    assert lists.get(WS, NEWS.id) == NEWS
    with pytest.raises(AlreadyExists):
        lists.create(replace(NEWS, name="Else"))
    assert lists.get(WS, NEWS.id).name == "News"
    with pytest.raises(NotFound):
        lists.get(OTHER, NEWS.id)


def test_a_list_keeps_how_it_asks(lists: ListStore) -> None:
    asks = replace(
        NEWS, public=True, double_opt_in=DoubleOptIn(Mailbox("a@example.com", "A"), "tpl_a")
    )
    lists.create(asks)
    assert lists.get(WS, NEWS.id) == asks
    ended = lists.save(replace(asks, public=False, double_opt_in=None))
    assert lists.get(WS, NEWS.id) == ended == replace(NEWS, version=1)


def test_a_list_is_saved_under_its_version(lists: ListStore) -> None:
    with pytest.raises(StaleWrite):
        lists.save(NEWS)
    lists.create(NEWS)
    saved = lists.save(replace(NEWS, description=""))
    assert lists.get(WS, NEWS.id) == saved == replace(NEWS, description="", version=1)
    with pytest.raises(StaleWrite):
        lists.save(replace(NEWS, name="Late"))


def test_a_list_is_deleted_once(lists: ListStore) -> None:
    lists.create(NEWS)
    with pytest.raises(NotFound):
        lists.delete(OTHER, NEWS.id)
    lists.delete(WS, NEWS.id)
    with pytest.raises(NotFound):
        lists.get(WS, NEWS.id)
    with pytest.raises(NotFound):
        lists.delete(WS, NEWS.id)


@pytest.mark.parametrize("unknown", ["", "x" * 2000, "\ud800", "lst_b"])
def test_an_id_that_no_list_can_have_is_not_found(lists: ListStore, unknown: str) -> None:
    with pytest.raises(NotFound):
        lists.get(WS, unknown)


def test_lists_are_paged_oldest_first(lists: ListStore) -> None:
    for letter in "dbeca":
        lists.create(replace(NEWS, id=f"lst_{letter}"))
        lists.create(replace(NEWS, id=f"lst_{letter}", workspace=OTHER))
    first = lists.page(WS, limit=2)
    second = lists.page(WS, limit=2, cursor=first.cursor)
    third = lists.page(WS, limit=2, cursor=second.cursor)
    seen = [*first.items, *second.items, *third.items]
    assert [one.id for one in seen] == ["lst_a", "lst_b", "lst_c", "lst_d", "lst_e"]
    assert {one.workspace for one in seen} == {WS}
    assert third.cursor is None
    with pytest.raises(InvalidInput):
        lists.page(WS, limit=2, cursor="bent")


def test_a_template_keeps_every_version(templates: TemplateStore) -> None:
    templates.create(HELLO)
    with pytest.raises(AlreadyExists):
        templates.create(HELLO)
    second = templates.add_version(replace(HELLO, source=TemplateSource("Hey", text="Hey")))
    assert second.version == 2
    assert templates.get(WS, HELLO.id) == templates.get(WS, HELLO.id, 2) == second
    assert templates.get(WS, HELLO.id, 1) == HELLO
    with pytest.raises(NotFound, match="tpl_a"):
        templates.get(WS, HELLO.id, 3)
    with pytest.raises(NotFound):
        templates.get(OTHER, HELLO.id)


def test_a_version_is_added_to_the_newest_only(templates: TemplateStore) -> None:
    with pytest.raises(NotFound):
        templates.add_version(HELLO)
    templates.create(HELLO)
    templates.add_version(HELLO)
    with pytest.raises(StaleWrite):
        templates.add_version(HELLO)
    with pytest.raises(StaleWrite):
        templates.add_version(replace(HELLO, version=7))
    assert templates.get(WS, HELLO.id).version == 2


def test_a_deleted_template_stays_readable_by_version(templates: TemplateStore) -> None:
    templates.create(HELLO)
    templates.delete(WS, HELLO.id)
    assert templates.get(WS, HELLO.id, 1) == HELLO
    assert templates.page(WS, limit=5).items == ()
    for gone in (
        lambda: templates.get(WS, HELLO.id),
        lambda: templates.delete(WS, HELLO.id),
        lambda: templates.add_version(HELLO),
    ):
        with pytest.raises(NotFound):
            gone()
    with pytest.raises(AlreadyExists):
        templates.create(HELLO)


def test_templates_are_paged_with_the_newest_version_of_each(templates: TemplateStore) -> None:
    for letter in "cab":
        templates.create(replace(HELLO, id=f"tpl_{letter}"))
    templates.add_version(replace(HELLO, name="Hello again"))
    first = templates.page(WS, limit=2)
    rest = templates.page(WS, limit=2, cursor=first.cursor)
    assert [(one.id, one.version) for one in (*first.items, *rest.items)] == [
        ("tpl_a", 2),
        ("tpl_b", 1),
        ("tpl_c", 1),
    ]
    assert (first.items[0].name, rest.cursor) == ("Hello again", None)


def test_a_file_is_read_in_ranges(blobs: BlobStore) -> None:
    blobs.put("ws_mine/a.csv", b"0123456789", content_type="text/csv")
    assert blobs.get("ws_mine/a.csv") == b"0123456789"
    assert blobs.get("ws_mine/a.csv", start=4) == b"456789"
    assert blobs.get("ws_mine/a.csv", start=4, length=3) == b"456"
    assert blobs.get("ws_mine/a.csv", start=8, length=30) == b"89"
    assert blobs.get("ws_mine/a.csv", start=10, length=5) == b""
    assert blobs.get("ws_mine/a.csv", start=3, length=0) == b""
    blobs.put("ws_mine/a.csv", b"", content_type="text/csv")
    assert blobs.get("ws_mine/a.csv") == b""
    assert blobs.get("ws_mine/a.csv", length=5) == b""


def test_a_missing_file_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        blobs.get("ws_mine/none.csv", length=0)
