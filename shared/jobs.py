"""Long work in resumable steps: one protocol for every kind of job.

A job is a record with a cursor. A step does a bounded piece of work, and the
record with the new cursor is saved before the next one. A job may be killed
anywhere: the step it was in is done again, so every step is idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shared.clock import Clock
from shared.errors import DependencyUnavailable, StaleWrite, TidepostError


class JobKind(StrEnum):
    """What a job does."""

    PLAN_CAMPAIGN = "plan_campaign"
    RETRY_CAMPAIGN = "retry_campaign"
    IMPORT_SUBSCRIBERS = "import_subscribers"
    DELETE_SUBSCRIBER = "delete_subscriber"
    EXPORT_SUBSCRIBERS = "export_subscribers"
    ERASE_SUBSCRIBER = "erase_subscriber"
    DROP_UNCONFIRMED = "drop_unconfirmed"
    SNAPSHOT_SEGMENT = "snapshot_segment"
    IMPORT_SUPPRESSIONS = "import_suppressions"
    EXPORT_SUPPRESSIONS = "export_suppressions"
    SYNC_SUPPRESSIONS = "sync_suppressions"
    LIFT_SUPPRESSION = "lift_suppression"


class JobState(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    """For a file that is yet to be uploaded; the runner leaves it alone."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `params` never change, `cursor` and `progress` do; all are plain JSON.

    `pause_s` is how long the next step has to wait for something, in seconds; it is not stored.
    """

    id: str
    workspace: str
    kind: JobKind
    created_at: datetime
    params: dict[str, Any]
    state: JobState = JobState.QUEUED
    cursor: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    version: int = 0
    pause_s: int = 0

    def advanced(
        self,
        *,
        cursor: dict[str, Any],
        progress: dict[str, Any],
        done: bool = False,
        pause_s: int = 0,
    ) -> Job:
        """The job after one more step."""
        state = JobState.DONE if done else JobState.RUNNING
        return replace(self, state=state, cursor=cursor, progress=progress, pause_s=pause_s)

    def failed(self, error: str) -> Job:
        """The job, given up, with what was wrong and what to do."""
        return replace(self, state=JobState.FAILED, error=error)


class JobStore(Protocol):
    """Keeps jobs."""

    def create(self, job: Job) -> None:
        """Raises AlreadyExists if there is a job of that id."""
        ...

    def get(self, workspace: str, job_id: str) -> Job:
        """Raises NotFound."""
        ...

    def save(self, job: Job) -> Job:
        """Writes if `job.version` is the stored one; returns it with the next version.

        Raises:
            StaleWrite: another worker saved in between.
        """
        ...


class JobQueue(Protocol):
    """Gets a job (or its next step) run soon."""

    def enqueue(self, workspace: str, job_id: str, *, delay_s: int = 0) -> None:
        """At least once; a step must bear being run twice."""
        ...


class JobStep(Protocol):
    """One kind of job. The runner calls it until it says done or time is up."""

    def run(self, job: Job) -> Job:
        """Does a bounded piece of work and returns the job advanced.

        Raises:
            TidepostError: the job cannot go on; the runner marks it failed.
        """
        ...


class JobRunner:
    """Runs a job's steps until it is done or time is up; then the next call goes on."""

    def __init__(
        self, jobs: JobStore, queue: JobQueue, steps: Mapping[JobKind, JobStep], clock: Clock
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._steps = steps
        self._clock = clock

    def run(self, workspace: str, job_id: str, deadline: datetime) -> Job:
        """Runs what fits before `deadline` and enqueues the rest.

        Two runs of the same job at once do no harm: one of them finds the
        record changed and stops.

        Raises:
            NotFound: there is no such job.
            DependencyUnavailable, StaleWrite: do the step again; the cursor is kept.
        """
        job = self._jobs.get(workspace, job_id)
        step = self._steps[job.kind]
        while job.state in {JobState.QUEUED, JobState.RUNNING}:
            if self._clock.now() >= deadline:
                self._queue.enqueue(workspace, job_id)
                return job
            after = self._after(step, job)
            try:
                job = self._jobs.save(after)
            except StaleWrite:
                return self._jobs.get(workspace, job_id)
            if after.pause_s:
                self._queue.enqueue(workspace, job_id, delay_s=after.pause_s)
                return job
        return job

    @staticmethod
    def _after(step: JobStep, job: Job) -> Job:
        try:
            return step.run(job)
        except (DependencyUnavailable, StaleWrite):
            raise  # passing; the queue brings the job again
        except TidepostError as error:
            return job.failed(str(error))
