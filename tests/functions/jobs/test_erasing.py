"""Erasure over the real stores, on moto, and once more after a restore of an old copy."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from functions.jobs.handler import handler
from functions.jobs.wiring import services
from ops.reapply_erasures import reapply
from shared.analytics.model import Engagement
from shared.audience.asking import Asked, Mail
from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.erasure import ErasureService
from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.segments.model import Snapshot
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.unconfirmed import Waiting
from shared.clock import SystemClock, to_iso
from shared.delivery.model import Campaign, ChunkKey, ChunkPlan
from shared.delivery.states import CampaignState
from shared.engagement import EngagementState, KeptState
from shared.events import Event, EventType
from shared.ids import NOBODY, TRANSACTIONAL_CHUNK, Ids, MessageRef, SubscriberIds, to_text
from shared.jobs import JobState
from shared.mail import Mailbox, MailboxGroup
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.consents import DynamoConsents
from shared.storage.engagements import DynamoEngagements
from shared.storage.erasures import DynamoErasures
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.queues import SqsJobQueue
from shared.storage.segments import DynamoSnapshots
from shared.storage.signups import DynamoAsked, DynamoWaiting
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import PREFIX, SECRET, Context, Deployment, deployed, sqs_event

CLOCK = FakeClock(SystemClock().now().replace(microsecond=0) - timedelta(days=2))
IDS = Ids(CLOCK, seeded_bytes())
WS, NEWS, CAMPAIGN, MESSAGE = IDS.new("ws"), IDS.new("lst"), IDS.new("cmp"), IDS.new("cmp")
HASHES = SubscriberIds(SECRET.encode())
ADDRESS, FORMER_ADDRESS = "ada@example.com", "ada@old.example"
ADA, FORMER, BOB = (HASHES.of(WS, one) for one in (ADDRESS, FORMER_ADDRESS, "bob@example.com"))
TRACES = (ADA, FORMER, ADDRESS, "203.0.113.9", "Firefox")

# What may still name her id: the hash that suppresses, the proof without her device, the journal,
# the job, who asked, and what bounds sign-ups.
MAY_KNOW_HER_ID = frozenset({"suppressions", "consents", "erasures", "jobs", "audit", "signups"})


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    services.cache_clear()
    with deployed(monkeypatch) as running:
        yield running
    services.cache_clear()


def files() -> S3Blobs:
    return S3Blobs(boto3.client("s3"), f"{PREFIX}-files")


def ada_everywhere() -> None:
    """Everything that can be kept of a person."""
    now = CLOCK.now()
    DynamoLists().create(MailingList(NEWS, WS, "News", now))
    lists = {NEWS: ListState.SUBSCRIBED}
    DynamoSubscribers().put(Subscriber(FORMER, WS, "", now, now, deleted=True, moved_to=ADA))
    DynamoSubscribers().put(
        Subscriber(ADA, WS, ADDRESS, now, now, lists, {"name": "Ada"}, previous=(FORMER,))
    )
    DynamoSubscribers().put(Subscriber(BOB, WS, "bob@example.com", now, now, lists))
    DynamoMemberships().add(WS, NEWS, [ADA, BOB])
    snapshot = Snapshot(IDS.new("snp"), WS, "seg_x", {}, now, now + timedelta(days=90), 2)
    DynamoSnapshots().create(snapshot)
    DynamoMemberships().add(WS, snapshot.id, [ADA, BOB], until=snapshot.expires_at)
    DynamoPersonStates().save(WS, {ADA: KeptState(EngagementState())})
    DynamoAsked().save(Asked(WS, ADA, (Mail(NEWS, now, "en"),)))
    DynamoWaiting().note(Waiting(WS, ADA, NEWS, now + timedelta(days=30)))
    told = Circumstances("form", "203.0.113.9", "Firefox", "news-1")
    consent().subscribe(WS, ADA, IDS.new("lst"), circumstances=told)
    DynamoCampaigns().create(
        Campaign(
            CAMPAIGN, WS, "November", Mailbox("a@news.example"), IDS.new("tpl"), (NEWS,), now,
            state=CampaignState.SENDING, template_version=1, chunks=1, recipients=3, released=1,
        )
    )  # fmt: skip
    plan = ChunkPlan(ChunkKey(WS, CAMPAIGN, 0), (FORMER, BOB, ADA), {"shard": 15, "after": ADA})
    DynamoLedger().put_plan(plan)
    message = {
        "to": {"address": ADDRESS, "name": "Ada"}, "sender": {"address": "s@x.example", "name": ""},
        "at": to_iso(now), "file": f"{WS}/messages/{MESSAGE}",
    }  # fmt: skip
    DynamoLedger().put_plan(
        ChunkPlan(ChunkKey(WS, MESSAGE, TRANSACTIONAL_CHUNK), (ADA,), message=message)
    )
    for name in (f"messages/{MESSAGE}", "exports/job_x/y.csv", "imports/job_y/upload-1"):
        files().put(f"{WS}/{name}", ADDRESS.encode(), content_type="text/csv")
    DynamoEngagements().put_many(
        Engagement(
            Event(
                EventType.OPENED, "sendgrid", f"e-{who}", now, "open",
                detail="" if who == BOB else ADDRESS,
                ip="" if who == BOB else "203.0.113.9",
                user_agent="" if who == BOB else "Firefox",
            ),
            MessageRef(WS, CAMPAIGN, 0, index), who, MailboxGroup.OTHER,
        )
        for index, who in ((0, FORMER), (1, BOB), (2, ADA))
    )  # fmt: skip


def consent() -> ConsentService:
    return ConsentService(
        DynamoSubscribers(), DynamoMemberships(), DynamoSuppressions(), CLOCK, DynamoConsents()
    )


def erasures(deployment: Deployment) -> ErasureService:
    return ErasureService(
        journal=DynamoErasures(),
        subscribers=DynamoSubscribers(),
        consent=consent(),
        suppressions=DynamoSuppressions(),
        everywhere=EverywhereList(DynamoKnownAddresses(), DynamoSuppressions(), HASHES),
        ids=HASHES,
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(boto3.client("sqs"), deployment.queues["jobs"]),
        resource_ids=IDS,
        clock=CLOCK,
    )


Items = dict[str, list[dict[str, Any]]]


def all_items() -> Items:
    """Every item of every table, as DynamoDB has it."""
    client = boto3.client("dynamodb")
    return {
        name.removeprefix(f"{PREFIX}-"): client.scan(TableName=name)["Items"]
        for name in client.list_tables()["TableNames"]
    }


def restore(copy: Items) -> None:
    """Makes each table what it was, as a restore from backup does; the journal is left out."""
    client = boto3.client("dynamodb")
    present = all_items()
    for table, items in copy.items():
        if table == "erasures":
            continue
        for item in present[table]:
            key = {name: item[name] for name in ("pk", "sk")}
            client.delete_item(TableName=f"{PREFIX}-{table}", Key=key)
        for item in items:
            client.put_item(TableName=f"{PREFIX}-{table}", Item=item)


def traces() -> dict[str, set[str]]:
    """What names her, by table or file: who she is, and where not at all."""
    found: dict[str, set[str]] = {}
    for table, items in all_items().items():
        text = "".join(map(repr, items))
        raw = b"".join(v["B"] for item in items for v in item.values() if "B" in v)
        plans = [item for item in items if "i" in item] if table == "ledger" else []
        text += repr([one for item in plans for one in _ids(item["i"]["B"])]) + repr(raw)
        if named := {trace for trace in TRACES if trace in text}:
            found[table] = named
    for key in files().keys("", limit=99):
        if ADDRESS.encode() in files().get(key):
            found[key] = {ADDRESS}
    return found


def _ids(packed: bytes) -> list[str]:
    return [to_text("sub", packed[at : at + 12]) for at in range(0, len(packed), 12)]


def work(deployment: Deployment) -> None:
    for body in deployment.receive("jobs"):
        handler(sqs_event(body, queue="jobs"), Context(300))


def assert_nothing_is_left() -> None:
    left = traces()
    assert set(left) <= MAY_KNOW_HER_ID
    assert set().union(*left.values()) <= {ADA, FORMER}
    plan = DynamoLedger().plan(ChunkKey(WS, CAMPAIGN, 0))
    assert plan is not None
    assert plan.subscribers == (NOBODY, BOB, NOBODY)
    assert DynamoSubscribers().get(WS, BOB).address == "bob@example.com"
    assert len(DynamoEngagements().of_chunk(WS, CAMPAIGN, 0)) == 1
    reasons = {s.reason for s in DynamoSuppressions().get_many(WS, [ADA, FORMER]).values()}
    assert {reason.value for reason in reasons} == {"erasure"}


def test_nothing_is_left_of_her_and_nothing_again_after_a_restore(deployment: Deployment) -> None:
    ada_everywhere()
    copy = all_items()
    assert set().union(*traces().values()) == set(TRACES)
    asked_at = CLOCK.now()
    job = erasures(deployment).by_address(WS, "Ada@Example.com", by="api:key_a")
    work(deployment)
    assert DynamoJobs().get(WS, job.id).state is JobState.DONE
    assert_nothing_is_left()

    restore(copy)
    assert {"subscribers", "memberships", "ledger", "engagements"} <= set(traces())
    assert reapply(Invoked(), "test", to_iso(asked_at)) == 1  # type: ignore[arg-type]  # the one call
    work(deployment)
    assert_nothing_is_left()


class Invoked:
    """Lambda's client, with the function in this process."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  # boto3's
        assert FunctionName == "tidepost-test-jobs"
        answer = handler(json.loads(Payload), Context(300))
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def test_her_consent_s_proof_is_sealed_and_ends(deployment: Deployment) -> None:
    ada_everywhere()
    erasures(deployment).by_id(WS, ADA, by="api:key_a")
    work(deployment)
    kept = [item for item in all_items()["consents"] if item["pk"]["S"] == f"ws#{WS}#{ADA}"]
    ends = CLOCK.now() + timedelta(days=1095)
    assert {item["ttl"]["N"] for item in kept} == {str(int(ends.timestamp()))}
    told = {record.circumstances for _, record in DynamoConsents().of(WS, ADA)}
    assert Circumstances("form", None, None, "news-1") in told


def test_whoever_came_back_with_a_new_consent_survives_a_restore(deployment: Deployment) -> None:
    ada_everywhere()
    asked_at = CLOCK.now()
    erasures(deployment).by_id(WS, ADA, by="api:key_a")
    work(deployment)
    now = asked_at + timedelta(days=1)
    DynamoSuppressions().remove(WS, ADA)
    back = DynamoSubscribers().put(Subscriber(ADA, WS, ADDRESS, now, now))
    assert reapply(Invoked(), "test", to_iso(asked_at)) == 1  # type: ignore[arg-type]  # the one call
    work(deployment)
    assert DynamoSubscribers().get(WS, ADA) == back
    assert DynamoSuppressions().get(WS, ADA) is None
