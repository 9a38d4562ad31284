"""How a chunk's outcome (item R) changes. Pure, and the only place that changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.delivery.model import ChunkKey, ChunkOutcome
from shared.delivery.states import RECIPIENT_CHANGES, RecipientState, change
from shared.mail import MailboxGroup, SendOutcome, Verdict

NO_PROVIDER = "-"

STATE_OF_VERDICT: Mapping[Verdict, RecipientState] = {
    Verdict.ACCEPTED: RecipientState.ACCEPTED,
    Verdict.REJECTED: RecipientState.REJECTED,
    Verdict.NOT_ACCEPTED: RecipientState.PENDING,
    Verdict.UNAVAILABLE: RecipientState.PENDING,
    Verdict.SENDER_FAULT: RecipientState.PENDING,
    Verdict.IN_DOUBT: RecipientState.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One recipient's new state, with the provider and group it is counted under."""

    index: int
    state: RecipientState
    reason: str = ""
    provider: str = NO_PROVIDER
    group: MailboxGroup = MailboxGroup.OTHER


def fresh(key: ChunkKey, size: int) -> ChunkOutcome:
    """The outcome of a chunk of which nothing was tried yet."""
    return ChunkOutcome(key=key, states=bytes(size), attempt=0)


def changed(
    outcome: ChunkOutcome, changes: Iterable[Change], attempt: int | None = None
) -> ChunkOutcome:
    """The outcome after `changes`; `attempt` marks an attempt as recorded.

    Raises:
        WrongState: the table of states does not allow one of the changes.
    """
    states = bytearray(outcome.states)
    moved: dict[int, str] = {}
    # A chunk has hundreds of changes but few kinds of them, which are judged once each.
    kinds: Counter[tuple[int, RecipientState, str, MailboxGroup]] = Counter()
    for item in changes:
        kinds[states[item.index], item.state, item.provider, item.group] += 1
        states[item.index] = item.state
        moved[item.index] = item.reason
    counts = Counter(outcome.counts)
    for (byte, new, provider, group), number in kinds.items():
        old = RecipientState(byte)
        if old is not new:
            _check(old, new)
        if old in _COUNTED:
            counts[f"{provider}|{group}|{old.word}"] -= number
        if new in _COUNTED:
            counts[f"{provider}|{group}|{new.word}"] += number
    return replace(
        outcome,
        states=bytes(states),
        attempt=outcome.attempt if attempt is None else max(attempt, outcome.attempt),
        reasons=_reasons(outcome.reasons, moved),
        counts={name: count for name, count in counts.items() if count},
    )


def late(state: RecipientState, verdict: SendOutcome) -> tuple[RecipientState, str] | None:
    """What a worker's outcome still changes after its attempt was taken for lost.

    Only what is in doubt can be settled so; "surely not accepted" then ends as
    failed, which an explicit retry may send again.
    """
    if state is not RecipientState.IN_DOUBT or verdict.verdict is Verdict.IN_DOUBT:
        return None
    settled = STATE_OF_VERDICT[verdict.verdict]
    if settled is RecipientState.PENDING:
        return RecipientState.FAILED, f"not_accepted_{verdict.code}"
    return settled, verdict.code if settled is RecipientState.REJECTED else ""


_COUNTED = frozenset(RecipientState) - {RecipientState.PENDING, RecipientState.CLAIMED}


def _check(old: RecipientState, new: RecipientState) -> None:
    """Pending recipients are claimed by the attempt's record, which is one item for them all."""
    if old is RecipientState.PENDING and new is not RecipientState.SKIPPED:
        old = change(RECIPIENT_CHANGES, old, RecipientState.CLAIMED)
    change(RECIPIENT_CHANGES, old, new)


def _reasons(
    reasons: Mapping[str, tuple[int, ...]], moved: Mapping[int, str]
) -> dict[str, tuple[int, ...]]:
    kept: dict[str, set[int]] = {
        code: {i for i in indexes if i not in moved} for code, indexes in reasons.items()
    }
    for index, code in moved.items():
        if code:
            kept.setdefault(code, set()).add(index)
    return {code: tuple(sorted(indexes)) for code, indexes in sorted(kept.items()) if indexes}
