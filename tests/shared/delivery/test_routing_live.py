"""Routing as the dispatcher does it: breakers, quarantines and what the ledger says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from shared.delivery.breaker import PROBE_SIZE, BreakerState
from shared.delivery.health import Health
from shared.delivery.intake import EventIntake
from shared.delivery.learning import Evidence
from shared.delivery.posting import FIRST_BATCH
from shared.events import Event, EventReport, EventType
from shared.mail import OutgoingRecipient, SendOutcome, Verdict
from tests.shared.delivery.world import World

Answer = Callable[[OutgoingRecipient], SendOutcome]


def answering(verdict: Verdict, code: str = "x") -> Answer:
    return lambda recipient: SendOutcome(recipient.index, verdict, code)


def sent_by(world: World, provider: str) -> int:
    return sum(len(batch.recipients) for batch in world.senders[provider].batches)


def test_a_provider_that_is_down_costs_one_small_batch_and_not_one_a_chunk() -> None:
    world = World()
    world.people(3000)
    world.senders["ses"].answer = answering(Verdict.IN_DOUBT, "read_timeout")
    campaign = world.launched()
    world.drain()

    report = world.report(campaign)
    assert report["in_doubt"] == sent_by(world, "ses") <= 2 * FIRST_BATCH
    assert report["accepted"] == 3000 - report["in_doubt"]
    assert world.health.health.breaker("ses").state is BreakerState.OPEN


def test_a_breaker_probes_with_few_and_closes_by_itself() -> None:
    world = World()
    world.people(500)
    world.senders["ses"].answer = answering(Verdict.NOT_ACCEPTED, "unreachable")
    world.launched()
    world.drain()
    assert world.health.health.breaker("ses").state is BreakerState.OPEN

    before = sent_by(world, "ses")
    world.clock.advance(seconds=10)
    world.senders["ses"].answer = answering(Verdict.ACCEPTED)
    world.people(1000, start=500)
    world.launched()
    key = world.queue.sent.pop(0)[0]
    world.dispatch(key)
    probe = world.ledger.attempts(key)[0]
    reasons = {choice["reason"] for choice in probe.routing["choices"]}
    assert "breaker_probe" in reasons
    assert sum(probe.provider_of(i) == "ses" for i in probe.indexes()) == PROBE_SIZE
    assert world.health.health.breaker("ses").state is BreakerState.CLOSED
    world.drain()
    assert sent_by(world, "ses") - before > 200


def test_a_paused_account_stays_out_until_an_operator_acts() -> None:
    world = World()
    world.people(200)
    world.senders["postmark"].answer = answering(Verdict.UNAVAILABLE, "paused")
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 200
    assert world.tick().out_of_service == {"postmark": "paused"}

    world.senders["postmark"].answer = answering(Verdict.ACCEPTED)
    world.clock.advance(minutes=60 * 24)
    tried = sent_by(world, "postmark")
    world.people(200, start=200)
    world.launched()
    world.drain()
    assert sent_by(world, "postmark") == tried
    world.monitor().restore("postmark")
    world.people(500, start=400)
    world.launched()
    world.drain()
    assert sent_by(world, "postmark") > tried + PROBE_SIZE
    assert world.tick().out_of_service == {}


def test_all_out_of_service_waits_for_an_operator_without_circling() -> None:
    world = World()
    world.people(20)
    for sender in world.senders.values():
        sender.answer = answering(Verdict.UNAVAILABLE, "401")
    campaign = world.launched()
    world.drain()
    assert world.queue.sent == []
    outcome = next(world.ledger.outcomes(world.workspace, campaign.id))
    assert outcome.not_before is not None
    assert outcome.not_before >= world.clock.now() + timedelta(minutes=4)
    assert world.report(campaign)["pending"] == 20


class Ears:
    """Webhooks and aggregator: what providers report reaches the monitor. Some report nothing."""

    def __init__(self, world: World, *, deaf_to: str) -> None:
        self._world = world
        self._deaf_to = deaf_to
        self._seen = Counter(dict.fromkeys(world.senders, 0))
        self._intake = EventIntake(world.ledger, world.engagements, world.message_ids)

    def hear(self) -> None:
        """All that was posted since the last time is reported as delivered."""
        world = self._world
        heard = []
        for name, sender in world.senders.items():
            fresh = sender.batches[self._seen[name] :]
            self._seen[name] += len(fresh)
            if name == self._deaf_to:
                continue
            events = [
                Event(
                    EventType.DELIVERED,
                    name,
                    recipient.message_id,
                    world.clock.now(),
                    "delivered",
                    message_id=recipient.message_id,
                )
                for batch in fresh
                for recipient in batch.recipients
            ]
            before = set(world.engagements.by_key)
            self._intake.take(EventReport(tuple(events)))
            heard += [e for k, e in world.engagements.by_key.items() if k not in before]
        world.monitor().heard(heard)


def test_a_provider_that_swallows_mail_is_quarantined_from_what_is_heard() -> None:
    world = World()
    moment = world.clock.now().timestamp()
    known = {(name, "gmail"): (2000.0, 20.0) for name in world.senders}
    world.health.health = Health(1, int(moment // 10), evidence=Evidence.at(moment, known))
    ears, got = Ears(world, deaf_to="ses"), []
    for number in range(15):
        world.people(100, start=100 * number)
        world.launched()
        before = sent_by(world, "ses")
        world.drain()
        got.append(sent_by(world, "ses") - before)
        ears.hear()
        world.clock.advance(seconds=10)

    assert max(got[:3]) > PROBE_SIZE
    assert max(got[-3:]) <= PROBE_SIZE
    moment, health = world.clock.now().timestamp(), world.monitor().current()
    assert health.probe_share("ses", "gmail", moment) < 1
    assert health.probe_share("sendgrid", "gmail", moment) == 1
