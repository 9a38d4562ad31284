"""The scheduler over the real stores and queues, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from functions.scheduler.handler import handler
from functions.scheduler.wiring import services
from shared.delivery.model import Campaign, ChunkKey, ChunkPlan
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.states import CampaignState, RecipientState
from shared.ids import SUBSCRIBER, Ids, to_text
from shared.mail import Mailbox
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.ledger import DynamoLedger
from shared.storage.queues import chunk_key_of
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import Context, Deployment, deployed, schedule_event, sqs_event

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
PERSON = to_text(SUBSCRIBER, bytes(12))


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    services.cache_clear()
    providers = [{"name": "ses", "kind": "ses", "weight": 1}]
    with deployed(monkeypatch, providers=providers) as running:
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
def test_an_empty_minute_asks_no_queue_that_is_not_there() -> None:
    assert handler(schedule_event(), Context(55)) == {}
