"""The jobs function over the real stores, on moto: one job of each kind, and the first key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from functions.jobs.handler import handler
from functions.jobs.wiring import services
from shared.access.keys import ApiKeyService
from shared.audience.consents import ConsentChange
from shared.audience.export_jobs import target
from shared.audience.export_rows import ExportFormat
from shared.audience.exporting import ExportOptions, ExportService
from shared.audience.importing import ImportOptions, ImportService
from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.rows import FileFormat
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import (
    Audience,
    Consent,
    Segment,
    Snapshot,
    Source,
    SourceKind,
)
from shared.audience.segments.walking import AudienceWalk
from shared.audience.unconfirmed import Waiting
from shared.clock import SystemClock, to_iso
from shared.delivery.model import Campaign, ChunkKey, ChunkPlan
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.states import CampaignState, RecipientState
from shared.engagement import Deed, EngagementState, Fact, KeptState, day_of
from shared.errors import InvalidInput, NotFound
from shared.ids import Ids, SubscriberIds, to_bytes
from shared.jobs import Job, JobKind, JobState
from shared.mail import Mailbox
from shared.storage.api_keys import DynamoApiKeys
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.consents import DynamoConsents
from shared.storage.due import DynamoDue
from shared.storage.jobs import DynamoJobs
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.queues import SqsJobQueue, chunk_key_of
from shared.storage.segments import DynamoSegments, DynamoSnapshots
from shared.storage.signups import DynamoWaiting
from shared.storage.subscribers import DynamoSubscribers
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import PREFIX, SECRET, Context, Deployment, deployed, sqs_event

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
IDS = Ids(FakeClock(), seeded_bytes())
WS, NEWS, CLICKED = IDS.new("ws"), IDS.new("lst"), IDS.new("cmp")


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
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
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


def imports(deployment: Deployment) -> ImportService:
    return ImportService(
        lists=DynamoLists(),
        settings=DynamoAudienceSettings(),
        blobs=S3Blobs(boto3.client("s3"), f"{PREFIX}-files"),
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(boto3.client("sqs"), deployment.queues["jobs"]),
        resource_ids=IDS,
        clock=FakeClock(),
        random_bytes=seeded_bytes(),
    )


def test_a_file_is_imported(deployment: Deployment) -> None:
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
    importing = imports(deployment)
    file = b"email\nann@example.com\nnobody\n"
    job = importing.start(WS, ImportOptions(FileFormat.CSV, list_ids=[NEWS]), body=file)

    handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))

    done = DynamoJobs().get(WS, job.id)
    assert (done.state, done.progress["created"]) == (JobState.DONE, 1)
    ann = SubscriberIds(SECRET.encode()).of(WS, "ann@example.com")
    assert DynamoMemberships().page(WS, NEWS, limit=9).items == (ann,)
    (rejection,) = importing.rejections(WS, job.id, limit=9).items
    assert rejection.row == 3
    assert "rejected-" in importing.report_link(done)


def test_a_file_that_its_mapping_does_not_fit_fails_and_says_so(deployment: Deployment) -> None:
    options = ImportOptions(FileFormat.NDJSON, mapping={"profile.mail": "email"})
    job = imports(deployment).start(
        WS, options, body=b'{"profile": {"email": "ann@example.com"}}\n'
    )

    handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))

    failed = DynamoJobs().get(WS, job.id)
    assert failed.state is JobState.FAILED
    assert "nothing at 'profile.mail'" in failed.error
    assert list(DynamoSubscribers().page(WS, limit=1).items) == []


def test_a_list_is_exported(deployment: Deployment) -> None:
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
    ann = SubscriberIds(b"key").of(WS, "ann@example.com")
    lists = {NEWS: ListState.SUBSCRIBED}
    DynamoSubscribers().put(Subscriber(ann, WS, "ann@example.com", NOW, NOW, lists))
    DynamoMemberships().add(WS, NEWS, [ann])
    files = S3Blobs(boto3.client("s3"), f"{PREFIX}-files")
    exporting = ExportService(
        blobs=files,
        audiences=Audiences(
            lists=DynamoLists(),
            segments=DynamoSegments(),
            snapshots=DynamoSnapshots(),
            walk=AudienceWalk(DynamoMemberships(), DynamoSubscribers(), DynamoPersonStates()),
            clock=FakeClock(),
        ),
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(boto3.client("sqs"), deployment.queues["jobs"]),
        resource_ids=IDS,
        clock=FakeClock(),
        random_bytes=seeded_bytes(),
    )
    source = Source(SourceKind.LIST, NEWS)
    job = exporting.start(WS, ExportOptions(ExportFormat.JSONL, source))

    handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))

    done = DynamoJobs().get(WS, job.id)
    assert (done.state, done.progress) == (JobState.DONE, {"people": 1})
    assert json.loads(files.get(target(done)))["email"] == "ann@example.com"


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


def test_the_daily_rule_drops_who_never_confirmed(deployment: Deployment) -> None:
    ann = SubscriberIds(b"key").of(WS, "ann@example.com")
    pending = {NEWS: ListState.PENDING}
    DynamoSubscribers().put(Subscriber(ann, WS, "ann@example.com", NOW, NOW, pending))
    DynamoMemberships().add(WS, NEWS, [ann])
    DynamoWaiting().note(Waiting(WS, ann, NEWS, SystemClock().now() - timedelta(days=1)))

    answer = handler({"command": "drop_unconfirmed"}, Context(300))
    assert answer is not None
    handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))

    job = DynamoJobs().get("deployment", answer["job"])
    assert (job.state, job.progress) == (
        JobState.DONE,
        {"looked_at": 1, "dropped": 1, "removed": 1},
    )
    with pytest.raises(NotFound):
        DynamoSubscribers().get(WS, ann)
    assert DynamoMemberships().page(WS, NEWS, limit=1).items == ()
    assert [record.change for _, record in DynamoConsents().of(WS, ann)] == [ConsentChange.LAPSED]


def people_with_engagement(count: int) -> list[str]:
    """People of whom every second has clicked in a campaign, and who are all on a list."""
    hashed = SubscriberIds(b"key")
    clicked = EngagementState().heard([Fact(to_bytes(CLICKED), Deed.CLICKED, day_of(NOW))])
    ids = []
    for n in range(count):
        address = f"p{n}@example.com"
        one = hashed.of(WS, address)
        lists = {NEWS: ListState.SUBSCRIBED}
        DynamoSubscribers().put(Subscriber(one, WS, address, NOW, NOW, lists))
        if n % 2:
            DynamoPersonStates().save(WS, {one: KeptState(clicked)})
        ids.append(one)
    DynamoMemberships().add(WS, NEWS, ids)
    return ids


def test_a_campaign_to_a_segment_is_planned(deployment: Deployment) -> None:
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
    ids = people_with_engagement(40)
    rule = {"engagement": "clicked", "campaign": CLICKED}
    segment = Segment(IDS.new("seg"), WS, "Clicked", rule, NOW, NOW)
    DynamoSegments().create(segment)
    campaign = Campaign(
        IDS.new("cmp"), WS, "November", Mailbox("a@news.example"), IDS.new("tpl"), (), NOW,
        state=CampaignState.PLANNING, template_version=1, launched_at=NOW,
        audience=Audience(
            (Source(SourceKind.LIST, NEWS),), (Source(SourceKind.SEGMENT, segment.id),)
        ),
    )  # fmt: skip
    DynamoCampaigns().create(campaign)

    job = run(Job("job_a", WS, JobKind.PLAN_CAMPAIGN, NOW, {"campaign": campaign.id}))

    assert (job.state, job.progress) == (JobState.DONE, {"chunks": 1, "recipients": 20})
    plan = DynamoLedger().record(ChunkKey(WS, campaign.id, 0)).plan
    assert set(plan.subscribers) == set(ids[::2])
    assert DynamoCampaigns().get(WS, campaign.id).consent == Consent((NEWS,))
    assert len(deployment.receive("bulk")) == 1


@pytest.mark.usefixtures("deployment")
def test_a_snapshot_is_taken() -> None:
    ids = people_with_engagement(40)
    snapshot = Snapshot(
        IDS.new("snp"), WS, "seg_x", {"engagement": "not_clicked"}, NOW, NOW + timedelta(days=90)
    )
    DynamoSnapshots().create(snapshot)
    job = run(Job("job_s", WS, JobKind.SNAPSHOT_SEGMENT, NOW, {"snapshot": snapshot.id}))
    assert (job.state, job.progress) == (JobState.DONE, {"looked_at": 40, "members": 20})
    assert DynamoSnapshots().get(WS, snapshot.id).members == 20
    assert set(DynamoMemberships().page(WS, snapshot.id, limit=99).items) == set(ids[::2])


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
