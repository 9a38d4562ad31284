"""The jobs function's handler over the fakes: jobs from the queue, and operators' commands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from aws_lambda_powertools import Metrics

from functions.jobs.handler import command, run
from functions.jobs.wiring import Services
from shared.access.audit import AuditTrail
from shared.access.keys import ApiKeyService
from shared.access.workspaces import OperatorCommands, WorkspaceService
from shared.audience.erasure import Erasure
from shared.audience.reapplying import Reapplying
from shared.audience.suppressions.syncing import SyncService
from shared.audience.unconfirmed import DropService
from shared.delivery.breaker import Breaker, BreakerState
from shared.delivery.health import Health
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.switches import SwitchService
from shared.errors import DependencyUnavailable, InvalidInput, NotFound
from shared.ids import Ids
from shared.jobs import Job, JobKind, JobRunner, JobState
from shared.storage.queues import job_of
from tests import fakes
from tests.functions.running import Context, Log, emf, sqs_event

WS = "ws_mine"


class Step:
    """A step of ten seconds; `then` says what comes of it."""

    def __init__(self, clock: fakes.FakeClock, then: Callable[[Job], Job]) -> None:
        self._clock = clock
        self._then = then

    def run(self, job: Job) -> Job:
        self._clock.advance(seconds=10)
        return self._then(job)


class Office:
    """The services, over fakes, with one job of three steps in the store."""

    def __init__(self, then: Callable[[Job], Job] | None = None) -> None:
        self.clock = fakes.FakeClock()
        self.jobs = fakes.FakeJobs()
        self.queue = fakes.FakeJobQueue()
        self.log = Log()
        self.job = Job("job_a", WS, JobKind.PLAN_CAMPAIGN, self.clock.now(), {})
        self.jobs.create(self.job)
        ids = Ids(self.clock, fakes.seeded_bytes())
        self.api_keys = fakes.FakeApiKeys()
        self.switches = fakes.FakeSwitches()
        self.erasures = fakes.FakeErasures()
        self.health = fakes.FakeHealth()
        steps = {JobKind.PLAN_CAMPAIGN: Step(self.clock, then or three_steps)}
        self.services = Services(
            JobRunner(self.jobs, self.queue, steps, self.clock),
            OperatorCommands(
                WorkspaceService(fakes.FakeWorkspaces(), ids, self.clock),
                ApiKeyService(self.api_keys, ids, self.clock, fakes.seeded_bytes()),
                AuditTrail(fakes.FakeAuditLog(), ids, self.clock),
            ),
            SwitchService(self.switches, self.clock),
            SyncService(self.jobs, self.queue, ids, self.clock),
            DropService(self.jobs, self.queue, ids, self.clock),
            Reapplying(self.erasures, self.jobs, self.queue, ids, self.clock),
            HealthMonitor(self.health, self.clock, random.Random(1)),  # noqa: S311  # jitter
            job_of,
            self.clock,
            self.log.logger,
            Metrics(namespace="Tidepost", service="jobs"),
        )


def three_steps(job: Job) -> Job:
    at = job.cursor.get("at", 0) + 1
    return job.advanced(cursor={"at": at}, progress={"at": at}, done=at == 3)


def body(job_id: str = "job_a") -> str:
    return json.dumps({"v": 1, "workspace": WS, "job": job_id})


def test_a_job_is_run_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    office = Office()
    run(office.services, sqs_event(body(), queue="jobs"), Context(300))

    assert office.jobs.get(WS, "job_a").state is JobState.DONE
    (line,) = office.log.lines
    assert (line["job"], line["kind"], line["state"]) == ("job_a", "plan_campaign", "done")
    assert line["progress"] == {"at": 3}
    assert emf(capsys.readouterr().out) == {"jobs_done": 1}


def test_the_rest_waits_for_the_next_message() -> None:
    office = Office()
    run(office.services, sqs_event(body(), queue="jobs"), Context(75))

    assert office.jobs.get(WS, "job_a").cursor == {"at": 2}
    assert office.queue.messages == [fakes.QueuedJob(WS, "job_a", 0)]


def test_a_failed_job_is_an_error_in_the_log_and_its_message_is_done() -> None:
    def broken(_: Job) -> Job:
        raise NotFound("file", "imports/x.csv")

    office = Office(broken)
    run(office.services, sqs_event(body(), queue="jobs"), Context(300))

    assert office.jobs.get(WS, "job_a").state is JobState.FAILED
    (error,) = [line for line in office.log.lines if line["level"] == "ERROR"]
    assert error["reason"] == "there is no file 'imports/x.csv' in this workspace"
    assert office.queue.messages == []


def test_what_passes_is_raised_so_that_the_message_comes_again() -> None:
    def down(_: Job) -> Job:
        raise DependencyUnavailable("S3 did not answer")

    office = Office(down)
    with pytest.raises(DependencyUnavailable):
        run(office.services, sqs_event(body(), queue="jobs"), Context(300))
    assert office.jobs.get(WS, "job_a") == office.job


@pytest.mark.parametrize("bad", ["", "not JSON", "[]", "{}", '{"v":2,"workspace":"w","job":"j"}'])
def test_a_body_that_is_not_ours_ends_in_the_dead_letters(bad: str) -> None:
    with pytest.raises(InvalidInput):
        run(Office().services, sqs_event(bad, queue="jobs"), Context(300))


def test_an_unknown_job_ends_in_the_dead_letters() -> None:
    with pytest.raises(NotFound):
        run(Office().services, sqs_event(body("job_b"), queue="jobs"), Context(300))


def test_the_first_key_is_answered_and_not_logged() -> None:
    office = Office()
    answer = command(office.services, {"command": "first_key", "workspace": "ann@example.com"})

    assert answer["api_key"]
    assert len(office.api_keys.keys) == 1
    assert answer["workspace"] in office.log.text
    for secret in (answer["api_key"], answer["api_key"].rpartition("_")[2], "ann@example.com"):
        assert secret not in office.log.text


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"command": "last_key"},
        {"command": ["first_key"]},
        {"command": "first_key"},
        {"command": "first_key", "workspace": ""},
        {"command": "first_key", "workspace": "a\nb"},
    ],
)
def test_a_bad_command_is_refused(event: dict[str, object]) -> None:
    office = Office()
    with pytest.raises(InvalidInput):
        command(office.services, event)
    assert not office.api_keys.keys


def test_a_step_gets_a_minute_more_than_the_deadline() -> None:
    office = Office()
    deadline = office.clock.now() + timedelta(seconds=300)
    office.clock.advance(seconds=235)
    run(office.services, sqs_event(body(), queue="jobs"), Context(65))
    assert office.clock.now() <= deadline - timedelta(seconds=50)


def test_an_operator_stops_and_allows_all_sending() -> None:
    office = Office()
    stop = {"command": "kill_switch", "on": True, "reason": "wrong prices"}
    assert command(office.services, stop) == {"sending": "off"}
    assert not office.switches.switches[""].enabled
    assert "wrong prices" not in office.log.text
    assert command(office.services, {"command": "kill_switch", "on": False}) == {"sending": "on"}
    assert office.switches.switches[""].enabled


def test_an_operator_takes_a_provider_into_service_again() -> None:
    office = Office()
    order = {"command": "restore_provider", "provider": "ses"}
    with pytest.raises(NotFound):
        command(office.services, order)
    paused = Breaker(BreakerState.OUT_OF_SERVICE, because="paused")
    office.health.health = Health(breakers={"ses": paused})
    assert command(office.services, order) == {"state": "open"}
    assert office.health.health.breaker("ses").admits(office.clock.now())


@pytest.mark.parametrize("event", [{"on": True}, {"on": "yes", "reason": "x"}, {"reason": "x"}])
def test_a_kill_switch_needs_a_reason_and_a_plain_word(event: dict[str, object]) -> None:
    office = Office()
    with pytest.raises(InvalidInput):
        command(office.services, {"command": "kill_switch", **event})
    assert not office.switches.switches


def test_erasures_are_started_again_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.audience.reapplying.MOST_AT_ONCE", 2)
    office = Office()
    for number in range(3):
        at = office.clock.now() - timedelta(days=number)
        office.erasures.append(Erasure(f"ws_{number}", (f"sub_{number}",), at, "api:key_a"))
    asked = {"command": "reapply_erasures", "since": "2026-11-22T08:00:00Z"}
    assert command(office.services, asked) == {"started": 2, "next": 2}
    assert command(office.services, {**asked, "skip": 2}) == {"started": 1, "next": None}
    begun = [office.jobs.get(one.workspace, one.job) for one in office.queue.messages]
    assert [job.params["subscribers"] for job in begun] == [["sub_2"], ["sub_1"], ["sub_0"]]
    assert {job.kind for job in begun} == {JobKind.ERASE_SUBSCRIBER}


@pytest.mark.parametrize("since", ["", "yesterday", "2026-11-22T08:00:00", "2099-01-01T00:00:00Z"])
def test_erasures_since_no_such_instant_are_refused(since: str) -> None:
    with pytest.raises(InvalidInput, match="since"):
        command(Office().services, {"command": "reapply_erasures", "since": since})


def test_a_job_that_has_to_wait_is_run_again_later() -> None:
    def wait(job: Job) -> Job:
        return job.advanced(cursor={"waited": 1}, progress={}, pause_s=300)

    office = Office(wait)
    run(office.services, sqs_event(body(), queue="jobs"), Context(300))
    assert office.queue.messages == [fakes.QueuedJob(WS, "job_a", 300)]
    assert office.jobs.get(WS, "job_a").cursor == {"waited": 1}
