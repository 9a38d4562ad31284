"""Posting shares: at the granted pace, not past the deadline, and not into an outage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.delivery.posting import AFTER_FAILURE, OUT_OF_TIME, Poster, Share
from shared.delivery.rates import Grant
from shared.mail import (
    Mailbox,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Skeleton,
    Verdict,
)
from tests.fakes import FakeClock
from tests.shared.delivery.world import InlineExecutor

MAIL = OutgoingBatch(MessageKind.CAMPAIGN, Mailbox("a@news.example"), Skeleton(("Hi",)), ())
IN_TROUBLE = [
    Verdict.NOT_ACCEPTED,
    Verdict.UNAVAILABLE,
    Verdict.SENDER_FAULT,
    Verdict.IN_DOUBT,
]


@dataclass(frozen=True)
class Post:
    at: datetime
    indexes: tuple[int, ...]


class SlowSender:
    """Takes `seconds` a request and answers with what comes next of `verdicts`."""

    provider = "ses"

    def __init__(
        self, clock: FakeClock, *, max_batch: int, seconds: float, verdicts: Iterator[Verdict]
    ) -> None:
        self.max_batch = max_batch
        self.posts: list[Post] = []
        self._clock = clock
        self._seconds = seconds
        self._verdicts = verdicts

    def cannot_take(self, _: str) -> str:
        return ""

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        self.posts.append(Post(self._clock.now(), tuple(r.index for r in batch.recipients)))
        self._clock.advance(seconds=self._seconds)
        return [SendOutcome(r.index, next(self._verdicts)) for r in batch.recipients]


def repeated(*verdicts: Verdict) -> Iterator[Verdict]:
    """Those, and accepted from then on."""
    yield from verdicts
    while True:
        yield Verdict.ACCEPTED


@dataclass
class Case:
    count: int
    max_batch: int = 50
    rate: float | None = None
    lead: float = 0
    seconds: float = 0.1
    left: float = 100
    verdicts: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now() + timedelta(seconds=self.lead)
        self.deadline = self.clock.now() + timedelta(seconds=self.left)
        self.sender = SlowSender(
            self.clock,
            max_batch=self.max_batch,
            seconds=self.seconds,
            verdicts=repeated(*self.verdicts),
        )
        recipients = tuple(
            OutgoingRecipient(n, f"m{n}", Mailbox(f"p{n}@example.com")) for n in range(self.count)
        )
        share = Share("ses", Grant(self.count, self.start, self.rate), recipients)
        poster = Poster({"ses": self.sender}, self.clock, self._sleep, InlineExecutor())
        self.outcomes = [outcome for _, outcome in poster.post(MAIL, [share], self.deadline)]

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    @property
    def posted(self) -> list[int]:
        return [index for post in self.sender.posts for index in post.indexes]


cases = st.builds(
    Case,
    count=st.integers(0, 60),
    max_batch=st.sampled_from([1, 2, 3, 50]),
    rate=st.none() | st.floats(0.2, 200),
    lead=st.floats(0, 20),
    seconds=st.floats(0, 3),
    left=st.floats(-1, 30),
    verdicts=st.lists(st.sampled_from(Verdict), max_size=60).map(tuple),
)


@given(cases)
def test_everybody_has_one_outcome_in_order_and_is_posted_once(case: Case) -> None:
    assert [outcome.index for outcome in case.outcomes] == list(range(case.count))
    assert case.posted == list(range(len(case.posted)))
    unposted = case.outcomes[len(case.posted) :]
    assert all(one.verdict is Verdict.NOT_ACCEPTED for one in unposted)
    assert {one.code for one in unposted} in (set(), {OUT_OF_TIME}, {AFTER_FAILURE})


@given(cases)
@example(Case(count=20, rate=1, left=5))
def test_nothing_is_posted_at_the_deadline_or_later(case: Case) -> None:
    assert all(post.at < case.deadline for post in case.sender.posts)


@given(cases)
@example(Case(count=20, rate=1, left=5))
def test_the_pace_is_never_above_the_rate(case: Case) -> None:
    if case.rate is None:
        return
    before = 0
    for post in case.sender.posts:
        elapsed = (post.at - case.start).total_seconds()
        assert before <= case.rate * (elapsed + 2e-6)
        assert len(post.indexes) <= max(1, case.rate)
        before += len(post.indexes)


@given(cases)
def test_a_share_ends_at_the_first_batch_wholly_in_trouble(case: Case) -> None:
    by_index = {outcome.index: outcome.verdict for outcome in case.outcomes}
    wholly = [all(by_index[i] in IN_TROUBLE for i in post.indexes) for post in case.sender.posts]
    assert not any(wholly[:-1])
    if case.posted != list(range(case.count)):
        last = case.outcomes[-1].code
        assert last == (AFTER_FAILURE if wholly and wholly[-1] else OUT_OF_TIME)


@given(cases)
def test_no_request_is_larger_than_the_esp_takes(case: Case) -> None:
    assert all(0 < len(post.indexes) <= case.max_batch for post in case.sender.posts)


def test_a_batch_whose_turn_is_past_the_deadline_is_not_posted_early() -> None:
    case = Case(count=10, rate=1, left=4, seconds=0)
    assert case.posted == [0, 1, 2, 3]
    assert {one.code for one in case.outcomes[4:]} == {OUT_OF_TIME}
    assert case.clock.now() < case.deadline


@pytest.mark.parametrize("verdict", IN_TROUBLE)
def test_an_outage_costs_one_batch(verdict: Verdict) -> None:
    case = Case(count=100, max_batch=10, verdicts=(verdict,) * 10)
    assert len(case.sender.posts) == 1
    assert [one.code for one in case.outcomes[10:]] == [AFTER_FAILURE] * 90


def test_one_good_answer_keeps_a_share_going() -> None:
    case = Case(count=30, max_batch=10, verdicts=(Verdict.REJECTED, *[Verdict.IN_DOUBT] * 9))
    assert len(case.sender.posts) == 3


def test_every_provider_gets_its_own_share() -> None:
    clock = FakeClock()
    senders = {
        name: SlowSender(clock, max_batch=2, seconds=0, verdicts=repeated()) for name in ("a", "b")
    }
    people = tuple(OutgoingRecipient(n, f"m{n}", Mailbox("p@example.com")) for n in range(5))
    shares = [
        Share("a", Grant(3, clock.now()), people[:3]),
        Share("b", Grant(2, clock.now()), people[3:]),
    ]
    poster = Poster(senders, clock, lambda _: None, InlineExecutor())
    found = poster.post(MAIL, shares, clock.now() + timedelta(seconds=9))
    assert [(name, one.index) for name, one in found] == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 3), ("b", 4),
    ]  # fmt: skip
