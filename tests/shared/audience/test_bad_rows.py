"""Each row of a file that cannot be is rejected with its number, field and reason; others go in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from shared.audience.rows import FileFormat
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


def test_a_mapping_to_paths_that_no_object_has_rejects_every_row() -> None:
    world = World()
    body = json.dumps({"profile": {"mail": "ann@example.com"}}).encode() + b"\n"
    options: dict[str, Any] = {
        "mapping": {"profile.email": "email"},
        "file_format": FileFormat.NDJSON,
    }
    job = world.run_import(world.open_import(body, **options))
    assert job.progress["reasons"] == {"email: is empty": 1}
    assert world.subscribers.people == {}
