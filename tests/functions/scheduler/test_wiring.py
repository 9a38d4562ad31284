"""The scheduler over the real stores and queues, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from functions.scheduler.handler import handler
from functions.scheduler.wiring import services
from shared.delivery.model import Attempt, Campaign, ChunkKey, ChunkPlan, DueItem
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.states import CampaignState, RecipientState
from shared.ids import (
    SUBSCRIBER,
    TRANSACTIONAL_CHUNK,
    Ids,
    MessageIds,
    MessageRef,
    to_text,
)
from shared.mail import Mailbox
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.due import DynamoDue
from shared.storage.ledger import DynamoLedger
from shared.storage.queues import chunk_key_of
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import (
    SECRET,
    Context,
    Deployment,
    deployed,
    schedule_event,
    sqs_event,
)
from tests.recording_server import Answer, RecordingServer, recording_server

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PERSON = to_text(SUBSCRIBER, bytes(12))


@pytest.fixture
def postmark() -> Iterator[RecordingServer]:
    with recording_server() as running:
        yield running


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, postmark: RecordingServer) -> Iterator[Deployment]:
    services.cache_clear()
    account = {"name": "pm", "kind": "postmark", "weight": 1, "secret": "providers/pm"}
    providers = [{"name": "ses", "kind": "ses", "weight": 1}, {**account, "base_url": postmark.url}]
    secrets = {"providers/pm": {"server_token": "a-token"}}
    with deployed(monkeypatch, providers=providers, provider_secrets=secrets) as running:
        yield running
    services.cache_clear()


def test_a_dead_lettered_chunk_is_sent_again_and_ends_its_campaign(
    deployment: Deployment,
) -> None:
    ids = Ids(FakeClock(), seeded_bytes())
    campaign = Campaign(
        ids.new("cmp"), ids.new("ws"), "November", Mailbox("a@news.example"), ids.new("tpl"),
        (ids.new("lst"),), NOW, state=CampaignState.SENDING, template_version=1, launched_at=NOW,
        chunks=1, recipients=1, released=1,
    )  # fmt: skip
    DynamoCampaigns().create(campaign)
    key = ChunkKey(campaign.workspace, campaign.id, 0)
    DynamoLedger().put_plan(ChunkPlan(key, (PERSON,)))
    letter = json.dumps({"v": 1, "workspace": key.workspace, "campaign": key.campaign, "chunk": 0})

    fed = handler(sqs_event(letter, "not ours", queue="bulk-dlq"), Context(55))
    assert fed == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert handler(schedule_event(), Context(55))["chunks_sent_again"] == 1
    assert [chunk_key_of(body) for body in deployment.receive("bulk")] == [key]

    accepted = Change(0, RecipientState.ACCEPTED)
    DynamoLedger().save_outcome(changed(fresh(key, 1), [accepted], (), 1))
    assert handler(schedule_event(), Context(55))["campaigns_sent"] == 1
    done = DynamoCampaigns().get(campaign.workspace, campaign.id)
    assert (done.state, done.totals["states"]["accepted"]) == (CampaignState.SENT, 1)
    assert list(DynamoCampaigns().active()) == []


@pytest.mark.usefixtures("deployment")
def test_what_is_in_doubt_at_postmark_is_settled_by_its_search(postmark: RecordingServer) -> None:
    ids = Ids(FakeClock(), seeded_bytes())
    key = ChunkKey(ids.new("ws"), ids.new("cmp"), TRANSACTIONAL_CHUNK)
    ledger = DynamoLedger()
    ledger.put_plan(ChunkPlan(key, (PERSON,), message={"on_doubt": "hold"}))
    attempt = Attempt(key, 1, "a worker", LONG_AGO, ("pm",), b"\1", bytes(1))
    ledger.begin(attempt)
    doubt = Change(0, RecipientState.IN_DOUBT, "read_timeout")
    ledger.save_outcome(changed(fresh(key, 1), [doubt], (attempt,), 1))
    DynamoDue().add([DueItem(LONG_AGO, key)])
    message = MessageIds(SECRET.encode()).make(
        MessageRef(key.workspace, key.campaign, key.chunk, 0)
    )
    found = {"TotalCount": 1, "Messages": [{"Metadata": {"tidepost_id": message}}]}
    postmark.react = lambda _: Answer(200, found, {"Connection": "close"})

    assert handler(schedule_event(), Context(55)) == {"chunks_closed": 1}

    outcome = ledger.record(key).outcome
    assert outcome
    assert outcome.state_of(0) is RecipientState.ACCEPTED
    [asked] = postmark.requests
    assert f"messagestream=outbound&metadata_tidepost_id={message}" in asked.path


@pytest.mark.usefixtures("deployment")
def test_an_empty_minute_asks_no_queue_that_is_not_there() -> None:
    assert handler(schedule_event(), Context(55)) == {}
