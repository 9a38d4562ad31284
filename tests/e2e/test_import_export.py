"""A large file comes in by a form, and goes out by a link, on the local cloud."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.client import ApiError, Client
from local.http import Answer, request
from tests.e2e.conftest import World, until

pytestmark = pytest.mark.e2e

BOUNDARY = "----tidepost-e2e"
PEOPLE = 3000


def post_form(url: str, fields: Mapping[str, str], content: bytes) -> Answer:
    """A form as browsers and curl send it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="people.csv.gz"'
        "\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join(parts).encode() + head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return request("POST", url, body=body, headers={"Content-Type": content_type})


def uploaded(world: World, content: bytes, **options: Any) -> dict[str, Any]:
    """The import of a file, once it is done or has failed."""
    opened = world.api.post("/subscribers/imports/uploads", options)
    answer = post_form(opened["url"], opened["fields"], content)
    assert answer.status in {200, 204}, answer.body
    path = f"/subscribers/imports/{opened['id']}"
    world.api.post(f"{path}/start")
    ended: dict[str, Any] = until(
        lambda: world.api.get(path), lambda seen: seen["state"] in {"done", "failed"}
    )
    return ended


def exported(world: World, **options: Any) -> bytes:
    made = world.api.post("/subscribers/exports", options)["id"]
    path = f"/subscribers/exports/{made}"
    ended = until(lambda: world.api.get(path), lambda seen: seen["state"] in {"done", "failed"})
    assert ended["state"] == "done", ended["error"]
    answer = request("GET", ended["download"])
    assert answer.status == 200
    return answer.body


@pytest.fixture(scope="module")
def news(world: World) -> str:
    """A list with many people of a packed file on it."""
    made: str = world.api.post("/lists", {"name": "Imported"})["id"]
    rows = "".join(f"p{i}@import.example,Person {i},=1+{i}\n" for i in range(PEOPLE))
    content = gzip.compress(f"E-Mail,Name,Formula\n{rows}nobody,,\n".encode())
    mapping = {"E-Mail": "email", "Name": "attributes.name", "Formula": "attributes.formula"}
    done = uploaded(world, content, content_type="text/csv", mapping=mapping, lists=[made])
    assert done["state"] == "done", done["error"]
    assert done["progress"]["created"] == PEOPLE
    report = request("GET", done["report"]).body.decode()
    assert list(csv.reader(io.StringIO(report))) == [
        ["row", "field", "reason"],
        [str(PEOPLE + 2), "email", "has no @"],
    ]
    return made


def test_a_list_goes_out_safe_for_spreadsheets(world: World, news: str) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(world, list=news, format="csv").decode())))
    assert len(rows) == PEOPLE
    assert {row["formula"][:3] for row in rows} == {"'=1"}


@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        ({"format": "csv", "raw": True}, "text/csv"),
        ({"format": "jsonl", "gzip": True}, "application/x-ndjson"),
    ],
)
def test_what_went_out_comes_in_unchanged(
    world: World, news: str, options: dict[str, Any], content_type: str
) -> None:
    content = exported(world, list=news, **options)
    again = uploaded(world, content, content_type=content_type, format="tidepost", dry_run=True)
    assert again["state"] == "done", again["error"]
    assert again["progress"]["unchanged"] == PEOPLE


def test_everybody_includes_the_list(world: World, news: str) -> None:
    lines = exported(world, format="jsonl").splitlines()
    on_list = [line for line in map(json.loads, lines) if line["lists"].get(news) == "subscribed"]
    assert len(on_list) == PEOPLE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(b"email\n" + b"a@import.example\n" * 9999)[:-9], "ends early"),
        (gzip.compress(b"x" * 200_000_000, 9), "100 times"),
        (b"mail\na@import.example\n", "no column named email"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason(
    world: World, content: bytes, says: str
) -> None:
    failed = uploaded(world, content, content_type="text/csv")
    assert failed["state"] == "failed"
    assert says in failed["error"]


def test_another_workspace_cannot_start_or_see_it(world: World, stranger: Client) -> None:
    opened = world.api.post("/subscribers/imports/uploads", {"content_type": "text/csv"})
    post_form(opened["url"], opened["fields"], b"email\nthief@import.example\n")
    path = f"/subscribers/imports/{opened['id']}"
    for method, target in (("POST", f"{path}/start"), ("GET", path)):
        with pytest.raises(ApiError) as refused:
            stranger.call(method, target)
        assert refused.value.status == 404


def test_a_change_of_address_keeps_the_list(world: World, news: str) -> None:
    old = world.person("p0@import.example")
    moved = world.api.post(f"/subscribers/{old['id']}/address", {"email": "p0@moved.example"})
    assert moved["lists"] == {news: "subscribed"}
    assert world.api.get(f"/subscribers/{old['id']}") == moved
    assert world.api.get("/subscribers", email="p0@import.example")["items"] == []


def test_addresses_are_checked(world: World) -> None:
    body = {"addresses": ["info@hotnail.com"]}
    [item] = world.api.post("/addresses/check", body)["items"]
    assert item["flags"] == ["role", "typo"]
    assert item["suggestion"] == "info@hotmail.com"
