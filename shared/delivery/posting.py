"""Posting one round of a chunk: every provider's share at once, each at its own pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.clock import Clock
from shared.delivery.ports import EmailSender
from shared.delivery.rates import Grant
from shared.mail import OutgoingBatch, OutgoingRecipient, SendOutcome, Verdict

PROVEN_FOR = timedelta(seconds=5)
"""How long after a batch went well the next ones may be of full size."""

FIRST_BATCH = 10
"""Recipients of a batch to a provider of which this worker has not heard for longer than that."""

OUT_OF_TIME = "out_of_time"
AFTER_FAILURE = "after_failure"
_NEVER = datetime.min.replace(tzinfo=UTC)
_TROUBLE = frozenset(Verdict) - {Verdict.ACCEPTED, Verdict.REJECTED}


@dataclass(frozen=True, slots=True)
class Share:
    """The recipients that one provider gets under one grant of tokens."""

    provider: str
    grant: Grant
    recipients: tuple[OutgoingRecipient, ...]

    def ends_at(self, now: datetime) -> datetime:
        """When the last of them goes at the pace of the grant."""
        rate = self.grant.per_second
        start = max(now, self.grant.start)
        return start if rate is None else start + timedelta(seconds=len(self.recipients) / rate)


class Poster:
    """Posts shares. A share ends at the first batch that is wholly in trouble.

    What was not posted is surely not accepted and goes to the next provider.
    A provider has to prove itself with a small batch first, unless it did so
    moments ago: an outage that is there already costs a worker FIRST_BATCH
    recipients in doubt, and one that begins while it posts one batch.
    """

    def __init__(
        self,
        senders: Mapping[str, EmailSender],
        clock: Clock,
        sleep: Callable[[float], None],
        executor: Executor,
    ) -> None:
        self._senders = senders
        self._clock = clock
        self._sleep = sleep
        self._executor = executor
        self._proven: dict[str, datetime] = {}

    def post(
        self,
        mail: OutgoingBatch,
        shares: Sequence[Share],
        deadline: datetime,
        halted: Callable[[], bool] = bool,
    ) -> list[tuple[str, SendOutcome]]:
        """Provider and outcome of every recipient of every share.

        Nothing is posted after `deadline`, or once `halted` says so;
        what is left then is `out_of_time`.
        """

        def run(share: Share) -> list[tuple[str, SendOutcome]]:
            return [(share.provider, o) for o in self._post_share(mail, share, deadline, halted)]

        return [pair for pairs in self._executor.map(run, shares) for pair in pairs]

    def _post_share(
        self,
        mail: OutgoingBatch,
        share: Share,
        deadline: datetime,
        halted: Callable[[], bool],
    ) -> list[SendOutcome]:
        sender = self._senders[share.provider]
        size = sender.max_batch
        rate = share.grant.per_second
        start = share.grant.start
        if rate is not None:
            size = max(1, min(size, int(rate)))
        outcomes: list[SendOutcome] = []
        offset = 0
        while offset < len(share.recipients):
            now = self._clock.now()
            proven = now - self._proven.get(share.provider, _NEVER) < PROVEN_FOR
            end = offset + (size if proven else min(size, FIRST_BATCH))
            batch = share.recipients[offset:end]
            turn = start if rate is None else start + timedelta(seconds=offset / rate)
            wait = (turn - now).total_seconds()
            if wait > 0 and turn < deadline:
                self._sleep(wait)
            if max(turn, self._clock.now()) >= deadline or halted():
                return outcomes + _unposted(share.recipients[offset:], OUT_OF_TIME)
            answers = sender.send(mail.only(batch))
            outcomes += answers
            if all(answer.verdict in _TROUBLE for answer in answers):
                return outcomes + _unposted(share.recipients[end:], AFTER_FAILURE)
            self._proven[share.provider] = self._clock.now()
            offset = end
        return outcomes


def _unposted(recipients: Sequence[OutgoingRecipient], code: str) -> list[SendOutcome]:
    return [SendOutcome(r.index, Verdict.NOT_ACCEPTED, code) for r in recipients]
