"""Jobs, in DynamoDB and in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import AlreadyExists, NotFound, StaleWrite
from shared.jobs import Job, JobKind, JobState, JobStore
from shared.storage.jobs import DynamoJobs, JobItem
from tests.fakes import FakeJobs

WS = "ws_mine"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
JOB = Job("job_a", WS, JobKind.IMPORT_SUBSCRIBERS, NOW, {"file": "a.csv", "lists": ["lst_a"]})


@pytest.fixture(params=["dynamo", "fake"])
def jobs(request: pytest.FixtureRequest) -> JobStore:
    if request.param == "fake":
        return FakeJobs()
    request.getfixturevalue("dynamo")
    return DynamoJobs()


def test_a_job_is_created_once(jobs: JobStore) -> None:
    with pytest.raises(NotFound):
        jobs.get(WS, JOB.id)
    jobs.create(JOB)
    with pytest.raises(AlreadyExists):
        jobs.create(JOB)
    assert jobs.get(WS, JOB.id) == JOB
    with pytest.raises(NotFound):
        jobs.get("ws_other", JOB.id)


def test_a_job_advances_under_its_version(jobs: JobStore) -> None:
    with pytest.raises(StaleWrite):
        jobs.save(JOB)
    jobs.create(JOB)
    step = JOB.advanced(cursor={"at": 10}, progress={"rows": 2, "share": 0.5})
    saved = jobs.save(step)
    assert saved.version == 1
    assert jobs.get(WS, JOB.id) == saved
    with pytest.raises(StaleWrite):
        jobs.save(step)
    failed = jobs.save(saved.failed("the file is gone"))
    assert jobs.get(WS, JOB.id) == failed
    assert (failed.state, failed.error, failed.version) == (
        JobState.FAILED,
        "the file is gone",
        2,
    )


def test_what_a_caller_does_to_its_copy_is_not_stored(jobs: JobStore) -> None:
    jobs.create(JOB)
    jobs.get(WS, JOB.id).params["file"] = "b.csv"
    assert jobs.get(WS, JOB.id) == JOB


@pytest.mark.usefixtures("dynamo")
def test_a_job_goes_after_ninety_days() -> None:
    DynamoJobs().create(JOB)
    item = JobItem.find("ws#ws_mine#job_a", "job")
    assert item is not None
    assert item.ttl == NOW + timedelta(days=90)
