"""The suppression list and the providers' own agree, on the local cloud."""

import csv
import io
from typing import Any

import pytest

from local.client import ApiError, Client
from local.http import request
from tests.e2e.conftest import Ran, World, until
from tests.e2e.test_import_export import post_form

pytestmark = pytest.mark.e2e

ENDED = frozenset({"done", "failed"})


def done(world: World, path: str) -> dict[str, Any]:
    ended: dict[str, Any] = until(lambda: world.api.get(path), lambda seen: seen["state"] in ENDED)
    assert ended["state"] == "done", ended["error"]
    return ended


def synced(world: World) -> dict[str, Any]:
    run = world.api.post("/suppressions/sync")["id"]
    ended = done(world, f"/suppressions/sync/{run}")
    assert [one["error"] for one in ended["providers"].values()] == ["", "", ""]
    providers: dict[str, Any] = ended["providers"]
    return providers


def entry(api: Client, address: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = api.get("/suppressions", email=address)["items"]
    return found[0] if found else None


def test_a_providers_list_stops_all_providers_until_she_is_let_go(calm: World, ran: Ran) -> None:
    assert ran.campaign
    address = "pulled@suppressions.example"
    person = calm.api.post("/subscribers", {"email": address})
    calm.sandbox.behave({"providers": {"ses": {"suppressed": [address]}}})

    providers = synced(calm)
    assert providers["ses"]["pulled"] >= 1
    found = entry(calm.api, address)
    assert found is not None
    assert (found["reason"], found["source"]) == ("hard_bounce", "sync:ses")
    assert calm.api.get(f"/subscribers/{person['id']}")["suppressed"] == "hard_bounce"
    assert providers["sendgrid"]["pushed"] >= 1
    assert providers["postmark"]["pushed"] >= 1

    answer = calm.api.call("DELETE", f"/suppressions/{person['id']}?at_providers=true")
    lifted = done(calm, f"/suppressions/removals/{answer['job']}")
    assert (lifted["lifted"], lifted["errors"]) == (["postmark", "sendgrid", "ses"], {})
    assert entry(calm.api, address) is None
    synced(calm)
    assert entry(calm.api, address) is None


def test_a_file_comes_in_and_the_list_goes_out(world: World, stranger: Client) -> None:
    body = {"content_type": "text/csv", "reason": "complaint"}
    opened = world.api.post("/suppressions/imports", body)
    content = b"email,created\nfile@suppressions.example,1740823200\nnobody,\n"
    assert post_form(opened["url"], opened["fields"], content).status in {200, 204}
    path = f"/suppressions/imports/{opened['id']}"
    world.api.post(f"{path}/start")
    imported = done(world, path)
    assert (imported["progress"]["created"], imported["progress"]["rejected"]) == (1, 1)
    assert b"has no @" in request("GET", imported["report"]).body

    made = world.api.post("/suppressions/exports", {"format": "csv", "reason": "complaint"})["id"]
    exported = done(world, f"/suppressions/exports/{made}")
    text = request("GET", exported["download"]).body.decode()
    rows = {row["email"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["file@suppressions.example"]["at"] == "2025-03-01T10:00:00.000Z"
    assert stranger.get("/suppressions", email="file@suppressions.example")["items"] == []

    with pytest.raises(ApiError) as refused:
        world.api.call("DELETE", f"/suppressions/{rows['file@suppressions.example']['id']}")
    assert refused.value.status == 409
