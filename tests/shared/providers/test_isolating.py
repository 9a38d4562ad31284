from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import Mailbox, OutgoingRecipient, SendOutcome, Verdict
from shared.providers.isolating import (
    NOT_POSTED,
    REFUSED_THROUGHOUT,
    Refused,
    most_requests,
    send_isolating,
)


class Esp:
    """Refuses every request with a bad recipient in it; keeps count of who was mailed."""

    def __init__(self, bad: set[int], *, names: bool = False) -> None:
        self.bad, self.names = bad, names
        self.requests = 0
        self.mailed: list[int] = []

    def post(self, part: Sequence[OutgoingRecipient]) -> list[SendOutcome] | Refused:
        self.requests += 1
        places = frozenset(i for i, one in enumerate(part) if one.index in self.bad)
        if places:
            return Refused("400", "bad", places if self.names else frozenset())
        self.mailed.extend(one.index for one in part)
        return [SendOutcome(one.index, Verdict.ACCEPTED) for one in part]


def people(count: int, start: int = 0) -> list[OutgoingRecipient]:
    return [
        OutgoingRecipient(i, f"m{i}", Mailbox(f"p{i}@example.com"))
        for i in range(start, start + count)
    ]


@given(st.integers(1, 600), st.data())
def test_one_or_two_hidden_bad_ones_are_found_within_the_bound(
    count: int, data: st.DataObject
) -> None:
    most = min(2, count)
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=most))
    esp = Esp(bad)
    outcomes = send_isolating([people(count)], esp.post)
    assert esp.requests <= most_requests(count)
    assert {i for i, one in outcomes.items() if one.verdict is Verdict.REJECTED} == bad
    assert sorted(esp.mailed) == sorted(set(range(count)) - bad)


@given(st.integers(1, 200), st.booleans(), st.data())
def test_everybody_has_one_outcome_nobody_is_mailed_twice_and_only_the_bad_are_rejected(
    count: int, names: bool, data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1)))
    esp = Esp(bad, names=names)
    outcomes = send_isolating([people(count)], esp.post)
    assert sorted(outcomes) == list(range(count))
    assert all(index == one.index for index, one in outcomes.items())
    assert esp.requests <= most_requests(count)
    assert len(set(esp.mailed)) == len(esp.mailed)
    assert {i for i, one in outcomes.items() if one.verdict is Verdict.ACCEPTED} == set(esp.mailed)
    assert {i for i, one in outcomes.items() if one.verdict is Verdict.REJECTED} <= bad


def test_the_named_one_costs_two_requests_more() -> None:
    esp = Esp({3}, names=True)
    outcomes = send_isolating([people(500)], esp.post)
    assert esp.requests == 3
    assert outcomes[3] == SendOutcome(3, Verdict.REJECTED, "400", "bad")
    assert len(esp.mailed) == 499


def test_a_name_beyond_the_request_is_no_name() -> None:
    answers = iter([Refused("400", "", frozenset({7}))])
    esp = Esp(set())
    outcomes = send_isolating([people(2)], lambda part: next(answers, None) or esp.post(part))
    assert {one.verdict for one in outcomes.values()} == {Verdict.ACCEPTED}
    assert esp.requests == 2


def test_all_named_are_posted_singly() -> None:
    esp = Esp({0, 1}, names=True)
    outcomes = send_isolating([people(2)], esp.post)
    assert esp.requests == 3
    assert {one.verdict for one in outcomes.values()} == {Verdict.REJECTED}


def test_refused_throughout_is_the_senders_fault() -> None:
    esp = Esp(set(range(100)))
    outcomes = send_isolating([people(100), people(2, 100)], esp.post)
    assert esp.requests == most_requests(100)
    first = [outcomes[i] for i in range(100)]
    assert {(one.verdict, one.code) for one in first} == {
        (Verdict.SENDER_FAULT, REFUSED_THROUGHOUT)
    }
    rest = [outcomes[i] for i in (100, 101)]
    assert {(one.verdict, one.code) for one in rest} == {(Verdict.NOT_ACCEPTED, NOT_POSTED)}


def test_beyond_the_bound_what_is_left_is_not_accepted() -> None:
    esp = Esp(set(range(1, 100, 2)))
    outcomes = send_isolating([people(100)], esp.post)
    assert esp.requests == most_requests(100)
    kinds = {one.verdict for one in outcomes.values()}
    assert kinds == {Verdict.ACCEPTED, Verdict.REJECTED, Verdict.NOT_ACCEPTED}


@pytest.mark.parametrize(
    "verdict",
    [Verdict.NOT_ACCEPTED, Verdict.UNAVAILABLE, Verdict.SENDER_FAULT, Verdict.IN_DOUBT],
)
def test_any_other_trouble_stops_the_posting(verdict: Verdict) -> None:
    posted: list[int] = []

    def post(part: Sequence[OutgoingRecipient]) -> list[SendOutcome] | Refused:
        posted.append(len(part))
        return [SendOutcome(one.index, verdict, "x", retry_after=9) for one in part]

    outcomes = send_isolating([people(3), people(2, 3)], post)
    assert posted == [3]
    assert [outcomes[i].verdict for i in range(3)] == [verdict] * 3
    for i in (3, 4):
        assert (outcomes[i].verdict, outcomes[i].code) == (Verdict.NOT_ACCEPTED, NOT_POSTED)
        assert outcomes[i].retry_after == 9


def test_items_rejected_in_an_answer_do_not_stop_the_posting() -> None:
    def post(part: Sequence[OutgoingRecipient]) -> list[SendOutcome] | Refused:
        return [SendOutcome(one.index, Verdict.REJECTED, "406") for one in part]

    outcomes = send_isolating([people(2), people(1, 2)], post)
    assert {one.code for one in outcomes.values()} == {"406"}
