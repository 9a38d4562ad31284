"""What the jobs function does with suppressions, over the real stores on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from functions.jobs.handler import handler
from functions.jobs.wiring import services
from shared.access.model import Workspace
from shared.audience.model import Subscriber, Suppression, SuppressionReason
from shared.audience.suppressions.ports import EVERYWHERE
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobKind, JobState
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.workspaces import DynamoWorkspaces
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import SECRET, Context, Deployment, deployed, sqs_event

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
MAKE = Ids(FakeClock(), seeded_bytes())
IDS = SubscriberIds(SECRET.encode())
WS, OTHER = MAKE.new("ws"), MAKE.new("ws")
ANN = "ann@example.com"
PROVIDER = {"name": "sg", "kind": "sendgrid", "weight": 1, "secret": "providers/sg"}


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    services.cache_clear()
    secrets = {"providers/sg": {"other": "field"}}
    with deployed(monkeypatch, providers=[PROVIDER], provider_secrets=secrets) as running:
        yield running
    services.cache_clear()


def test_the_daily_rule_begins_a_sync_and_a_bad_secret_stops_only_its_provider(
    deployment: Deployment,
) -> None:
    for workspace in (WS, OTHER):
        DynamoWorkspaces().create(Workspace(workspace, "Acme", NOW))
        one = IDS.of(workspace, ANN)
        DynamoSubscribers().put(Subscriber(one, workspace, ANN, NOW, NOW))
    ann = IDS.of(WS, ANN)
    bounce = SuppressionReason.HARD_BOUNCE
    DynamoSuppressions().put(Suppression(WS, ann, bounce, NOW, "webhook:ses"))

    answer = handler({"command": "sync_suppressions"}, Context(300))
    assert answer is not None
    (message,) = deployment.receive("jobs")
    handler(sqs_event(message, queue="jobs"), Context(300))

    job = DynamoJobs().get(EVERYWHERE, answer["job"])
    assert (job.state, job.progress["gathered"]) == (JobState.DONE, 1)
    assert "no usable 'api_key'" in job.progress["providers"]["sg"]["error"]
    entry = DynamoSuppressions().get(OTHER, IDS.of(OTHER, ANN))
    assert entry is not None
    assert (entry.reason, entry.address) == (bounce, ANN)
    known_id = IDS.of(EVERYWHERE, ANN)
    known = DynamoKnownAddresses().get_many([known_id])[known_id]
    assert (known.address, set(known.found)) == (ANN, {"ses"})


@pytest.mark.usefixtures("deployment")
def test_an_address_is_lifted() -> None:
    job = Job("job_l", WS, JobKind.LIFT_SUPPRESSION, NOW, {"known": "none", "at_providers": False})
    DynamoJobs().create(job)
    body = json.dumps({"v": 1, "workspace": WS, "job": job.id})
    handler(sqs_event(body, queue="jobs"), Context(300))
    done = DynamoJobs().get(WS, job.id)
    assert (done.state, done.progress["lifted"]) == (JobState.DONE, [])
