"""The providers' health: DynamoDB and the fake behave alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.delivery.breaker import Breaker, BreakerState
from shared.delivery.health import Health, Heard
from shared.delivery.learning import Evidence
from shared.delivery.ports import HealthStore
from shared.delivery.quarantine import Watch
from shared.errors import StaleWrite
from shared.mail import MailboxGroup
from shared.storage.health import DynamoHealth, SlotItem
from tests.fakes import FakeHealth

NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
HEALTH = Health(
    folded=179_550_213,
    breakers={
        "ses": Breaker(BreakerState.OPEN, 3, NOW + timedelta(seconds=20), True, "timeout"),
        "postmark": Breaker(BreakerState.OUT_OF_SERVICE, because="paused"),
    },
    watches={("ses", "*"): Watch(6.0, 1_795_508_000.0), ("ses", "gmail"): Watch(1.25)},
    evidence=Evidence(1_795_500_000.0, {("ses", "gmail"): (1234.5, 6.25)}),
)
SLOT = 179_550_220


@pytest.fixture(params=["fake", "dynamo"])
def store(request: pytest.FixtureRequest) -> HealthStore:
    if request.param == "fake":
        return FakeHealth()
    request.getfixturevalue("dynamo")
    return DynamoHealth()


def test_nothing_is_known_at_first(store: HealthStore) -> None:
    assert store.load() == Health()
    assert store.slots(0, SLOT) == {}


def test_what_is_saved_comes_back(store: HealthStore) -> None:
    saved = store.save(HEALTH)

    assert saved == replace(HEALTH, version=1)
    assert store.load() == saved
    assert store.save(replace(saved, folded=SLOT)).version == 2


def test_only_the_first_of_two_workers_saves(store: HealthStore) -> None:
    first = store.save(HEALTH)
    with pytest.raises(StaleWrite):
        store.save(HEALTH)
    store.save(replace(first, breakers={}))
    with pytest.raises(StaleWrite):
        store.save(first)

    assert store.load().breakers == {}


def test_counts_add_up_in_their_slots(store: HealthStore) -> None:
    accepted, good = ("ses", "gmail", Heard.ACCEPTED), ("ses", "gmail", Heard.GOOD)
    store.add({SLOT: {accepted: 5}})
    store.add({SLOT: {accepted: 7, good: 3}, SLOT + 1: {("a-b", "other", Heard.BAD): 1}})
    store.add({SLOT + 2: {good: 0}, SLOT + 3: {}})

    counts = store.slots(SLOT, SLOT + 1)
    assert counts[SLOT] == {accepted: 12, good: 3}
    assert counts[SLOT + 1] == {("a-b", "other", Heard.BAD): 1}
    assert set(store.slots(SLOT + 1, SLOT + 1)) == {SLOT + 1}


@pytest.mark.usefixtures("dynamo")
def test_a_slot_stays_within_one_write_unit_and_expires() -> None:
    store = DynamoHealth()
    counts = {
        (provider, str(group), heard): 10
        for provider in ("sendgrid", "ses", "postmark")
        for group in MailboxGroup
        for heard in (Heard.ACCEPTED, Heard.GOOD, Heard.BAD)
    }
    for _ in range(20):
        store.add({SLOT: counts})

    item = SlotItem.find("deployment", f"slot#{SLOT:012d}")
    assert item is not None
    assert item.ttl > datetime.fromtimestamp(SLOT * 10, UTC)
    assert sum(len("|".join(name)) + 3 for name in item.counts) < 1024 + 200
