"""The breaker: opens on the first failed batch, probes one at a time, closes by itself."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.breaker import (
    FIRST_DELAY_S,
    JITTER,
    LAST_DELAY_S,
    PROBE_LEASE,
    PROBE_SIZE,
    BatchResult,
    Breaker,
    BreakerState,
    claim,
    restore,
    result_of,
    settle,
)
from shared.mail import SendOutcome, Verdict

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
EVER = NOW + timedelta(days=400)


def _settle(breaker: Breaker, result: BatchResult, at: datetime = NOW, **more: object) -> Breaker:
    return settle(breaker, result, at, random.Random(1), **more)  # type: ignore[arg-type]  # noqa: S311  # keywords; jitter


def _opened(result: BatchResult = BatchResult.FAILED) -> Breaker:
    return _settle(Breaker(), result, code="503")


def _due(breaker: Breaker) -> datetime:
    assert breaker.retry_at is not None
    return breaker.retry_at


def _result(*outcomes: SendOutcome) -> tuple[BatchResult, str, float | None]:
    return result_of(outcomes, after_failure="after_failure", out_of_time="out_of_time")


@pytest.mark.parametrize("result", [BatchResult.FAILED, BatchResult.IN_DOUBT])
def test_the_first_failed_batch_opens_it(result: BatchResult) -> None:
    breaker = _opened(result)

    assert breaker.state is BreakerState.OPEN
    assert breaker.admits(NOW) == 0
    assert breaker.reason == "breaker_open:503"


def test_a_closed_breaker_limits_nothing_and_success_changes_nothing() -> None:
    breaker = Breaker()

    assert breaker.admits(NOW) is None
    assert _settle(breaker, BatchResult.SUCCEEDED) is breaker
    assert _settle(breaker, BatchResult.NOTHING) is breaker


def test_after_the_delay_one_worker_has_one_probe() -> None:
    opened = _opened()
    due = _due(opened)
    assert opened.admits(due - timedelta(microseconds=1)) == 0
    assert opened.admits(due) == PROBE_SIZE

    claimed = claim(opened, due)
    assert claimed.admits(due) == 0
    with pytest.raises(ValueError, match="admits no probe now"):
        claim(claimed, due)
    assert claimed.admits(due + PROBE_LEASE) == PROBE_SIZE


def test_a_successful_probe_closes_it() -> None:
    claimed = claim(_opened(), EVER)

    assert _settle(claimed, BatchResult.SUCCEEDED, EVER, probed=True) == Breaker()


def test_a_probe_that_posted_nothing_leaves_the_turn_to_others() -> None:
    claimed = claim(_opened(), EVER)

    assert _settle(claimed, BatchResult.NOTHING, EVER, probed=True).admits(EVER) == PROBE_SIZE


@pytest.mark.parametrize("result", list(BatchResult))
def test_answers_to_older_batches_change_nothing(result: BatchResult) -> None:
    opened = _opened()
    after = _settle(opened, result)

    assert (after is opened) == (result is not BatchResult.UNAVAILABLE)


@given(st.integers(1, 40), st.integers())
def test_delays_double_up_to_a_maximum(failures: int, seed: int) -> None:
    breaker, now, rng = Breaker(), NOW, random.Random(seed)  # noqa: S311  # jitter
    for number in range(failures):
        breaker = settle(breaker, BatchResult.FAILED, now, rng, probed=number > 0)
        delay = (_due(breaker) - now).total_seconds()
        middle = min(LAST_DELAY_S, FIRST_DELAY_S * 2**number)
        assert middle * (1 - JITTER) - 1e-6 <= delay <= middle * (1 + JITTER) + 1e-6
        now = _due(breaker)


def test_a_longer_retry_after_is_kept_to() -> None:
    breaker = _settle(Breaker(), BatchResult.FAILED, retry_after=300.0)

    assert _due(breaker) == NOW + timedelta(seconds=300)


@given(st.integers(0, 60))
def test_an_hour_of_time_outs_leaves_few_in_doubt(seed: int) -> None:
    """One a probe: with the batch that opened the breaker, tens and never thousands."""
    rng, now, in_doubt = random.Random(seed), NOW, 0  # noqa: S311  # jitter
    breaker = settle(Breaker(), BatchResult.IN_DOUBT, now, rng)
    while (now := _due(breaker)) < NOW + timedelta(hours=1):
        in_doubt += breaker.admits(now) or 0
        breaker = settle(claim(breaker, now), BatchResult.IN_DOUBT, now, rng, probed=True)
    assert in_doubt <= 45


def test_an_account_out_of_service_waits_for_an_operator() -> None:
    breaker = _settle(Breaker(), BatchResult.UNAVAILABLE, code="paused")

    assert breaker.admits(EVER) == 0
    assert breaker.reason == "out_of_service:paused"
    for result in BatchResult:
        assert _settle(breaker, result, EVER, probed=True) is breaker
    assert restore(breaker, NOW).admits(NOW) == PROBE_SIZE
    assert restore(Breaker(), NOW) == Breaker()


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], BatchResult.NOTHING),
        ([Verdict.SENDER_FAULT], BatchResult.NOTHING),
        ([Verdict.ACCEPTED, Verdict.NOT_ACCEPTED], BatchResult.SUCCEEDED),
        ([Verdict.REJECTED], BatchResult.SUCCEEDED),
        ([Verdict.NOT_ACCEPTED], BatchResult.FAILED),
        ([Verdict.ACCEPTED, Verdict.IN_DOUBT], BatchResult.IN_DOUBT),
        ([Verdict.IN_DOUBT, Verdict.UNAVAILABLE], BatchResult.UNAVAILABLE),
    ],
)
def test_what_a_batch_says_of_the_provider(verdicts: list[Verdict], expected: BatchResult) -> None:
    outcomes = [SendOutcome(i, verdict, "x") for i, verdict in enumerate(verdicts)]

    assert _result(*outcomes)[0] is expected


def test_what_was_never_posted_says_only_that_a_batch_had_failed() -> None:
    good = SendOutcome(0, Verdict.ACCEPTED)
    failed = SendOutcome(1, Verdict.NOT_ACCEPTED, "503", retry_after=7.0)
    after = SendOutcome(2, Verdict.NOT_ACCEPTED, "after_failure")
    late = SendOutcome(3, Verdict.NOT_ACCEPTED, "out_of_time")

    assert _result(good, failed, after) == (BatchResult.FAILED, "503", 7.0)
    assert _result(good, late) == (BatchResult.SUCCEEDED, "", None)
    assert _result(late) == (BatchResult.NOTHING, "", None)
