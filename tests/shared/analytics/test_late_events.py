"""Events of people who were erased are removed, whatever they are about."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.analytics.late_events import LateEvents
from shared.analytics.model import Engagement
from shared.audience.model import Suppression, SuppressionReason
from shared.delivery.consequences import Erased
from shared.events import Event, EventType
from shared.ids import NOBODY, SUBSCRIBER, TRANSACTIONAL_CHUNK, MessageRef, to_text
from shared.mail import MailboxGroup
from tests.fakes import FakeEngagements, FakeSuppressions

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
ADA, BOB = to_text(SUBSCRIBER, b"a" * 12), to_text(SUBSCRIBER, b"b" * 12)


def event(who: str, workspace: str = "ws_a", chunk: int = 0, number: int = 0) -> Engagement:
    return Engagement(
        Event(EventType.OPENED, "ses", f"e{number}{who}", NOW, "open", ip="203.0.113.9"),
        MessageRef(workspace, "cmp_a", chunk, number),
        who,
        MailboxGroup.OTHER,
    )


def test_events_of_the_erased_and_of_nobody_go_and_others_stay() -> None:
    engagements, suppressions = FakeEngagements(), FakeSuppressions()
    suppressions.put(Suppression("ws_a", ADA, SuppressionReason.ERASURE, NOW))
    suppressions.put(Suppression("ws_a", BOB, SuppressionReason.COMPLAINT, NOW))
    gone = [
        event(ADA),
        event(ADA, number=1),
        event(ADA, chunk=TRANSACTIONAL_CHUNK, number=2),
        event(NOBODY, number=3),
    ]
    stay = [event(BOB, number=4), event(ADA, "ws_b", number=5)]
    engagements.put_many([*gone, *stay])
    late = LateEvents(engagements, Erased(suppressions))
    assert late.drop([*gone, *stay]) == stay
    assert list(engagements.by_key.values()) == stay
    assert late.drop([*gone, *stay]) == stay
    assert late.drop([]) == []
