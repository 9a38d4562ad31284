"""The aggregator's handler over the fakes, with records as the stream brings them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from functions.aggregator.handler import apply
from functions.aggregator.wiring import Services
from shared.analytics.aggregating import Aggregator
from shared.analytics.late_events import LateEvents
from shared.analytics.person_state import PersonStates
from shared.audience.consent import ConsentService
from shared.audience.model import Suppression, SuppressionReason
from shared.delivery.consequences import Consequences, Erased
from shared.delivery.monitoring import HealthMonitor
from shared.engagement import day_of
from shared.errors import DependencyUnavailable
from shared.ids import to_bytes
from shared.storage.engagements import engagement_of
from tests import fakes
from tests.functions.running import Log, emf

WS, CAMPAIGN, PERSON = "ws_mine", "cmp_0000000000000000000g", "sub_0000000000000000000g"
TODAY = day_of(fakes.FakeClock().now())
NEXT = "shardId-00000001543211073461-2f0b7c6a"


def record(
    sequence: int, word: str = "delivered", *, name: str = "INSERT", **fields: Any
) -> dict[str, Any]:
    """A stream record of an engagement, in DynamoDB's JSON."""
    moment = f"2026-11-24T08:00:{sequence % 60:02d}.000Z#{word}#{sequence:016x}"
    keys = {"pk": {"S": f"ws#{WS}#{CAMPAIGN}#0000000000"}, "sk": {"S": f"00007#{moment}"}}
    image = {
        **keys,
        "v": {"N": "1"},
        "person": {"S": f"ws#{WS}#{PERSON}"},
        "moment": {"S": moment},
        "group": {"S": "gmail"},
        "provider": {"S": "ses"},
        "event_id": {"S": f"event-{sequence}"},
        "esp_type": {"S": word.title()},
        "message_id": {"S": "AQAAAAAtokenlike"},
        "ip": {"S": "203.0.113.9"},
        "user_agent": {"S": "Mozilla/5.0 (X11)"},
        "url": {"S": "https://shop.example/?mail=ann@example.com"},
        "ttl": {"N": "1830067200"},
        **fields,
    }
    return {
        "eventID": f"{sequence:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795507200.0,
            "Keys": keys,
            "NewImage": image,
            "SequenceNumber": str(10**20 + sequence),
            "SizeBytes": 300,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/tidepost-test-engagements"
        "/stream/2026-11-24T00:00:00.000",
    }


def windowed(records: list[dict[str, Any]], shard: str, *, final: bool = False) -> dict[str, Any]:
    """The event that a tumbling window makes of a batch: only such a one names the shard."""
    return {
        "Records": records,
        "window": {"start": "2026-11-24T08:00:00Z", "end": "2026-11-24T08:01:00Z"},
        "state": {},
        "shardId": shard,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/x/stream/y",
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": False,
    }


class Desk:
    """The services over fakes."""

    def __init__(self) -> None:
        self.clock = fakes.FakeClock()
        self.counters = fakes.FakeCounters()
        self.suppressions = fakes.FakeSuppressions()
        self.states = fakes.FakePersonStates()
        self.engagements = fakes.FakeEngagements()
        self.log = Log()
        consent = ConsentService(
            fakes.FakeSubscribers(),
            fakes.FakeMemberships(),
            self.suppressions,
            self.clock,
            fakes.FakeConsents(),
        )
        self.health = fakes.FakeHealth()
        monitor = HealthMonitor(self.health, self.clock, random.Random(1))  # noqa: S311  # jitter
        self.services = Services(
            Aggregator(self.counters, Consequences(consent), monitor),
            LateEvents(self.engagements, Erased(self.suppressions)),
            PersonStates(self.states, self.clock),
            engagement_of,
            self.log.logger,
            Metrics(namespace="Tidepost", service="aggregator"),
        )

    def counted(self) -> dict[str, int]:
        return dict(self.counters.totals(WS, CAMPAIGN))


