"""The scheduler's handler over the fakes: the minute's tick, and dead letters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools import Metrics

from functions.scheduler.handler import feed_back, tick
from functions.scheduler.wiring import Services
from shared.delivery.model import ChunkKey, DueItem
from shared.errors import DependencyUnavailable
from shared.mail import SendOutcome, Verdict
from shared.storage.queues import chunk_key_of
from tests.fakes import FakeMessageSearch
from tests.functions.running import Context, Log, emf, sqs_event
from tests.shared.delivery.world import World


def services(world: World, log: Log) -> Services:
    metrics = Metrics(namespace="Tidepost", service="scheduler")
    return Services(world.scheduler(), world.due, chunk_key_of, world.clock, log.logger, metrics)


def body(key: ChunkKey) -> str:
    return json.dumps(
        {"v": 1, "workspace": key.workspace, "campaign": key.campaign, "chunk": key.chunk}
    )


def test_a_tick_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    world.people(10)
    world.launched()
    world.drain()

    done = tick(services(world, log), Context(55))

    assert done == {"campaigns_sent": 1}
    assert log.lines[0]["did"] == done
    assert emf(capsys.readouterr().out) == {"campaigns_sent": 1}


def test_a_minute_without_work_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    assert tick(services(world, log), Context(55)) == {}
    assert log.lines[0]["did"] == {}
    assert capsys.readouterr().out == ""


def test_a_tick_ends_before_its_time_out() -> None:
    world, log = World(), Log()
    world.people(10)
    world.launched()
    world.queue.sent.clear()
    world.clock.advance(minutes=10)
    assert tick(services(world, log), Context(10)) == {}
    assert tick(services(world, log), Context(55)) == {"chunks_sent_again": 1}


def test_dead_letters_become_due_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    keys = [ChunkKey(world.workspace, world.ids.new("cmp"), number) for number in range(3)]

    answer = feed_back(
        services(world, log), sqs_event(*map(body, keys), queue="bulk-dlq"), Context(55)
    )

    assert answer == {"batchItemFailures": []}
    assert world.due.items == {DueItem(world.clock.now(), key) for key in keys}
    assert [(line["campaign"], line["chunk"]) for line in log.lines] == [
        (key.campaign, key.chunk) for key in keys
    ]
    assert emf(capsys.readouterr().out) == {"dead_letters_fed_back": 3}


def test_a_dead_letter_is_sent_after_all() -> None:
    world, log = World(), Log()
    world.people(10)
    campaign = world.launched()
    key, _ = world.queue.sent.pop(0)
    own = services(world, log)

    feed_back(own, sqs_event(body(key), queue="bulk-dlq"), Context(55))
    tick(own, Context(55))
    world.drain()

    assert world.report(campaign)["accepted"] == 10


def failures(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_letter_that_is_not_ours_stays_and_the_others_go_on() -> None:
    world, log = World(), Log()
    key = ChunkKey(world.workspace, world.ids.new("cmp"), 0)
    event = sqs_event('"ann@example.com"', body(key), '{"v":2}', queue="transactional-dlq")

    assert failures(feed_back(services(world, log), event, Context(55))) == ["m0", "m2"]

    assert {item.key for item in world.due.items} == {key}
    assert [line["level"] for line in log.lines] == ["ERROR", "INFO", "ERROR"]
    assert "ann@example.com" not in log.text


def test_letters_stay_while_they_cannot_be_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    world, log = World(), Log()

    def down(_: object) -> None:
        raise DependencyUnavailable("DynamoDB did not answer")

    monkeypatch.setattr(world.due, "add", down)
    key = ChunkKey(world.workspace, world.ids.new("cmp"), 0)
    event = sqs_event(body(key), body(key), queue="bulk-dlq")
    assert failures(feed_back(services(world, log), event, Context(55))) == ["m0", "m1"]


def test_what_a_tick_found_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    world.people(15)
    for sender in world.senders.values():
        sender.answer = lambda one: SendOutcome(one.index, Verdict.IN_DOUBT, "read_timeout")
    world.launched()
    world.drain()
    world.clock.advance(minutes=20)

    tick(services(world, log), Context(55))

    measured = emf(capsys.readouterr().out)
    assert measured["in_doubt"] == 15
    assert measured["oldest_waiting_s"] == 17 * 60
    assert "silent_providers" not in measured  # fewer than twenty


def test_a_search_that_fails_is_logged_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    world, log = World(), Log()
    search = FakeMessageSearch("postmark")
    search.down = True
    world.searches["postmark"] = search
    world.people(3)
    for sender in world.senders.values():
        sender.answer = lambda one: SendOutcome(one.index, Verdict.IN_DOUBT, "read_timeout")
    world.weights |= {"sendgrid": 0, "ses": 0}
    world.launched()
    world.drain()
    world.clock.advance(minutes=20)

    tick(services(world, log), Context(55))

    line = log.lines[1]
    assert (line["level"], line["provider"]) == ("ERROR", "postmark")
    assert line["error"] == "postmark did not answer; try again later"
    assert emf(capsys.readouterr().out)["searches_failed"] == 1
