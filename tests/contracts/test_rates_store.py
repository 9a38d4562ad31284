"""Token items and warm-ups: DynamoDB and the fakes behave alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.delivery.pacing import take_paced
from shared.delivery.rates import BucketState, GroupLimits, Limits, take
from shared.delivery.tokens import campaign_bucket
from shared.errors import StaleWrite
from shared.mail import MailboxGroup
from shared.storage.rates import DynamoRates, TokenItem
from shared.storage.warmups import DynamoWarmups
from shared.warming.model import Warmup
from shared.warming.ports import WarmupStore
from tests.fakes import FakeRates, FakeWarmups

NOW = datetime(2026, 11, 24, 8, 15, 30, 123456, tzinfo=UTC)
STATE = BucketState(
    used={"h2026-11-24T08": 3, "d2026-11-23": 70, "d2026-11-24": 50},
    paced_until=NOW,
    quota=0,
    express_until=NOW,
    taken_at=NOW,
    groups={"gmail": {"h2026-11-24T08": 2, "d2026-11-24": 20}},
)


@pytest.fixture(params=["fake", "dynamo"])
def rates(request: pytest.FixtureRequest) -> FakeRates | DynamoRates:
    if request.param == "fake":
        return FakeRates()
    request.getfixturevalue("dynamo")
    return DynamoRates()


@pytest.fixture(params=["fake", "dynamo"])
def warmups(request: pytest.FixtureRequest) -> WarmupStore:
    if request.param == "fake":
        return FakeWarmups()
    request.getfixturevalue("dynamo")
    return DynamoWarmups()


def test_nothing_was_taken_at_first(rates: FakeRates | DynamoRates) -> None:
    assert rates.load("ses") == BucketState()
    assert rates.sent_by_day("ses") == {}


def test_a_state_comes_back_to_the_microsecond(rates: FakeRates | DynamoRates) -> None:
    rates.save("ses", STATE)

    assert rates.load("ses") == replace(STATE, version=1)
    assert rates.load("sendgrid") == BucketState()


def test_only_the_first_of_two_workers_saves(rates: FakeRates | DynamoRates) -> None:
    limits = Limits(per_second=100, per_day=1000)
    read_by_both = rates.load("ses")
    first, _ = take(read_by_both, limits, 600, NOW)
    second, _ = take(read_by_both, limits, 600, NOW)
    rates.save("ses", first)
    with pytest.raises(StaleWrite):
        rates.save("ses", second)

    third, grant = take(rates.load("ses"), limits, 600, NOW)
    rates.save("ses", third)
    assert grant.granted == 400
    with pytest.raises(StaleWrite):
        rates.save("ses", replace(third, version=0))


def test_warming_reads_days_and_owns_the_quota(rates: FakeRates | DynamoRates) -> None:
    rates.save("ses", STATE)
    rates.set_quota("ses", 58)

    assert rates.sent_by_day("ses") == {date(2026, 11, 23): 70, date(2026, 11, 24): 50}
    assert rates.load("ses") == replace(STATE, quota=58, version=2)


@pytest.mark.parametrize("quota", [58, 0, None])
def test_setting_the_same_quota_twice_changes_nothing(
    rates: FakeRates | DynamoRates, quota: int | None
) -> None:
    rates.save("ses", replace(STATE, quota=7))
    rates.set_quota("ses", quota)
    rates.set_quota("ses", quota)

    assert rates.load("ses") == replace(STATE, quota=quota, version=2)


def test_a_quota_can_be_the_first_thing_known(rates: FakeRates | DynamoRates) -> None:
    rates.set_quota("sendgrid", None)
    rates.set_quota("ses", 50)

    assert rates.load("sendgrid") == BucketState()
    assert rates.load("ses") == BucketState(version=1, quota=50)


def test_a_take_that_races_with_a_new_quota_is_stale(rates: FakeRates | DynamoRates) -> None:
    read = rates.load("ses")
    rates.set_quota("ses", 50)
    taken, _ = take(read, Limits(), 500, NOW)

    with pytest.raises(StaleWrite):
        rates.save("ses", taken)
    _, grant = take(rates.load("ses"), Limits(), 500, NOW)
    assert grant.granted == 50


@pytest.mark.usefixtures("dynamo")
def test_the_token_item_stays_within_one_write_unit() -> None:
    rates, now = DynamoRates(), NOW
    most = GroupLimits(10**9, 10**9)
    for _ in range(300):
        now += timedelta(hours=5)
        limits = Limits(100, 10**9, 10**9, {g.value: most for g in MailboxGroup}, 0.05)
        wants = {g.value: 50 for g in MailboxGroup}
        state, _ = take(rates.load("ses"), limits, 350, now, by_group=wants)
        rates.save("ses", state)

    item = TokenItem.find("provider#ses", "tokens")
    assert item is not None
    assert len(str(item.serialize())) < 1024


@pytest.mark.usefixtures("dynamo")
def test_a_campaigns_bucket_is_an_item_of_its_own_that_expires() -> None:
    rates, bucket = DynamoRates(), campaign_bucket("ws_a", "cmp_b")
    state, _ = take_paced(BucketState(), 600, 500, NOW)
    rates.save(bucket, state)

    assert rates.load(bucket) == replace(state, version=1)
    item = TokenItem.find("campaign#ws_a#cmp_b", "tokens")
    assert item is not None
    assert item.ttl == NOW.replace(second=0, microsecond=0) + timedelta(days=7)


WARMUP = Warmup("ses", started_on=date(2026, 11, 1), day=1, checked_on=date(2026, 11, 1))


def test_a_provider_that_never_warmed_has_no_warm_up(warmups: WarmupStore) -> None:
    assert warmups.get("ses") is None


def test_a_warm_up_is_saved_under_its_version(warmups: WarmupStore) -> None:
    saved = warmups.save(WARMUP)
    later = warmups.save(replace(saved, day=2, last_sent_on=date(2026, 11, 2), done=True))

    assert (saved.version, later.version) == (1, 2)
    assert warmups.get("ses") == later
    for stale in (WARMUP, saved):
        with pytest.raises(StaleWrite):
            warmups.save(stale)
