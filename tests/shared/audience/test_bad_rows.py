"""Each row of a file that cannot be is rejected with its number, field and reason; others go in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from shared.audience.rows import FileFormat
from shared.errors import InvalidInput
from shared.jobs import Job
from tests.shared.audience.world import World

LONG = "x" * 1001

CELLS = [
    ("", "somebody", "email", "is empty"),
    ("a@example.com;b@example.com", "", "email", "looks like several"),
    ("a@example.com\tb@example.com", "", "email", "control character"),
    ("a\x01b@example.com", "", "email", "control character"),
    ("a@example.com\nb@example.com", "", "email", "several|line break"),
    ("a\u200bb@example.com", "", "email", "invisible"),
    ("x" * 300 + "@example.com", "", "email", "longer than"),
    ("ann@example.com", LONG, "attributes.bio", "longer than 1000"),
    ("ann@example.com", "\x1b[2J", "attributes.bio", "control character"),
    ("ann@example.com", "\x93quoted\x94", "attributes.bio", "control character"),
]


def report(world: World, job: Job) -> list[dict[str, str]]:
    key = world.imports.report_link(job).partition("?")[0].removeprefix("https://files.example/")
    return list(csv.DictReader(io.StringIO(world.blobs.files[key].decode(), newline="")))


def csv_of(*rows: tuple[str, str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([("email", "bio"), *rows])
    return text.getvalue()


def json_lines_of(*rows: tuple[str, str]) -> str:
    people = ({"email": email, "attributes": {"bio": bio}} for email, bio in rows)
    return "".join(json.dumps(person) + "\n" for person in people)


@pytest.mark.parametrize(("email", "bio", "place", "reason"), CELLS)
@pytest.mark.parametrize("content_type", ["text/csv", "application/x-ndjson"])
def test_a_row_that_cannot_be_is_rejected_alone(
    content_type: str, email: str, bio: str, place: str, reason: str
) -> None:
    world = World()
    write = csv_of if content_type == "text/csv" else json_lines_of
    body = write(("first@example.com", "a"), (email, bio), ("last@example.com", "b"))
    job = world.run_import(world.upload(body, content_type=content_type))
    assert (job.progress["created"], job.progress["rejected"]) == (2, 1)
    [row] = report(world, job)
    assert row["row"] == ("3" if content_type == "text/csv" else "2")
    assert row["field"] == place
    assert any(part in row["reason"] for part in reason.split("|"))
    assert "@" not in row["reason"].replace("has no @", "")


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        ({"attributes": {}}, "email", "is empty"),
        ({"email": ["a@example.com", "b@example.com"]}, "email", "is empty"),
        ({"email": "a@example.com", "name": "Ann"}, "row", "unknown field"),
        ({"email": "a@example.com", "attributes": "vip"}, "attributes", "object"),
        ({"email": "a@example.com", "attributes": {"n": 2**60}}, "attributes.n", "2^53"),
        (
            {"email": "a@example.com", "attributes": {f"a{n}": "€" * 1000 for n in range(40)}},
            "attributes",
            "100000 bytes",
        ),
    ],
)
def test_an_object_that_cannot_be_is_rejected_alone(
    line: dict[str, object], place: str, reason: str
) -> None:
    world = World()
    body = json.dumps(line) + "\n" + json.dumps({"email": "last@example.com"}) + "\n"
    job = world.run_import(world.upload(body, content_type="application/x-ndjson"))
    assert job.progress["created"] == 1
    [row] = report(world, job)
    assert (row["row"], row["field"]) == ("1", place)
    assert reason in row["reason"]


@pytest.mark.parametrize("before", [b"", b"not JSON\n"])
def test_a_mapping_to_paths_that_no_object_has_fails_the_file(before: bytes) -> None:
    world = World()
    body = before + json.dumps({"profile": {"mail": "ann@example.com"}}).encode() + b"\n"
    options: dict[str, Any] = {
        "mapping": {"profile.email": "email"},
        "file_format": FileFormat.NDJSON,
    }
    says = "has nothing at 'profile.email' in its first 1 rows, which the mapping names as email"
    with pytest.raises(InvalidInput, match=says):
        world.run_import(world.open_import(body, **options))
    assert world.subscribers.people == {}


@pytest.mark.parametrize(
    ("lines", "created", "rejected"),
    [
        ([{"mail": "ann@example.com"}, {"name": "Bob"}], 1, 1),
        ([{"name": "Bob"}, {"mail": "ann@example.com", "x": 1}], 1, 1),
        ([{"mail": "nobody"}, {"mail": 7}], 0, 2),
        ([["mail", "ann@example.com"]], 0, 1),
    ],
)
def test_a_mapping_that_fits_one_object_lets_the_others_be_rejected_alone(
    lines: list[Any], created: int, rejected: int
) -> None:
    world = World()
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    options: dict[str, Any] = {"mapping": {"mail": "email"}, "file_format": FileFormat.NDJSON}
    job = world.run_import(world.open_import(body, **options))
    assert (job.progress["created"], job.progress["rejected"]) == (created, rejected)


def test_only_the_first_rows_of_a_file_say_whether_its_mapping_fits() -> None:
    world = World(rows_per_step=1)
    body = b'{"mail": "ann@example.com"}\n{"name": "Bob"}\n{"name": "Eve"}\n'
    options: dict[str, Any] = {"mapping": {"mail": "email"}, "file_format": FileFormat.NDJSON}
    job = world.run_import(world.open_import(body, **options))
    assert (job.progress["created"], job.progress["rejected"]) == (1, 2)
