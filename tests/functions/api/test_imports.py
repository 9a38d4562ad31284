from __future__ import annotations

import pytest

from shared.jobs import JobKind
from tests.functions.api.world import World

PATH = "/v1/subscribers/imports"
CSV = "email,first_name\nada@example.com,Ada\nbob@example.com,Bob\n"


def upload(world: World, raw: str | bytes, content_type: str, **query: str) -> tuple[int, object]:
    headers = {"Content-Type": content_type}
    answer = world.call("POST", PATH, raw=raw, headers=headers, query=query or None)
    return answer.status, answer.json if answer.status == 202 else answer.fields


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (CSV, "text/csv"),
        (CSV.encode(), "text/csv; charset=utf-8"),
        ('[{"email": "ada@example.com"}, {"email": "b@example.com"}]', "application/json"),
        ('{"email": "ada@example.com"}\n{"email": "b@example.com"}\n', "application/x-ndjson"),
    ],
)
def test_a_file_is_taken_in_and_its_job_queued(
    world: World, raw: str | bytes, content_type: str
) -> None:
    list_id = world.call("POST", "/v1/lists", {"name": "News"}).json["id"]
    headers = {"Content-Type": content_type}
    query = {"lists": f"{list_id}, ", "policy": "overwrite"}
    answer = world.call("POST", PATH, raw=raw, headers=headers, query=query)
    assert answer.status == 202
    assert answer.json["state"] == "queued"
    assert answer.json["progress"]["rows"] == 2
    job = world.jobs.get(world.workspace, answer.json["id"])
    assert job.kind is JobKind.IMPORT_SUBSCRIBERS
    assert job.params["lists"] == [list_id]
    assert job.params["policy"] == "overwrite"
    assert [message.job for message in world.job_queue.messages] == [job.id]
    assert world.call("GET", f"{PATH}/{job.id}").json == answer.json
    assert world.call("GET", f"{PATH}/{job.id}/rejections").json == {"items": [], "cursor": None}


@pytest.mark.parametrize(
    ("raw", "content_type", "field"),
    [
        (b"email\nad\xe4@example.com\n", "text/csv", "body"),
        ("", "text/csv", "body"),
        ("name\nAda\n", "text/csv", "body"),
        ("ada@example.com\nbob@example.com\n", "text/csv", "body"),
        ("email\n" + "x" * 1_000_000 + "\n", "text/csv", "body"),
        ("{", "application/json", "body"),
        (CSV, "application/pdf", "content-type"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(
    world: World, raw: str | bytes, content_type: str, field: str
) -> None:
    assert upload(world, raw, content_type) == (422, [field])
    assert not world.jobs.jobs
    assert not world.job_queue.messages


def test_unknown_lists_and_policies_are_named(world: World) -> None:
    assert upload(world, CSV, "text/csv", lists="lst_x,lst_y") == (422, ["lists.0", "lists.1"])
    assert upload(world, CSV, "text/csv", policy="guess") == (422, ["policy"])


def test_another_workspace_sees_nothing(world: World) -> None:
    headers = {"Content-Type": "text/csv"}
    job = world.call("POST", PATH, raw=CSV, headers=headers).json["id"]
    assert world.call("GET", f"{PATH}/{job}", key=world.other_key).status == 404
    assert world.call("GET", f"{PATH}/{job}/rejections", key=world.other_key).status == 404


def test_other_jobs_are_no_imports(world: World) -> None:
    ada = world.call("POST", "/v1/subscribers", {"email": "ada@example.com"}).json["id"]
    job = world.call("DELETE", f"/v1/subscribers/{ada}").json["job"]
    assert world.call("GET", f"{PATH}/{job}").status == 404
    assert world.call("GET", f"{PATH}/{job}/rejections").status == 404


def test_a_large_file_is_uploaded_by_a_form_and_then_started(world: World) -> None:
    body = {"content_type": "text/csv", "mapping": {"Mail": "email"}, "dry_run": True}
    opened = world.call("POST", f"{PATH}/uploads", body)
    assert opened.status == 201
    assert opened.json["state"] == "waiting"
    key = opened.json["fields"]["key"]
    assert key.startswith(f"{world.workspace}/imports/{opened.json['id']}/upload-")
    start = f"{PATH}/{opened.json['id']}/start"
    assert world.call("POST", start).problem == "wrong-state"
    world.blobs.put(key, b"Mail\na@example.com\n", content_type="text/csv")
    assert world.call("POST", start, key=world.other_key).status == 404
    assert world.job_queue.messages == []
    started = world.call("POST", start)
    assert (started.status, started.json["state"]) == (202, "queued")
    assert started.json["dry_run"] is True
    assert started.json["report"] is None
    assert [message.job for message in world.job_queue.messages] == [opened.json["id"]]
    entry = world.call("GET", "/v1/audit").json["items"][0]
    assert (entry["action"], entry["target"]) == ("subscriber.import", opened.json["id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content_type": "application/json"}, "content_type"),
        ({"content_type": "text/csv", "mapping": {"x": "tags"}}, "mapping"),
        ({"content_type": "text/csv", "lists": ["lst_x"]}, "lists.0"),
        ({"content_type": "text/csv", "format": "excel"}, "format"),
        ({"content_type": "text/csv", "workspace": "ws_other"}, "workspace"),
        ({"content_type": "text/csv", "key": "ws_other/imports/x"}, "key"),
    ],
)
def test_an_upload_that_cannot_be_is_refused(
    world: World, body: dict[str, object], field: str
) -> None:
    answer = world.call("POST", f"{PATH}/uploads", body)
    assert (answer.status, answer.fields) == (422, [field])
    assert world.jobs.jobs == {}


def test_the_files_of_other_products_are_named_in_the_query(world: World) -> None:
    mailchimp = "Email Address,First Name\nada@example.com,Ada\n"
    assert upload(world, mailchimp, "text/csv") == (422, ["body"])
    headers = {"Content-Type": "text/csv"}
    query = {"format": "mailchimp", "dry_run": "true"}
    answer = world.call("POST", PATH, raw=mailchimp, headers=headers, query=query)
    assert (answer.status, answer.json["dry_run"]) == (202, True)


def test_a_segment_of_pinpoints_becomes_a_rule(world: World) -> None:
    plan = {"Plan": {"AttributeType": "INCLUSIVE", "Values": ["pro"]}}
    behavior = {"Recency": {"Duration": "DAY_7", "RecencyType": "ACTIVE"}}
    segment = {"Name": "Pro", "Dimensions": {"UserAttributes": plan, "Behavior": behavior}}
    answer = world.call("POST", f"{PATH}/pinpoint-segments", {"segment": segment}).json
    assert answer["name"] == "Pro"
    assert [left_out["place"] for left_out in answer["unsupported"]] == [
        "Dimensions.Behavior.Recency"
    ]
    made = world.call("POST", "/v1/segments", {"name": "Pro", "rule": answer["rule"]})
    assert made.status == 201
