"""One worker's run over a chunk, and how what it learns gets into the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.delivery.model import Attempt, ChunkKey, ChunkOutcome
from shared.delivery.outcomes import STATE_OF_VERDICT, Change, changed, late
from shared.delivery.ports import LedgerStore
from shared.delivery.states import RecipientState
from shared.errors import StaleWrite
from shared.mail import SendOutcome, Verdict

MAX_ATTEMPTS = 200
"""Attempts after which what is still pending fails; with back-off this is about two days."""


@dataclass(slots=True)
class Run:
    """One worker's run over one chunk; what the handler logs."""

    key: ChunkKey
    deadline: datetime
    outcome: ChunkOutcome
    attempts: tuple[Attempt, ...]
    note: str = ""
    rounds: int = 0
    posted: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, str] = field(default_factory=dict)
    retry_at: datetime | None = None
    waiting: set[int] = field(default_factory=set)
    """Who is pending and can gain nothing by another round of this run."""
    faults: set[str] = field(default_factory=set)


class Recorder:
    """Records outcomes, whoever else does at the same time."""

    def __init__(self, ledger: LedgerStore) -> None:
        self._ledger = ledger

    def save(
        self,
        run: Run,
        changes: list[Change],
        outcomes: list[tuple[str, SendOutcome]],
        attempt: Attempt | None = None,
    ) -> None:
        """Records what a round came to; if somebody settled meanwhile, what is still open of ours.

        Raises:
            DependencyUnavailable: DynamoDB did not answer.
        """
        settled = changes + [
            Change(
                o.index,
                STATE_OF_VERDICT[o.verdict],
                "" if o.verdict is Verdict.ACCEPTED else o.code,
            )
            for _, o in outcomes
        ]
        if not settled:
            return
        number = attempt.number if attempt else None
        last = run.outcome.attempt + 1 >= MAX_ATTEMPTS
        if last:
            settled = [_given_up(c) for c in settled]
        try:
            saved = changed(run.outcome, settled, run.attempts, number)
            run.outcome = self._ledger.save_outcome(saved)
        except StaleWrite:
            run.note = "the outcome came late"
            run.outcome = self._save_late(run, settled, outcomes, attempt)

    def _save_late(
        self,
        run: Run,
        settled: list[Change],
        outcomes: list[tuple[str, SendOutcome]],
        attempt: Attempt | None,
    ) -> ChunkOutcome:
        """Somebody wrote the outcome meanwhile.

        If it was a retry or a settling by hand, our attempt is still open and
        all we have counts. If our attempt was taken for lost, our answers
        settle what is in doubt, and nothing else.
        """
        for _ in range(5):
            record = self._ledger.record(run.key)
            current = record.outcome
            if current is None or attempt is None:
                break
            if current.attempt < attempt.number:
                changes = [c for c in settled if not current.states[c.index]]
                number: int | None = attempt.number
            else:
                found = ((o.index, late(current.state_of(o.index), o)) for _, o in outcomes)
                changes = [Change(i, *new) for i, new in found if new]
                number = None
            if not changes:
                return current
            try:
                return self._ledger.save_outcome(changed(current, changes, record.attempts, number))
            except StaleWrite:
                continue
        return run.outcome


def _given_up(item: Change) -> Change:
    if item.state is not RecipientState.PENDING:
        return item
    return replace(item, state=RecipientState.FAILED, reason="gave_up")
