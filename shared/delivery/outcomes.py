"""How a chunk's outcome (item R) changes. Pure, and the only place that changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.delivery.model import GROUPS, Attempt, ChunkKey, ChunkOutcome
from shared.delivery.states import RECIPIENT_CHANGES, RESEND_CHANGES, RecipientState, change
from shared.errors import WrongState
from shared.ids import TRANSACTIONAL_CHUNK
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
    """One recipient's new state, and why where that is not obvious."""

    index: int
    state: RecipientState
    reason: str = ""


def fresh(key: ChunkKey, size: int) -> ChunkOutcome:
    """The outcome of a chunk of which nothing was tried yet."""
    return ChunkOutcome(key=key, states=bytes(size), attempt=0)


def changed(
    outcome: ChunkOutcome,
    changes: Iterable[Change],
    attempts: Sequence[Attempt],
    recorded: int | None = None,
) -> ChunkOutcome:
    """The outcome after `changes`; `recorded` marks the attempt of that number as recorded.

    `attempts` are all of the chunk's in order, those of this run included:
    they say under which provider and mailbox group a recipient is counted.

    Raises:
        WrongState: the table of states does not allow one of the changes.
    """
    states = bytearray(outcome.states)
    moved: dict[int, str] = {}
    # A chunk has hundreds of changes but few kinds of them, which are judged once each.
    kinds: dict[tuple[int, RecipientState], None] = {}
    for item in changes:
        kinds[states[item.index], item.state] = None
        states[item.index] = item.state
        moved[item.index] = item.reason
    for byte, new in kinds:
        old = RecipientState(byte)
        if old is not new:
            _check(old, new)
    return replace(
        outcome,
        states=bytes(states),
        attempt=outcome.attempt if recorded is None else max(recorded, outcome.attempt),
        reasons=_reasons(outcome.reasons, moved),
        counts=counts_of(states, attempts),
    )


def counts_of(states: bytes | bytearray, attempts: Sequence[Attempt]) -> dict[str, int]:
    """`ChunkOutcome.counts`, from nothing but a chunk's states and attempts.

    A recipient counts under the provider of its newest attempt, else under
    `NO_PROVIDER`; under the mailbox group of that attempt, else the one that
    was found when it was looked at and not mailed, else `other`. Whoever is
    pending or claimed is not counted.
    """
    names = [NO_PROVIDER]
    providers, groups = bytearray(len(states)), bytearray([_OTHER]) * len(states)
    for attempt in attempts:  # the newest has the last word
        numbers = [0]
        for name in attempt.providers:
            if name not in names:
                names.append(name)
            numbers.append(names.index(name))
        for i, number in enumerate(attempt.assigned):
            if number:
                providers[i] = numbers[number]
                groups[i] = attempt.groups[i]
            elif attempt.groups[i] != _OTHER:
                groups[i] = attempt.groups[i]
    cells = Counter(zip(states, providers, groups, strict=True))
    return {
        f"{names[provider]}|{GROUPS[group]}|{RecipientState(byte).word}": number
        for (byte, provider, group), number in cells.items()
        if byte in _COUNTED
    }


def resent(outcome: ChunkOutcome, attempts: Sequence[Attempt], recorded: int) -> ChunkOutcome:
    """The outcome of a transactional message in doubt that is to be sent once more.

    Only for a message whose sender asked for that; `recorded` is the number of
    the marker among `attempts` that says so.

    Raises:
        WrongState: it is campaign mail, or not in doubt.
    """
    if outcome.key.chunk != TRANSACTIONAL_CHUNK:
        raise WrongState("campaign mail that is in doubt is never sent again")
    change(RESEND_CHANGES, outcome.state_of(0), RecipientState.PENDING)
    pending = bytes([RecipientState.PENDING])
    counts = counts_of(pending, attempts)
    return replace(outcome, states=pending, attempt=recorded, reasons={}, counts=counts)


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
_OTHER = GROUPS.index(MailboxGroup.OTHER)


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
