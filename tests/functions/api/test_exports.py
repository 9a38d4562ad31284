from __future__ import annotations

import pytest

from shared.audience.export_jobs import target
from shared.jobs import JobKind, JobState
from tests.functions.api.world import World

PATH = "/v1/subscribers/exports"


def test_an_export_is_queued_and_recorded(world: World) -> None:
    list_id = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    answer = world.call("POST", PATH, {"list": list_id, "format": "jsonl", "gzip": True})
    assert answer.status == 202
    assert answer.json["state"] == "queued"
    assert answer.json["download"] is None
    job = world.jobs.get(world.workspace, answer.json["id"])
    assert job.kind is JobKind.EXPORT_SUBSCRIBERS
    assert (job.params["source"], job.params["lists"]) == ("list", [list_id])
    assert [message.job for message in world.job_queue.messages] == [job.id]
    assert world.call("GET", f"{PATH}/{job.id}").json == answer.json
    entry = world.call("GET", "/v1/audit").json["items"][0]
    assert (entry["action"], entry["target"]) == ("subscriber.export", job.id)


def test_a_finished_export_can_be_downloaded(world: World) -> None:
    made = world.call("POST", PATH, {}).json["id"]
    job = world.jobs.get(world.workspace, made)
    world.blobs.put(target(job), b"x", content_type="text/csv")
    world.jobs.save(job.advanced(cursor={}, progress={"people": 3}, done=True))
    answer = world.call("GET", f"{PATH}/{made}").json
    assert (answer["state"], answer["people"]) == (JobState.DONE, 3)
    assert answer["download"].endswith(f"?as=subscribers-{made}.csv&seconds=900")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"list": "lst_x"}, "list"),
        ({"segment": "seg_x"}, "segment"),
        ({"list": "lst_x", "segment": "seg_x"}, "body"),
        ({"format": "jsonl", "raw": True}, "raw"),
        ({"format": "xlsx"}, "format"),
    ],
)
def test_what_cannot_be_exported_is_named(
    world: World, body: dict[str, object], field: str
) -> None:
    answer = world.call("POST", PATH, body)
    assert answer.status == 422
    assert all(named.startswith(field) for named in answer.fields), answer.fields


def test_another_workspace_and_other_jobs_are_not_found(world: World) -> None:
    made = world.call("POST", PATH, {}).json["id"]
    assert world.call("GET", f"{PATH}/{made}", key=world.other_key).status == 404
    headers = {"Content-Type": "text/csv"}
    imported = world.call(
        "POST", "/v1/subscribers/imports", raw="email\na@example.com\n", headers=headers
    )
    assert world.call("GET", f"{PATH}/{imported.json['id']}").status == 404
