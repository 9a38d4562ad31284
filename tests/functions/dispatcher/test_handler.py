"""The dispatcher's handler over the fakes: one message's trouble is not another's."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aws_lambda_powertools import Metrics

from functions.dispatcher.handler import dispatch
from functions.dispatcher.wiring import Services
from shared.delivery.dispatch import LEASE_GRACE
from shared.delivery.model import ChunkKey
from shared.errors import DependencyUnavailable
from shared.mail import OutgoingRecipient, SendOutcome, Verdict
from shared.storage.queues import chunk_key_of
from tests.functions.running import Context, Log, emf, sqs_event
from tests.shared.delivery.world import World


def services(world: World, log: Log) -> Services:
    metrics = Metrics(namespace="Tidepost", service="dispatcher")
    return Services(world.dispatcher(), chunk_key_of, world.clock, log.logger, metrics)


def body(key: ChunkKey) -> str:
    return json.dumps(
        {"v": 1, "workspace": key.workspace, "campaign": key.campaign, "chunk": key.chunk}
    )


def released(world: World) -> ChunkKey:
    world.launched()
    key, _ = world.queue.sent.pop(0)
    return key


def failed(answer: object) -> list[str]:
    assert isinstance(answer, dict)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_chunk_is_sent_logged_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    world.people(30)
    key = released(world)

    assert failed(dispatch(services(world, log), sqs_event(body(key)), Context())) == []

    assert len(world.mailed()) == 30
    (line,) = log.lines
    assert (line["campaign"], line["chunk"], line["attempt"]) == (key.campaign, 0, 1)
    assert sum(line["posted"].values()) == 30
    assert sum(emf(capsys.readouterr().out).values()) == 30


def test_one_bad_message_does_not_cost_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    world.people(5)
    key = released(world)
    never_planned = ChunkKey(world.workspace, world.ids.new("cmp"), 0)
    event = sqs_event("not JSON", body(never_planned), body(key), '{"v":2}', "{}", "[]", "")

    answer = dispatch(services(world, log), event, Context())

    assert failed(answer) == ["m0", "m1", "m3", "m4", "m5", "m6"]
    assert len(world.mailed()) == 5
    assert [line["level"] for line in log.lines].count("ERROR") == 6
    assert sum(emf(capsys.readouterr().out).values()) == 5


def test_a_batch_of_nothing_but_failures_is_given_back_whole() -> None:
    world, log = World(), Log()
    event = sqs_event("not JSON", "{}")
    assert failed(dispatch(services(world, log), event, Context())) == ["m0", "m1"]


def test_a_chunk_in_which_nothing_was_posted_is_no_fault() -> None:
    world, log = World(), Log()
    world.people(3)
    key = released(world)
    world.service().pause(world.workspace, key.campaign)

    assert failed(dispatch(services(world, log), sqs_event(body(key)), Context())) == []
    assert log.lines[0]["note"] == "the campaign is paused"


def test_nothing_is_begun_in_the_last_seconds() -> None:
    world, log = World(), Log()
    world.people(3)
    key = released(world)

    dispatch(services(world, log), sqs_event(body(key)), Context(seconds=20))

    assert world.mailed() == []
    assert [queued for queued, _ in world.queue.sent] == [key]


def test_an_attempt_is_taken_for_lost_only_after_the_time_out() -> None:
    world, log = World(), Log()
    world.people(3)
    key = released(world)
    began = world.clock.now()

    dispatch(services(world, log), sqs_event(body(key)), Context(seconds=120))

    (attempt,) = world.ledger.attempts(key)
    assert attempt.lease_until + LEASE_GRACE >= began + timedelta(seconds=120)


def test_an_outage_of_ours_gives_the_message_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world, log = World(), Log()
    world.people(3)
    key = released(world)

    def down(_: ChunkKey) -> None:
        raise DependencyUnavailable("DynamoDB did not answer")

    monkeypatch.setattr(world.ledger, "record", down)
    assert failed(dispatch(services(world, log), sqs_event(body(key)), Context())) == ["m0"]


def test_a_provider_out_of_service_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    world.people(40)

    def gone(recipient: OutgoingRecipient) -> SendOutcome:
        return SendOutcome(recipient.index, Verdict.UNAVAILABLE, "401")

    world.senders["ses"].answer = gone
    key = released(world)

    dispatch(services(world, log), sqs_event(body(key)), Context())

    counted = emf(capsys.readouterr().out)
    assert counted["ses_out_of_service"] == 1
    assert counted["sendgrid_accepted"] + counted["postmark_accepted"] == 40
    assert log.lines[0]["excluded"] == {"ses": "unavailable_401"}


def test_no_line_holds_an_address_or_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    people = world.people(20)
    world.people(1, "x.example", start=20, attributes={"first_name": "a\r\nBcc: b@x.example"})
    for number, sender in enumerate(world.senders.values()):
        sender.answer = lambda one, n=number: SendOutcome(one.index, list(Verdict)[n], "x")  # type: ignore[misc]  # default binds n
    key = released(world)
    leaking = f'{{"v":1,"to":"{people[0].address}"'

    dispatch(services(world, log), sqs_event(body(key), leaking, body(key)), Context())

    everything = log.text + capsys.readouterr().out
    assert log.lines
    assert "@" not in everything
    for sender in world.senders.values():
        for batch in sender.batches:
            for one in batch.recipients:
                assert one.message_id not in everything
                assert one.headers["List-Unsubscribe"].rpartition("/")[2][:-1] not in everything