def test_events_are_counted_once_however_often_they_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk()
    first = [record(1), record(2), record(3, "opened")]
    apply(desk.services, {"Records": first})
    apply(desk.services, {"Records": [*first, record(4)]})

    assert desk.counted() == {
        "ses|gmail|delivered": 3,
        "ses|gmail|opened": 1,
        "ses|gmail|opened_first": 1,
    }
    assert emf(capsys.readouterr().out) == {"events_counted": 4}


def test_two_shards_do_not_outrun_each_other() -> None:
    desk = Desk()
    apply(desk.services, windowed([record(50)], "shardId-b"))
    apply(desk.services, windowed([record(1)], NEXT))
    apply(desk.services, windowed([record(1)], NEXT))
    assert desk.counted() == {"ses|gmail|delivered": 2}


@pytest.mark.parametrize("final", [True, False])
def test_a_window_is_answered_with_a_state(final: bool) -> None:
    desk = Desk()
    records = [] if final else [record(1)]
    assert apply(desk.services, windowed(records, NEXT, final=final)) == {"state": {}}


def test_what_is_no_new_event_is_left_alone() -> None:
    desk = Desk()
    removed = record(2, name="REMOVE")
    del removed["dynamodb"]["NewImage"]
    apply(desk.services, {"Records": [record(1, name="MODIFY"), removed]})
    assert desk.counted() == {}
    assert desk.log.lines == []


@pytest.mark.parametrize(
    ("word", "fields", "reason"),
    [
        ("bounced", {"bounce": {"S": "hard"}}, SuppressionReason.HARD_BOUNCE),
        ("bounced", {"bounce": {"S": "soft"}}, None),
        ("complained", {}, SuppressionReason.COMPLAINT),
        ("unsubscribed", {}, SuppressionReason.UNSUBSCRIBED),
        ("opened", {}, None),
    ],
)
def test_who_must_not_be_mailed_again_is_suppressed(
    word: str, fields: dict[str, Any], reason: SuppressionReason | None
) -> None:
    desk = Desk()
    apply(desk.services, {"Records": [record(1, word, **fields)]})
    entry = desk.suppressions.get(WS, PERSON)
    assert (entry.reason if entry else None) is reason


def test_a_batch_that_failed_half_way_is_counted_once_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()

    def down(*_: object) -> None:
        raise DependencyUnavailable("DynamoDB did not answer")

    with monkeypatch.context() as patch:
        patch.setattr(desk.counters, "saw_events", down)  # which comes after counting
        with pytest.raises(DependencyUnavailable):
            apply(desk.services, {"Records": [record(1)]})
    apply(desk.services, {"Records": [record(1)]})
    assert desk.counted() == {"ses|gmail|delivered": 1}


def test_what_a_person_did_is_noted_once_a_batch() -> None:
    desk = Desk()
    batch = {"Records": [record(1, "sent"), record(2, "delivered"), record(3, "opened")]}
    for _ in range(2):
        apply(desk.services, batch)
    state = desk.states.states[WS, PERSON].state
    assert state.campaigns == {to_bytes(CAMPAIGN): (TODAY, TODAY, 0)}
    assert desk.states.writes == 1


def test_no_line_holds_what_came_from_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    apply(desk.services, {"Records": [record(1, "clicked"), record(2, "complained")]})
    everything = desk.log.text + capsys.readouterr().out
    assert desk.log.lines[0]["new"] == 2
    for private in ("@", "203.0.113.9", "AQAAAAAtokenlike", "Mozilla", "shop.example"):
        assert private not in everything


def test_a_late_event_of_an_erased_person_is_counted_and_not_kept() -> None:
    desk = Desk()
    late = engagement_of(record(1, "opened")["dynamodb"]["NewImage"])
    desk.engagements.put_many([late])
    entry = Suppression(WS, PERSON, SuppressionReason.ERASURE, desk.clock.now(), "api:key_a")
    desk.suppressions.put(entry)
    apply(desk.services, {"Records": [record(1, "opened"), record(2, "complained")]})
    assert desk.engagements.by_key == {}
    assert desk.states.states == {}
    assert desk.counted()["ses|gmail|opened"] == 1
    assert desk.suppressions.get(WS, PERSON) == entry
