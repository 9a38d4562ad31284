"""Jobs go on where they stopped, wherever they were killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    ConfigurationError,
    DependencyUnavailable,
    FieldProblem,
    InvalidInput,
    NotFound,
    StaleWrite,
)
from shared.jobs import Job, JobKind, JobRunner, JobState
from tests.fakes import FakeClock, FakeJobQueue, FakeJobs, QueuedJob

WS = "ws_mine"


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Kills the process at each true one of `deaths`, asked one after the other."""

    def __init__(self, deaths: Iterator[bool]) -> None:
        self._deaths = deaths

    def strike(self) -> None:
        if next(self._deaths, False):
            raise Killed


class MortalJobs(FakeJobs):
    """A store in whose neighbourhood the process may die."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def save(self, job: Job) -> Job:
        self._fate.strike()
        saved = super().save(job)
        self._fate.strike()
        return saved


class MortalQueue(FakeJobQueue):
    """A queue likewise."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def enqueue(self, workspace: str, job_id: str, *, delay_s: int = 0) -> None:
        self._fate.strike()
        super().enqueue(workspace, job_id, delay_s=delay_s)
        self._fate.strike()


class Write:
    """Writes one number a step into `written`, which bears being done again."""

    def __init__(self, clock: FakeClock, fate: Fate, steps: int) -> None:
        self.written: dict[int, str] = {}
        self._clock = clock
        self._fate = fate
        self._steps = steps

    def run(self, job: Job) -> Job:
        self._fate.strike()
        self._clock.advance(seconds=10)
        at = job.cursor.get("at", 0)
        self.written[at] = f"part {at} of {job.params['of']}"
        self._fate.strike()
        done = at + 1 == self._steps
        return job.advanced(cursor={"at": at + 1}, progress={"written": at + 1}, done=done)


def worked_off(steps: int, seconds: float, deaths: Iterator[bool]) -> tuple[Job, dict[int, str]]:
    """The job when it is over; a message whose run died comes again."""
    clock, fate = FakeClock(), Fate(deaths)
    jobs, queue = MortalJobs(fate), MortalQueue(fate)
    step = Write(clock, fate, steps)
    jobs.create(Job("job_a", WS, JobKind.PLAN_CAMPAIGN, clock.now(), {"of": "it"}))
    queue.messages.append(QueuedJob(WS, "job_a", 0))
    while queue.messages:
        message = queue.messages[0]
        runner = JobRunner(jobs, queue, {JobKind.PLAN_CAMPAIGN: step}, clock)
        try:
            runner.run(message.workspace, message.job, clock.now() + timedelta(seconds=seconds))
        except Killed:
            continue
        queue.messages.remove(message)
    return jobs.get(WS, "job_a"), step.written


@given(st.integers(1, 6), st.sampled_from([5, 25, 1000]), st.lists(st.booleans(), max_size=40))
def test_a_job_that_is_killed_anywhere_ends_as_if_it_had_not_been(
    steps: int, seconds: float, deaths: list[bool]
) -> None:
    calm, wrote = worked_off(steps, 1000, iter(()))
    job, written = worked_off(steps, seconds, iter(deaths))
    assert written == wrote
    assert replace(job, version=0) == replace(calm, version=0)
    assert job.state is JobState.DONE
    assert job.version == steps


class Office:
    """One job whose step does what the test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.jobs = FakeJobs()
        self.queue = FakeJobQueue()
        self.job = Job("job_a", WS, JobKind.PLAN_CAMPAIGN, self.clock.now(), {})
        self.jobs.create(self.job)
        self.raises: Exception | None = None
        self.runs = 0

    def run(self, job: Job) -> Job:
        self.runs += 1
        if self.raises:
            raise self.raises
        return job.advanced(cursor={}, progress={}, done=True)

    def work(self, job_id: str = "job_a", seconds: float = 60) -> Job:
        runner = JobRunner(self.jobs, self.queue, {JobKind.PLAN_CAMPAIGN: self}, self.clock)
        return runner.run(WS, job_id, self.clock.now() + timedelta(seconds=seconds))


def test_nothing_is_begun_at_the_deadline() -> None:
    office = Office()
    assert office.work(seconds=0) == office.job
    assert office.runs == 0
    assert office.queue.messages == [QueuedJob(WS, "job_a", 0)]


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
def test_a_job_that_is_over_is_left_alone(state: JobState) -> None:
    office = Office()
    office.jobs.save(replace(office.job, state=state))
    assert office.work().state is state
    assert office.runs == 0
    assert office.queue.messages == []


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput(FieldProblem("body", "is not UTF-8 at byte 7")),
        NotFound("file", "a.csv"),
        ConfigurationError("the bucket is not there"),
    ],
)
def test_a_job_that_cannot_go_on_says_why(error: Exception) -> None:
    office = Office()
    office.raises = error
    job = office.work()
    assert (job.state, job.error) == (JobState.FAILED, str(error))
    assert office.jobs.get(WS, "job_a") == job
    assert office.queue.messages == []


@pytest.mark.parametrize(
    "error", [DependencyUnavailable("no answer"), StaleWrite("others were first"), KeyError("bug")]
)
def test_what_may_pass_leaves_the_job_as_it_was(error: Exception) -> None:
    office = Office()
    office.raises = error
    with pytest.raises(type(error)):
        office.work()
    assert office.jobs.get(WS, "job_a") == office.job
    office.raises = None
    assert office.work().state is JobState.DONE


def test_of_two_runs_at_once_one_stops() -> None:
    office = Office()
    other = Office()
    other.jobs = office.jobs

    def meanwhile(job: Job) -> Job:
        other.work()
        return job.advanced(cursor={"mine": 1}, progress={}, done=False)

    office.run = meanwhile  # type: ignore[method-assign]  # another worker in the middle of a step
    job = office.work()
    assert job.state is JobState.DONE
    assert job.cursor == {}
    assert office.queue.messages == []


def test_an_unknown_job_is_not_found() -> None:
    with pytest.raises(NotFound):
        Office().work("job_b")
