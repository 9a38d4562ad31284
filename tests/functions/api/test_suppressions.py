from __future__ import annotations

import pytest

from shared.access.model import Scope
from shared.audience.export_jobs import target
from shared.audience.import_files import ImportFiles
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.suppressions.ports import EVERYWHERE, KnownAddress
from shared.ids import SubscriberIds
from shared.jobs import JobKind
from tests.functions.api.world import World

PATH = "/v1/suppressions"
IDS = SubscriberIds(b"subscriber-id-key")
ANN = "ann@example.com"


def put(world: World, reason: SuppressionReason, source: str = "webhook:ses") -> str:
    one = IDS.of(world.workspace, ANN)
    address = "" if reason is SuppressionReason.ERASURE else ANN
    world.suppressions.put(
        Suppression(world.workspace, one, reason, world.clock.now(), source, address)
    )
    return one


def audited(world: World) -> list[str]:
    return [entry["action"] for entry in world.call("GET", "/v1/audit").json["items"]]


def test_addresses_are_added_found_and_recorded(world: World) -> None:
    person = world.call("POST", "/v1/subscribers", {"email": ANN}).json
    body = {"emails": ["Ann@example.com"], "subscribers": [IDS.of(world.workspace, "b@b.example")]}
    assert world.call("POST", PATH, body).json == {"added": 2, "unchanged": 0}
    assert world.call("POST", PATH, body).json == {"added": 0, "unchanged": 2}
    assert audited(world) == ["subscriber.create", "suppression.add"]
    entry = world.call("GET", "/v1/audit").json["items"][-1]
    assert ANN not in str(entry)
    assert person["id"] in entry["details"]["subscribers"]

    found = world.call("GET", PATH, query={"email": "ANN@example.com"}).json["items"]
    assert [(one["id"], one["email"], one["reason"]) for one in found] == [
        (person["id"], ANN, "manual")
    ]
    assert found[0]["source"].startswith("api:key_")
    assert world.call("GET", f"{PATH}/{person['id']}").json == found[0]
    suppressed = world.call("GET", f"/v1/subscribers/{person['id']}").json["suppressed"]
    assert suppressed == "manual"


def test_the_list_is_paged_and_narrowed(world: World) -> None:
    world.call("POST", PATH, {"emails": [f"p{n}@example.com" for n in range(5)]})
    put(world, SuppressionReason.COMPLAINT)
    first = world.call("GET", PATH, query={"limit": "4"}).json
    rest = world.call("GET", PATH, query={"limit": "4", "cursor": first["cursor"]}).json
    assert (len(first["items"]), len(rest["items"]), rest["cursor"]) == (4, 2, None)
    for query in ({"reason": "complaint"}, {"source": "webhook"}):
        (only,) = world.call("GET", PATH, query=query).json["items"]
        assert only["email"] == ANN
    assert world.call("GET", PATH, query={"email": ANN, "reason": "manual"}).json["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"emails": ["ann@example.com", "x"]}, "emails.1"),
        ({"subscribers": ["lst_1"]}, "subscribers.0"),
        ({}, "emails"),
        ({"emails": ["a@b.example"] * 1001}, "emails"),
        ({"reason": "complaint"}, "reason"),
    ],
)
def test_what_cannot_be_added_is_named(world: World, body: dict[str, object], field: str) -> None:
    answer = world.call("POST", PATH, body)
    assert answer.status == 422
    assert field in answer.fields
    assert world.suppressions.entries == {}


@pytest.mark.parametrize("query", [{"reason": "spam"}, {"email": "x"}, {"cursor": "bent"}])
def test_a_listing_that_cannot_be_is_refused(world: World, query: dict[str, str]) -> None:
    assert world.call("GET", PATH, query=query).status == 422


@pytest.mark.parametrize("reason", ["hard_bounce", "manual"])
def test_an_entry_is_removed_and_recorded(world: World, reason: str) -> None:
    one = put(world, SuppressionReason(reason))
    answer = world.call("DELETE", f"{PATH}/{one}")
    assert answer.json == {"id": one, "reason": reason, "job": None}
    assert audited(world) == ["suppression.remove"]
    assert world.call("DELETE", f"{PATH}/{one}").status == 404


def test_a_complaint_needs_a_confirmation_which_is_recorded(world: World) -> None:
    one = put(world, SuppressionReason.COMPLAINT)
    refused = world.call("DELETE", f"{PATH}/{one}")
    assert (refused.status, refused.problem) == (409, "wrong-state")
    assert audited(world) == []
    assert world.call("DELETE", f"{PATH}/{one}", query={"confirm": "true"}).status == 200
    details = world.call("GET", "/v1/audit").json["items"][0]["details"]
    assert (details["reason"], details["confirmed"]) == ("complaint", True)


def test_an_erasure_is_never_removed(world: World) -> None:
    one = put(world, SuppressionReason.ERASURE)
    assert world.call("DELETE", f"{PATH}/{one}", query={"confirm": "true"}).status == 409
    assert world.call("GET", f"{PATH}/{one}").json["email"] is None
    found = world.call("GET", PATH, query={"email": ANN}).json["items"]
    assert [entry["reason"] for entry in found] == ["erasure"]


