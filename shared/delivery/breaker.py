"""A breaker per provider, on what the ESP answers at once. Pure.

It opens on the first failed batch and then lets one probe through at a time,
after a delay that doubles up to a maximum. The state is one small value that
all workers share under a version: who saves the claim of a probe has it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.mail import SendOutcome, Verdict

PROBE_SIZE = 10
"""Recipients of a probe at the most."""

DOUBTFUL_PROBE_SIZE = 1
"""The same after a failure that left recipients in doubt: an outage may only cost tens of them."""

FIRST_DELAY_S = 5.0
LAST_DELAY_S = 120.0
JITTER = 0.25
"""Share by which a delay is shortened or lengthened, so that breakers do not probe in step."""

PROBE_LEASE = timedelta(seconds=60)
"""After which a claimed probe that was never settled counts as lost, and another may go."""


class BreakerState(StrEnum):
    """Whether a provider gets mail."""

    CLOSED = "closed"
    OPEN = "open"
    OUT_OF_SERVICE = "out_of_service"
    """Paused or unauthorised: until an operator has acted."""


class BatchResult(StrEnum):
    """What one provider's answers in a round say of the provider."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    UNAVAILABLE = "unavailable"
    NOTHING = "nothing"
    """Nothing was posted, or the mail itself was refused."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """One provider's. A probe may be claimed from `retry_at` on; `because` is a reason code."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    retry_at: datetime | None = None
    in_doubt: bool = False
    because: str = ""

    def admits(self, now: datetime) -> int | None:
        """How many recipients may be posted now; None is no limit. More than 0 is a probe."""
        if self.state is BreakerState.CLOSED:
            return None
        if self.state is BreakerState.OUT_OF_SERVICE or (self.retry_at and now < self.retry_at):
            return 0
        return DOUBTFUL_PROBE_SIZE if self.in_doubt else PROBE_SIZE

    @property
    def reason(self) -> str:
        """Why a provider gets no mail: reason code and the ESP's code."""
        name = "breaker_open" if self.state is BreakerState.OPEN else str(self.state)
        return f"{name}:{self.because}" if self.because else name


def result_of(
    outcomes: Iterable[SendOutcome], *, after_failure: str, out_of_time: str
) -> tuple[BatchResult, str, float | None]:
    """What a provider's outcomes of one share say of it, a code, and the longest `retry_after`.

    The two codes are those of recipients that were not posted, because a batch
    had failed before, or the time was up. A failed batch outweighs what went
    well before it.
    """
    codes: dict[Verdict, str] = {}
    retry_after: float | None = None
    failed = False
    for outcome in outcomes:
        if outcome.code in {after_failure, out_of_time}:
            failed = failed or outcome.code == after_failure
            continue
        codes.setdefault(outcome.verdict, outcome.code)
        if outcome.retry_after is not None:
            retry_after = max(retry_after or 0.0, outcome.retry_after)
    for verdict, result in _RESULTS:
        if verdict in codes and not (failed and result is BatchResult.SUCCEEDED):
            return result, codes[verdict], retry_after
    return BatchResult.NOTHING, "", None


def claim(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker with a probe claimed; to be saved under its version before the probe is posted.

    Raises:
        ValueError: it admits no probe now.
    """
    if not breaker.admits(now):
        raise ValueError("this breaker admits no probe now: read it again before claiming one")
    return replace(breaker, retry_at=now + PROBE_LEASE)


def settle(
    breaker: Breaker,
    result: BatchResult,
    now: datetime,
    rng: random.Random,
    *,
    code: str = "",
    probed: bool = False,
    retry_after: float | None = None,
) -> Breaker:
    """The breaker after a batch; the same object if that changes nothing.

    `probed` says that the batch was a probe which this worker had claimed.
    Answers to batches posted before the breaker opened change nothing any more.
    """
    if breaker.state is BreakerState.OUT_OF_SERVICE:
        return breaker
    if result is BatchResult.UNAVAILABLE:
        return Breaker(BreakerState.OUT_OF_SERVICE, because=code)
    if breaker.state is BreakerState.OPEN and not probed:
        return breaker
    if result in {BatchResult.SUCCEEDED, BatchResult.NOTHING}:
        if breaker.state is BreakerState.CLOSED:
            return breaker
        return Breaker() if result is BatchResult.SUCCEEDED else replace(breaker, retry_at=now)
    doubled: float = FIRST_DELAY_S * 2 ** min(breaker.failures, 16)
    delay = min(LAST_DELAY_S, doubled) * rng.uniform(1 - JITTER, 1 + JITTER)
    return Breaker(
        BreakerState.OPEN,
        failures=breaker.failures + 1,
        retry_at=now + timedelta(seconds=max(delay, retry_after or 0.0)),
        in_doubt=breaker.in_doubt or result is BatchResult.IN_DOUBT,
        because=code,
    )


def restore(breaker: Breaker, now: datetime) -> Breaker:
    """An operator says that the account is in order: the next batch is a probe."""
    if breaker.state is BreakerState.CLOSED:
        return breaker
    return Breaker(BreakerState.OPEN, retry_at=now, because="restored_by_operator")


_RESULTS = (
    (Verdict.UNAVAILABLE, BatchResult.UNAVAILABLE),
    (Verdict.IN_DOUBT, BatchResult.IN_DOUBT),
    (Verdict.ACCEPTED, BatchResult.SUCCEEDED),
    (Verdict.REJECTED, BatchResult.SUCCEEDED),
    (Verdict.NOT_ACCEPTED, BatchResult.FAILED),
)
