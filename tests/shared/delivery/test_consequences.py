"""What an event does to the person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.analytics.model import Engagement
from shared.audience.consent import ConsentService
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.delivery.consequences import Consequences
from shared.events import Event, EventType
from shared.ids import MessageRef, SubscriberIds, to_text
from shared.mail import MailboxGroup
from tests import fakes

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
WS, NEWS = to_text("ws", bytes(12)), to_text("lst", bytes(12))
ANN = SubscriberIds(b"key").of(WS, "ann@example.com")
EVENT = Engagement(
    Event(EventType.BOUNCED, "postmark", "e1", NOW, "HardBounce"),
    MessageRef(WS, "cmp_1", 0, 0),
    ANN,
    MailboxGroup.OTHER,
)


class Registry:
    """One person on one list."""

    def __init__(self, *, there: bool = True) -> None:
        self.subscribers = fakes.FakeSubscribers()
        self.memberships = fakes.FakeMemberships()
        self.suppressions = fakes.FakeSuppressions()
        if there:
            self.memberships.add(WS, NEWS, [ANN])
            lists = {NEWS: ListState.SUBSCRIBED}
            self.subscribers.put(Subscriber(ANN, WS, "ann@example.com", NOW, NOW, lists))
        self.consequences = Consequences(
            ConsentService(
                self.subscribers,
                self.memberships,
                self.suppressions,
                fakes.FakeClock(),
                fakes.FakeConsents(),
            )
        )


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        ("hard_bounced", SuppressionReason.HARD_BOUNCE),
        ("complained", SuppressionReason.COMPLAINT),
        ("unsubscribed", SuppressionReason.UNSUBSCRIBED),
    ],
)
def test_the_person_is_suppressed_once_however_often_it_is_said(
    happened: str, reason: SuppressionReason, there: bool
) -> None:
    registry = Registry(there=there)
    for _ in range(3):
        getattr(registry.consequences, happened)(EVENT)
    (entry,) = registry.suppressions.entries.values()
    assert (entry.subscriber, entry.reason, entry.source) == (ANN, reason, "webhook:postmark")
    if there:
        assert registry.subscribers.get(WS, ANN).suppressed is reason


def test_an_unsubscription_at_the_esp_leaves_every_list() -> None:
    registry = Registry()
    registry.consequences.unsubscribed(EVENT)
    assert registry.subscribers.get(WS, ANN).lists == {NEWS: ListState.UNSUBSCRIBED}
    assert registry.memberships.page(WS, NEWS, limit=1).items == ()


def test_a_graver_reason_stays() -> None:
    registry = Registry()
    registry.consequences.complained(EVENT)
    registry.consequences.unsubscribed(EVENT)
    registry.consequences.hard_bounced(EVENT)
    entry = registry.suppressions.get(WS, ANN)
    assert entry is not None
    assert entry.reason is SuppressionReason.COMPLAINT