def test_the_removal_of_what_providers_know_starts_a_job(world: World) -> None:
    one = put(world, SuppressionReason.HARD_BOUNCE)
    known = IDS.of(EVERYWHERE, ANN)
    world.known.put(
        KnownAddress(known, ANN, SuppressionReason.HARD_BOUNCE, world.clock.now(), "sync:ses")
    )
    answer = world.call("DELETE", f"{PATH}/{one}", query={"at_providers": "true"}).json
    job = world.jobs.get(world.workspace, answer["job"])
    assert (job.kind, job.params) == (
        JobKind.LIFT_SUPPRESSION,
        {"known": known, "at_providers": True},
    )
    path = f"{PATH}/removals/{job.id}"
    assert world.call("GET", path).json["state"] == "queued"
    progress = {"lifted": ["ses"], "errors": {"sg": "sg: no"}, "held_elsewhere": False}
    world.jobs.save(job.advanced(cursor={}, progress=progress, done=True))
    answer = world.call("GET", path).json
    assert (answer["state"], answer["lifted"], answer["errors"]) == (
        "done",
        ["ses"],
        {"sg": "sg: no"},
    )
    sync = world.call("POST", f"{PATH}/sync").json["id"]
    assert world.call("GET", f"{PATH}/removals/{sync}").status == 404


def test_a_sync_is_started_and_read(world: World) -> None:
    started = world.call("POST", f"{PATH}/sync")
    assert started.status == 202
    job = world.jobs.get(world.workspace, started.json["id"])
    assert [message.job for message in world.job_queue.messages] == [job.id]
    counts = {"pulled": 3, "suppressed": 1, "left_alone": 0, "pushed": 2, "refused": 0}
    progress = {"gathered": 1, "providers": {"ses": {**counts, "error": "ses: SES said no"}}}
    world.jobs.save(job.advanced(cursor={}, progress=progress, done=True))
    answer = world.call("GET", f"{PATH}/sync/{job.id}").json
    assert (answer["state"], answer["gathered"]) == ("done", 1)
    assert answer["providers"]["ses"] == {**counts, "error": "ses: SES said no"}
    assert audited(world) == ["suppression.sync"]
    assert world.call("GET", f"{PATH}/sync/{job.id}", key=world.other_key).status == 404


def test_a_file_is_imported(world: World) -> None:
    body = {"content_type": "text/csv", "reason": "hard_bounce", "mapping": {"Mail": "email"}}
    opened = world.call("POST", f"{PATH}/imports", body)
    assert opened.status == 201
    path = f"{PATH}/imports/{opened.json['id']}"
    assert world.call("POST", f"{path}/start").status == 409
    world.blobs.put(opened.json["fields"]["key"], b"Mail\nx@y.example\n", content_type="text/csv")
    started = world.call("POST", f"{path}/start")
    assert (started.status, started.json["state"]) == (202, "queued")
    assert audited(world) == ["suppression.import"] * 2  # opened, and started
    job = world.jobs.get(world.workspace, opened.json["id"])
    progress = {**job.progress, "rows": 1, "rejected": 1, "reasons": {"email: is empty": 1}}
    files = ImportFiles(world.blobs, job)
    files.keep_rejections(0, [])
    world.blobs.put(files.report, b"row,field,reason\n", content_type="text/csv")
    world.jobs.save(job.advanced(cursor={"rejected_files": 1}, progress=progress, done=True))
    answer = world.call("GET", path).json
    assert answer["progress"]["rejected"] == 1
    assert answer["report"]
    assert world.call("GET", f"{path}/rejections").json == {"items": [], "cursor": None}
    for method, where in (("POST", f"{path}/start"), ("GET", path)):
        assert world.call(method, where, key=world.other_key).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"content_type": "application/json"},
        {"content_type": "text/csv", "reason": "erasure"},
        {"content_type": "text/csv", "mapping": {"a": "b"}},
    ],
)
def test_an_import_that_cannot_be_is_refused(world: World, body: dict[str, object]) -> None:
    assert world.call("POST", f"{PATH}/imports", body).status == 422


def test_the_list_is_exported(world: World) -> None:
    started = world.call("POST", f"{PATH}/exports", {"format": "jsonl", "gzip": True})
    assert started.status == 202
    job = world.jobs.get(world.workspace, started.json["id"])
    world.blobs.put(target(job), b"x", content_type="text/csv")
    world.jobs.save(job.advanced(cursor={}, progress={"entries": 3}, done=True))
    answer = world.call("GET", f"{PATH}/exports/{job.id}").json
    assert answer["entries"] == 3
    assert answer["download"].endswith(f"?as=suppressions-{job.id}.jsonl.gz&seconds=900")
    assert audited(world) == ["suppression.export"]
    world.blobs.delete(target(job))  # as an erasure does
    assert world.call("GET", f"{PATH}/exports/{job.id}").json["download"] in {"", None}
    bad = {"format": "jsonl", "raw": True}
    assert world.call("POST", f"{PATH}/exports", bad).fields == ["raw"]


def test_a_sync_is_for_an_admin_and_writing_for_who_may_write(world: World) -> None:
    reader = world.issue(world.workspace, Scope.SUBSCRIBERS_READ)
    writer = world.issue(world.workspace, Scope.SUBSCRIBERS_READ, Scope.SUBSCRIBERS_WRITE)
    assert world.call("GET", PATH, key=reader).status == 200
    assert world.call("POST", PATH, {"emails": [ANN]}, key=reader).status == 403
    assert world.call("POST", f"{PATH}/sync", key=writer).status == 403
    assert world.call("POST", PATH, {"emails": [ANN]}, key=writer).status == 200


def test_another_workspace_sees_none_of_it(world: World) -> None:
    one = put(world, SuppressionReason.MANUAL)
    assert world.call("GET", PATH, key=world.other_key).json["items"] == []
    assert world.call("DELETE", f"{PATH}/{one}", key=world.other_key).status == 404
