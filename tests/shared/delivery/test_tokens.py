"""Taking and refunding tokens while others do the same."""

from __future__ import annotations

import random

import pytest

from shared.delivery.rates import BucketState, Limits
from shared.delivery.tokens import Tokens
from shared.errors import DependencyUnavailable, StaleWrite
from tests.fakes import FakeClock, FakeRates


class Contended(FakeRates):
    """The first `losses` writes come too late: another worker takes one token before each."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self.losses = losses
        self.writes = 0

    def save(self, provider: str, state: BucketState) -> None:
        self.writes += 1
        if self.losses:
            self.losses -= 1
            raise StaleWrite("another worker was first")
        super().save(provider, state)


class Counter:
    """Tokens over a store, and how long they slept."""

    def __init__(self, rates: FakeRates, limits: Limits) -> None:
        self.clock = FakeClock()
        self.naps: list[float] = []
        self.tokens = Tokens(
            rates,
            {"ses": limits},
            self.clock,
            self.naps.append,
            random.Random(1),  # noqa: S311  # jitter
        )


def used(rates: FakeRates) -> set[int]:
    return set((rates.load("ses").used or {}).values())


def test_a_take_is_saved_and_a_refund_gives_it_back() -> None:
    rates = FakeRates()
    counter = Counter(rates, Limits(per_hour=10))
    grant = counter.tokens.take("ses", 7)
    assert (grant.granted, used(rates)) == (7, {7})
    counter.tokens.refund("ses", 3, grant.start)
    assert used(rates) == {4}
    assert counter.tokens.take("ses", 10).granted == 6


def test_a_refund_after_the_hour_does_not_fill_the_next_one() -> None:
    rates = FakeRates()
    counter = Counter(rates, Limits(per_hour=10))
    grant = counter.tokens.take("ses", 10)
    counter.clock.advance(hours=1)
    counter.tokens.take("ses", 10)
    counter.tokens.refund("ses", 10, grant.start)
    assert counter.tokens.take("ses", 1).granted == 0


def test_whoever_writes_late_reads_again_and_waits_a_little_longer_each_time() -> None:
    rates = Contended(losses=12)
    counter = Counter(rates, Limits(per_hour=10))
    assert counter.tokens.take("ses", 7).granted == 7
    assert used(rates) == {7}
    assert len(counter.naps) == 12
    for attempt, nap in enumerate(counter.naps):
        assert 0 <= nap <= min(0.2, 0.005 * 2**attempt)


def test_it_gives_up_in_the_end_and_has_taken_nothing() -> None:
    rates = Contended(losses=1000)
    counter = Counter(rates, Limits(per_hour=10))
    with pytest.raises(DependencyUnavailable, match="'ses'"):
        counter.tokens.take("ses", 7)
    assert rates.writes == len(counter.naps) == 40
    assert used(rates) == set()


def test_an_empty_bucket_is_not_written() -> None:
    rates = Contended(losses=0)
    counter = Counter(rates, Limits(per_hour=5))
    counter.tokens.take("ses", 5)
    assert counter.tokens.take("ses", 5).granted == 0
    assert rates.writes == 1


def test_nothing_to_refund_is_not_written() -> None:
    rates = Contended(losses=0)
    counter = Counter(rates, Limits())
    counter.tokens.refund("ses", 0, counter.clock.now())
    assert rates.writes == 0


class Counted(FakeRates):
    """Counts its reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def load(self, provider: str) -> BucketState:
        self.reads += 1
        return super().load(provider)


def test_a_take_begins_from_what_was_looked_at() -> None:
    rates = Counted()
    mine = Counter(rates, Limits(per_hour=10)).tokens

    mine.room("ses")
    before = rates.reads
    assert mine.take("ses", 3).granted == 3
    assert rates.reads - before == 1  # the fake's own, to compare versions
    mine.take("ses", 3)
    assert rates.reads - before == 3


def test_a_look_that_others_overtook_costs_a_read_and_takes_no_more_than_there_is() -> None:
    rates = FakeRates()
    limits = Limits(per_hour=10)
    mine, other = Counter(rates, limits), Counter(rates, limits)

    assert mine.tokens.room("ses").total == 10
    assert other.tokens.take("ses", 8).granted == 8
    assert mine.tokens.take("ses", 5).granted == 2
    assert len(mine.naps) == 1
    assert used(rates) == {10}
