"""Jobs in DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.jobs import Job, JobKind, JobState
from shared.storage.tables import VersionedModel

KEPT_FOR = timedelta(days=90)


class JobItem(VersionedModel):
    """One job."""

    TABLE = "jobs"

    kind = UnicodeAttribute()
    state = UnicodeAttribute()
    created_at = UnicodeAttribute()
    params = JSONAttribute()
    cursor = JSONAttribute()
    progress = JSONAttribute()
    error = UnicodeAttribute()


class DynamoJobs:
    """`shared.jobs.JobStore`. A job is kept for `KEPT_FOR` after it was created."""

    def create(self, job: Job) -> None:
        """As the port says."""
        if not _item(job).put(JobItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is a job {job.id} already")

    def get(self, workspace: str, job_id: str) -> Job:
        """As the port says; consistent."""
        item = JobItem.find(f"ws#{workspace}#{job_id}", "job")
        if item is None:
            raise NotFound("job", job_id)
        return Job(
            id=job_id,
            workspace=workspace,
            kind=JobKind(item.kind),
            created_at=from_iso(item.created_at),
            params=item.params,
            state=JobState(item.state),
            cursor=item.cursor,
            progress=item.progress,
            error=item.error,
            version=int(item.version),
        )

    def save(self, job: Job) -> Job:
        """As the port says."""
        saved = replace(job, version=job.version + 1)
        _item(saved).put_over(job.version)
        return saved


def _item(job: Job) -> JobItem:
    return JobItem(
        f"ws#{job.workspace}#{job.id}",
        "job",
        kind=job.kind.value,
        state=job.state.value,
        created_at=to_iso(job.created_at),
        params=job.params,
        cursor=job.cursor,
        progress=job.progress,
        error=job.error,
        version=job.version,
        ttl=job.created_at + KEPT_FOR,
    )
