"""The jobs function over the real stores, on moto: one job of each kind, and the first key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest

from functions.jobs.handler import handler
from functions.jobs.wiring import services
from shared.access.keys import ApiKeyService
from shared.audience.importing import ImportService
from shared.audience.model import ListState, MailingList, Subscriber
from shared.clock import SystemClock, to_iso
from shared.delivery.model import Campaign, ChunkKey, ChunkPlan
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import InvalidInput, NotFound
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobKind, JobState
from shared.mail import Mailbox
from shared.storage.api_keys import DynamoApiKeys
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.due import DynamoDue
from shared.storage.jobs import DynamoJobs
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.queues import SqsJobQueue, chunk_key_of
from shared.storage.subscribers import DynamoSubscribers
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import PREFIX, SECRET, Context, Deployment, deployed, sqs_event

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
IDS = Ids(FakeClock(), seeded_bytes())
WS, NEWS = IDS.new("ws"), IDS.new("lst")


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    services.cache_clear()
    with deployed(monkeypatch) as running:
        yield running
    services.cache_clear()


def run(job: Job) -> Job:
    DynamoJobs().create(job)
    body = json.dumps({"v": 1, "workspace": job.workspace, "job": job.id})
    handler(sqs_event(body, queue="jobs"), Context(300))
    return DynamoJobs().get(job.workspace, job.id)


def test_a_launched_campaign_is_planned_and_released(deployment: Deployment) -> None:
    people = [SubscriberIds(b"key").of(WS, f"p{n}@example.com") for n in range(600)]
    DynamoMemberships().add(WS, NEWS, people)
    campaign = Campaign(
        IDS.new("cmp"), WS, "November", Mailbox("a@news.example"), IDS.new("tpl"), (NEWS,), NOW,
        state=CampaignState.PLANNING, template_version=1, launched_at=NOW,
    )  # fmt: skip
    DynamoCampaigns().create(campaign)

    job = run(Job("job_a", WS, JobKind.PLAN_CAMPAIGN, NOW, {"campaign": campaign.id}))

    assert (job.state, job.progress) == (JobState.DONE, {"chunks": 2, "recipients": 600})
    planned = DynamoCampaigns().get(WS, campaign.id)
    assert (planned.state, planned.chunks, planned.released) == (CampaignState.SENDING, 2, 2)
    keys = [ChunkKey(WS, campaign.id, number) for number in range(2)]
    found = [DynamoLedger().record(key).plan.subscribers for key in keys]
    assert sorted(one for chunk in found for one in chunk) == sorted(people)
    sent = sorted(map(chunk_key_of, deployment.receive("bulk")), key=lambda key: key.chunk)
    assert sent == keys


@pytest.mark.usefixtures("deployment")
def test_a_campaign_is_retried() -> None:
    people = tuple(SubscriberIds(b"key").of(WS, f"p{n}@example.com") for n in range(2))
    campaign = Campaign(
        IDS.new("cmp"), WS, "November", Mailbox("a@news.example"), IDS.new("tpl"), (NEWS,), NOW,
        state=CampaignState.SENDING, template_version=1, launched_at=NOW, chunks=1, recipients=2,
        released=1, retry_job="job_r", retried_at=NOW,
    )  # fmt: skip
    DynamoCampaigns().create(campaign)
    key = ChunkKey(WS, campaign.id, 0)
    DynamoLedger().put_plan(ChunkPlan(key, people))
    failed = [
        Change(0, RecipientState.FAILED, "gave_up"),
        Change(1, RecipientState.FAILED, "no_route"),
    ]
    DynamoLedger().save_outcome(changed(fresh(key, 2), failed, ()))

    params = {"campaign": campaign.id, "reasons": ["gave_up"]}
    job = run(Job("job_r", WS, JobKind.RETRY_CAMPAIGN, NOW, params))

    assert (job.state, job.progress) == (JobState.DONE, {"chunks": 1})
    outcome = DynamoLedger().record(key).outcome
    assert outcome is not None
    assert [outcome.state_of(i).word for i in range(2)] == ["pending", "failed"]
    assert [item.key for item in DynamoDue().due(SystemClock().now(), limit=9)] == [key]


def test_a_file_is_imported(deployment: Deployment) -> None:
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
    importing = ImportService(
        lists=DynamoLists(),
        blobs=S3Blobs(boto3.client("s3"), f"{PREFIX}-files"),
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(boto3.client("sqs"), deployment.queues["jobs"]),
        resource_ids=IDS,
        clock=FakeClock(),
    )
    file = b"email\nann@example.com\nnobody\n"
    job = importing.start(WS, body=file, content_type="text/csv", list_ids=[NEWS])

    handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))

    done = DynamoJobs().get(WS, job.id)
    assert (done.state, done.progress["created"]) == (JobState.DONE, 1)
    ann = SubscriberIds(SECRET.encode()).of(WS, "ann@example.com")
    assert DynamoMemberships().page(WS, NEWS, limit=9).items == (ann,)
    (rejection,) = importing.rejections(WS, job.id, limit=9).items
    assert rejection.row == 3


@pytest.mark.usefixtures("deployment")
def test_a_person_is_deleted() -> None:
    ann = SubscriberIds(b"key").of(WS, "ann@example.com")
    lists = {NEWS: ListState.SUBSCRIBED}
    DynamoSubscribers().put(Subscriber(ann, WS, "ann@example.com", NOW, NOW, lists))
    DynamoMemberships().add(WS, NEWS, [ann])
    run(
        Job(
            "job_c",
            WS,
            JobKind.DELETE_SUBSCRIBER,
            NOW,
            {"subscriber": ann, "created_at": to_iso(NOW)},
        )
    )
    with pytest.raises(NotFound):
        DynamoSubscribers().get(WS, ann)
    assert DynamoMemberships().page(WS, NEWS, limit=1).items == ()


@pytest.mark.usefixtures("deployment")
def test_the_first_key_opens_its_workspace() -> None:
    answer = handler({"command": "first_key", "workspace": "Acme"}, Context(300))
    assert answer is not None
    keys = ApiKeyService(DynamoApiKeys(), IDS, SystemClock(), seeded_bytes())
    assert keys.authenticate(f"Bearer {answer['api_key']}").workspace == answer["workspace"]


@pytest.mark.usefixtures("deployment")
def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(InvalidInput):
        handler({"command": "drop"}, Context(300))
