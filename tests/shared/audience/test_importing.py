from typing import Any

import pytest

from shared.audience.model import RowRejection
from shared.errors import InvalidInput, NotFound
from shared.jobs import Job, JobKind, JobState
from shared.paging import encode_cursor
from tests.shared.audience.world import World


def test_starting_keeps_the_file_and_queues_a_job() -> None:
    world = World()
    news = world.a_list()
    job = world.upload("email\nann@example.com\nbad\n", news, news)

    assert world.jobs.get(world.ws, job.id) == job
    assert job.kind is JobKind.IMPORT_SUBSCRIBERS
    assert job.state is JobState.QUEUED
    assert job.params.pop("upload")
    assert job.params == {
        "format": "text/csv",
        "product": "plain",
        "lists": [news],
        "policy": "merge",
        "dry_run": False,
        "mapping": {},
        "list_names": {},
        "basis": "",
        "text_version": "",
        "actor": "",
    }
    assert job.progress["rows"] == 2
    assert job.progress["percent"] == 0
    assert [message.job for message in world.queue.messages] == [job.id]
    (key,) = world.blobs.files
    assert key.startswith(f"{world.ws}/")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"body": ""}, "body"),
        ({"body": b"email\n\xff"}, "body"),
        ({"lists": ["lst_x"]}, "lists.0"),
        ({"mapping": {"Mail": "attributes.mail"}}, "mapping"),
        ({"mapping": {"Mail": "email", "X": "attributes.Bad"}}, "mapping.X"),
        ({"mapping": {"Mail": "email", "X": "tags", "Y": "tags"}}, "mapping.X"),
        ({"mapping": {"Nowhere": "email"}}, "body"),
        ({"mapping": {"Mail": "email"}, "product": "mailchimp"}, "mapping"),
        ({"list_names": {"News": "lst_x"}, "product": "listmonk"}, "list_names.News"),
        ({"list_names": {"News": "lst_x"}}, "list_names"),
    ],
)
def test_what_can_be_seen_at_once_is_refused_at_once(change: dict[str, Any], field: str) -> None:
    world = World()
    options = {"body": "email\na@example.com\n", **change}
    with pytest.raises(InvalidInput) as refused:
        world.upload(options.pop("body"), *options.pop("lists", ()), **options)
    assert field in {problem.field for problem in refused.value.problems}
    assert world.blobs.files == {}
    assert world.jobs.jobs == {}
    assert world.queue.messages == []


def test_rejections_come_in_pages_across_files() -> None:
    world = World()
    count = 2500
    job = world.import_csv("email\n" + "bad\n" * count)

    found: list[RowRejection] = []
    cursor, pages = None, 0
    while True:
        page = world.imports.rejections(world.ws, job.id, limit=700, cursor=cursor)
        found += page.items
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
    assert [rejection.row for rejection in found] == list(range(2, count + 2))
    assert set(found) == {RowRejection(row, "email", "has no @") for row in range(2, count + 2)}
    assert pages == 4
    assert job.progress["reasons"] == {"email: has no @": count}


def test_no_rejections_and_none_yet() -> None:
    world = World()
    job = world.upload("email\nbad\n")
    assert world.imports.rejections(world.ws, job.id, limit=10).items == ()
    done = world.import_csv("email\nann@example.com\n")
    assert world.imports.rejections(world.ws, done.id, limit=10).items == ()


@pytest.mark.parametrize(
    "cursor",
    ["x", *(encode_cursor({"file": f, "index": i}) for f, i in [(-1, 0), (0, -1), ("0", 0)])],
)
def test_a_bent_cursor_is_refused(cursor: str) -> None:
    world = World()
    job = world.import_csv("email\nbad\n")
    with pytest.raises(InvalidInput, match="cursor"):
        world.imports.rejections(world.ws, job.id, limit=10, cursor=cursor)


def test_only_imports_of_the_workspace_are_reported() -> None:
    world = World()
    job = world.import_csv("email\nbad\n")
    other = Job("job_x", world.ws, JobKind.DELETE_SUBSCRIBER, world.clock.now(), {})
    world.jobs.create(other)
    for workspace, job_id in (("ws_x", job.id), (world.ws, "job_y"), (world.ws, other.id)):
        with pytest.raises(NotFound):
            world.imports.rejections(workspace, job_id, limit=10)
