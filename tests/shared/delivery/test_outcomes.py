"""The one place that changes an outcome: states, reasons and counts always agree."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.model import Attempt, ChunkKey, ChunkOutcome
from shared.delivery.outcomes import (
    NO_PROVIDER,
    STATE_OF_VERDICT,
    Change,
    changed,
    counts_of,
    fresh,
    late,
    resent,
)
from shared.delivery.report import report, totals_of
from shared.delivery.states import RecipientState
from shared.errors import WrongState
from shared.ids import TRANSACTIONAL_CHUNK
from shared.mail import MailboxGroup, SendOutcome, Verdict
from tests.shared.delivery.attempts import attempt as made

KEY = ChunkKey("ws_1", "cmp_1", 0)
SIZE = 8
UNCOUNTED = {RecipientState.PENDING, RecipientState.CLAIMED}

changes = st.builds(
    Change,
    index=st.integers(0, SIZE - 1),
    state=st.sampled_from(RecipientState),
    reason=st.sampled_from(["", "x", "y"]),
)
rounds = st.lists(st.tuples(st.lists(changes, max_size=5), st.none() | st.integers(1, 9)))
tries = st.lists(
    st.dictionaries(
        st.integers(0, SIZE - 1),
        st.tuples(st.sampled_from(["", "ses", "sendgrid"]), st.sampled_from(MailboxGroup)),
    ),
    max_size=5,
).map(lambda each: tuple(made(KEY, 1 + n, SIZE, tried) for n, tried in enumerate(each)))


def applied(
    steps: list[tuple[list[Change], int | None]], attempts: tuple[Attempt, ...] = ()
) -> ChunkOutcome:
    """The outcome after every step that the table allows; a step is taken whole or not at all."""
    outcome = fresh(KEY, SIZE)
    for step, attempt in steps:
        try:
            outcome = changed(outcome, step, attempts, attempt)
        except WrongState:
            continue
    return outcome


@given(rounds, tries)
def test_the_counts_of_a_state_sum_to_its_recipients(
    steps: list[tuple[list[Change], int | None]], attempts: tuple[Attempt, ...]
) -> None:
    outcome = applied(steps, attempts)
    sums: Counter[str] = Counter()
    for cell, count in outcome.counts.items():
        assert count
        sums[cell.split("|")[2]] += count
    for state in RecipientState:
        expected = 0 if state in UNCOUNTED else outcome.states.count(state)
        assert sums[state.word] == expected


@given(st.lists(st.sampled_from(RecipientState), min_size=SIZE, max_size=SIZE), tries)
def test_each_recipient_counts_under_its_newest_attempt(
    states: list[RecipientState], attempts: tuple[Attempt, ...]
) -> None:
    expected: Counter[str] = Counter()
    for index, state in enumerate(states):
        newest_first = attempts[::-1]
        provider = next((p for a in newest_first if (p := a.provider_of(index))), NO_PROVIDER)
        group = next(
            (
                a.group_of(index)
                for a in newest_first
                if a.provider_of(index) or a.group_of(index) is not MailboxGroup.OTHER
            ),
            MailboxGroup.OTHER,
        )
        if state not in UNCOUNTED:
            expected[f"{provider}|{group}|{state.word}"] += 1
    assert counts_of(bytes(states), attempts) == expected


@given(rounds, tries)
def test_counts_do_not_depend_on_how_the_states_came_about(
    steps: list[tuple[list[Change], int | None]], attempts: tuple[Attempt, ...]
) -> None:
    outcome = applied(steps, attempts)
    if outcome.counts:
        assert outcome.counts == counts_of(outcome.states, attempts)


def test_who_failed_and_is_to_be_sent_again_is_counted_no_more() -> None:
    tried: tuple[Attempt, ...] = (
        made(KEY, 1, 2, {0: ("ses", MailboxGroup.GMAIL), 1: ("ses", MailboxGroup.GMX)}),
    )
    both = [Change(i, RecipientState.FAILED, "presumed_not_accepted") for i in (0, 1)]
    failed = changed(fresh(KEY, 2), both, tried, 1)
    again = changed(failed, [Change(0, RecipientState.PENDING)], tried)
    assert (again.counts, again.reasons) == (
        {"ses|gmx|failed": 1}, {"presumed_not_accepted": (1,)},
    )  # fmt: skip
    tried = (*tried, made(KEY, 2, 2, {0: ("postmark", MailboxGroup.GMAIL)}))
    done = changed(again, [Change(0, RecipientState.ACCEPTED)], tried, 2)
    assert done.counts == {"ses|gmx|failed": 1, "postmark|gmail|accepted": 1}


@given(rounds)
def test_a_recipient_has_the_reason_of_its_last_change_and_no_other(
    steps: list[tuple[list[Change], int | None]],
) -> None:
    outcome = fresh(KEY, SIZE)
    last = [""] * SIZE
    for step, attempt in steps:
        try:
            outcome = changed(outcome, step, (), attempt)
        except WrongState:
            continue
        for one in step:
            last[one.index] = one.reason
    assert [outcome.reason_of(index) for index in range(SIZE)] == last
    assert all(indexes == tuple(sorted(set(indexes))) for indexes in outcome.reasons.values())


@given(rounds)
def test_attempts_never_go_back(steps: list[tuple[list[Change], int | None]]) -> None:
    outcome, seen = fresh(KEY, SIZE), 0
    for step, attempt in steps:
        try:
            outcome = changed(outcome, step, (), attempt)
        except WrongState:
            continue
        seen = max(seen, attempt or 0)
        assert outcome.attempt == seen


@given(rounds)
def test_an_accepted_recipient_stays_accepted(
    steps: list[tuple[list[Change], int | None]],
) -> None:
    outcome, accepted = fresh(KEY, SIZE), set[int]()
    for step, attempt in steps:
        try:
            outcome = changed(outcome, step, (), attempt)
        except WrongState:
            continue
        now = set(outcome.in_state(RecipientState.ACCEPTED))
        assert accepted <= now
        accepted = now


@given(rounds)
def test_a_report_accounts_for_everybody(steps: list[tuple[list[Change], int | None]]) -> None:
    outcome = applied(steps)
    for cancelled in (True, False):
        told = report(SIZE, totals_of([outcome]), {}, cancelled=cancelled)
        parts = ("accepted", "rejected", "failed", "skipped", "in_doubt", "pending")
        assert sum(told[part] for part in parts) == SIZE
        assert min(told[part] for part in parts) >= 0
        assert not (cancelled and told["pending"])


def test_a_change_that_is_not_allowed_changes_nothing() -> None:
    outcome = changed(fresh(KEY, 2), [Change(0, RecipientState.ACCEPTED)], (), 1)
    bad = [Change(1, RecipientState.ACCEPTED), Change(0, RecipientState.FAILED)]
    before = (outcome.states, dict(outcome.counts))
    with pytest.raises(WrongState):
        changed(outcome, bad, ())
    assert (outcome.states, outcome.counts) == before


def test_every_verdict_means_a_state() -> None:
    assert set(STATE_OF_VERDICT) == set(Verdict)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("state", RecipientState)
def test_a_late_answer_settles_doubts_and_nothing_else(
    state: RecipientState, verdict: Verdict
) -> None:
    found = late(state, SendOutcome(0, verdict, "code"))
    if state is not RecipientState.IN_DOUBT or verdict is Verdict.IN_DOUBT:
        assert found is None
        return
    assert found is not None
    expected = {
        Verdict.ACCEPTED: (RecipientState.ACCEPTED, ""),
        Verdict.REJECTED: (RecipientState.REJECTED, "code"),
    }
    assert found == expected.get(verdict, (RecipientState.FAILED, "not_accepted_code"))
    doubtful = changed(fresh(KEY, 1), [Change(0, RecipientState.IN_DOUBT)], (), 1)
    assert changed(doubtful, [Change(0, *found)], ()).state_of(0) is found[0]


@pytest.mark.parametrize("chunk", [0, TRANSACTIONAL_CHUNK])
@pytest.mark.parametrize("state", RecipientState)
def test_only_a_message_of_its_own_in_doubt_is_resent(chunk: int, state: RecipientState) -> None:
    outcome = ChunkOutcome(ChunkKey("ws_1", "cmp_1", chunk), bytes([state]), 1, {"x": (0,)})
    if chunk == TRANSACTIONAL_CHUNK and state is RecipientState.IN_DOUBT:
        after = resent(outcome, (), 2)
        assert after.state_of(0) is RecipientState.PENDING
        assert (after.attempt, after.reasons, after.counts) == (2, {}, {})
    else:
        with pytest.raises(WrongState):
            resent(outcome, (), 2)
