"""The aggregator over the real stores, on moto, with the images that the store itself writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from functions.aggregator.handler import handler
from functions.aggregator.wiring import services
from shared.analytics.model import Engagement
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.clock import SystemClock, from_millis, to_millis
from shared.engagement import Deed, day_of
from shared.events import BounceKind, Event, EventType
from shared.ids import MessageRef, SubscriberIds, to_text
from shared.mail import MailboxGroup
from shared.storage.counters import DynamoCounters
from shared.storage.engagements import DynamoEngagements
from shared.storage.person_states import DynamoPersonStates
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from tests.functions.running import PREFIX, Context, deployed

NOW = from_millis(to_millis(SystemClock().now()))
WS, CAMPAIGN, NEWS = (to_text(prefix, bytes(12)) for prefix in ("ws", "cmp", "lst"))
ADDRESS = "ann@example.com"
ANN = SubscriberIds(b"key").of(WS, ADDRESS)


@pytest.fixture(autouse=True)
def _deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    services.cache_clear()
    with deployed(monkeypatch):
        yield
    services.cache_clear()


def stream_event(shard: str) -> dict[str, Any]:
    """Everything in the table, as its stream would bring it."""
    items = boto3.client("dynamodb").scan(TableName=f"{PREFIX}-engagements")["Items"]
    return {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": str(100 + place), "NewImage": item},
            }
            for place, item in enumerate(items)
        ],
        "shardId": shard,
    }


def test_events_end_in_counters_and_suppressions() -> None:
    DynamoSubscribers().put(Subscriber(ANN, WS, ADDRESS, NOW, NOW, {NEWS: ListState.SUBSCRIBED}))
    kinds = [
        Event(EventType.DELIVERED, "ses", "e1", NOW, "Delivery"),
        Event(EventType.OPENED, "ses", "e2", NOW, "Open"),
        Event(EventType.OPENED, "ses", "e3", NOW, "Open"),
        Event(EventType.BOUNCED, "ses", "e4", NOW, "Bounce", bounce=BounceKind.HARD),
    ]
    ref = MessageRef(WS, CAMPAIGN, 0, 7)
    DynamoEngagements().put_many(Engagement(one, ref, ANN, MailboxGroup.OTHER) for one in kinds)

    for _ in range(2):
        assert handler(stream_event("shardId-1"), Context(60)) == {"state": {}}

    assert DynamoCounters().totals(WS, CAMPAIGN) == {
        "ses|other|delivered": 1,
        "ses|other|opened": 2,
        "ses|other|opened_first": 1,
        "ses|other|bounced": 1,
        "ses|other|hard_bounced": 1,
    }
    entry = DynamoSuppressions().get(WS, ANN)
    assert entry is not None
    assert (entry.reason, entry.source) == (SuppressionReason.HARD_BOUNCE, "webhook:ses")
    assert DynamoSubscribers().get(WS, ANN).suppressed is SuppressionReason.HARD_BOUNCE
    [kept] = DynamoPersonStates().load(WS, [ANN]).values()
    assert kept.state.newest[Deed.OPENED] == day_of(NOW)
    assert kept.version == 1
    assert DynamoCounters().last_events(["ses"]) == {"ses": NOW}
