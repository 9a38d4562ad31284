"""A judge that cannot fail is worthless: each promise is broken on purpose, and found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chaos.judge import (
    RULES,
    STATES,
    Departure,
    Evidence,
    Limit,
    Mail,
    Recipient,
    Violation,
    judge,
)

NOW = datetime(2026, 11, 24, 8, 10, tzinfo=UTC)
CAMPAIGN = "cmp_1"


def evidence() -> Evidence:
    """Three people: two were mailed, one is skipped. All is well."""
    recipients = [
        Recipient(CAMPAIGN, "m1", "a@x.example", "accepted"),
        Recipient(CAMPAIGN, "m2", "b@x.example", "accepted"),
        Recipient(CAMPAIGN, "m3", "c@x.example", "skipped", "unsubscribed"),
    ]
    people = frozenset(one.address for one in recipients)
    return Evidence(
        mails=[
            Mail(CAMPAIGN, "m1", "a@x.example", "ses", NOW),
            Mail(CAMPAIGN, "m2", "b@x.example", "postmark", NOW + timedelta(seconds=1)),
        ],
        recipients=recipients,
        required={CAMPAIGN: people},
        possible={CAMPAIGN: people},
        states={CAMPAIGN: "sent"},
        reports={CAMPAIGN: report(recipients)},
        departures=[Departure("c@x.example", NOW)],
        dispatcher_timeout=timedelta(seconds=40),
        limits={"ses": Limit(per_second=1, per_hour=10)},
    )


def report(recipients: list[Recipient]) -> dict[str, int]:
    counts = {state: sum(one.state == state for one in recipients) for state in STATES}
    return {"recipients": len(recipients), **counts}


def with_states(**states: str) -> Evidence:
    good = evidence()
    recipients = [replace(one, state=states.get(one.message, one.state)) for one in good.recipients]
    return replace(good, recipients=recipients, reports={CAMPAIGN: report(recipients)})


def with_mail(*mails: Mail) -> Evidence:
    return replace(evidence(), mails=[*evidence().mails, *mails])


def duplicate() -> Evidence:
    return with_mail(Mail(CAMPAIGN, "m1", "a@x.example", "sendgrid", NOW))


def duplicate_under_another_id() -> Evidence:
    good = with_mail(Mail(CAMPAIGN, "m3", "a@x.example", "sendgrid", NOW))
    return replace(good, recipients=with_states(m3="accepted").recipients)


def left_out_of_the_plan() -> Evidence:
    good = evidence()
    more = frozenset({*good.required[CAMPAIGN], "d@x.example"})
    return replace(good, required={CAMPAIGN: more}, possible={CAMPAIGN: more})


def stranger() -> Evidence:
    few = frozenset({"a@x.example", "b@x.example"})
    return replace(evidence(), required={CAMPAIGN: few}, possible={CAMPAIGN: few})


def planned_twice() -> Evidence:
    good = evidence()
    recipients = [*good.recipients, Recipient(CAMPAIGN, "m4", "c@x.example", "skipped")]
    return replace(good, recipients=recipients, reports={CAMPAIGN: report(recipients)})


def wrong_sum() -> Evidence:
    return replace(evidence(), reports={CAMPAIGN: {**evidence().reports[CAMPAIGN], "accepted": 3}})


def mailed_after_leaving() -> Evidence:
    return replace(evidence(), departures=[Departure("b@x.example", NOW - timedelta(seconds=40))])


def too_many_an_hour() -> Evidence:
    return with_mail(
        *(
            Mail(f"cmp_{i}", f"n{i}", "a@x.example", "ses", NOW + timedelta(minutes=i))
            for i in range(10)
        )
    )


def too_many_a_second() -> Evidence:
    return with_mail(
        *(Mail(f"cmp_{i}", f"n{i}", "a@x.example", "ses", NOW) for i in range(12)),
    )


def in_doubt_without_a_fault() -> Evidence:
    return replace(evidence(), doubted={"m1": (CAMPAIGN, 0)}, exposed=frozenset({(CAMPAIGN, 1)}))


BROKEN: dict[str, tuple[Callable[[], Evidence], str]] = {
    "two mails of one message": (duplicate, "duplicates"),
    "two mails under two ids": (duplicate_under_another_id, "duplicates"),
    "left out of the plan": (left_out_of_the_plan, "unaccounted"),
    "not on any list": (stranger, "unaccounted"),
    "planned twice": (planned_twice, "unaccounted"),
    "a sum that is wrong": (wrong_sum, "unaccounted"),
    "still pending": (lambda: with_states(m3="pending"), "unaccounted"),
    "still in doubt": (lambda: with_states(m3="in_doubt"), "unaccounted"),
    "not sent": (lambda: replace(evidence(), states={CAMPAIGN: "sending"}), "unfinished"),
    "mailed, in doubt here": (lambda: with_states(m1="in_doubt"), "accepted_there_not_here"),
    "mailed, failed here": (lambda: with_states(m1="failed"), "accepted_there_not_here"),
    "mailed, skipped here": (lambda: with_states(m1="skipped"), "accepted_there_not_here"),
    "mailed, unknown here": (
        lambda: with_mail(Mail(CAMPAIGN, "m9", "z@x.example", "ses", NOW)),
        "accepted_there_not_here",
    ),
    "accepted here alone": (lambda: with_states(m3="accepted"), "accepted_here_not_there"),
    "in doubt without a fault": (in_doubt_without_a_fault, "doubt_without_fault"),
    "mailed after leaving": (mailed_after_leaving, "mailed_after_leaving"),
    "too many an hour": (too_many_an_hour, "quota_overruns"),
    "too many a second": (too_many_a_second, "quota_overruns"),
}


def broken_by(what: Evidence) -> list[Violation]:
    return judge(what)


def test_nothing_is_found_where_all_is_well() -> None:
    assert judge(evidence()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    planted, rule = BROKEN[name]
    assert rule in {one.rule for one in broken_by(planted())}


def test_every_rule_is_broken_once() -> None:
    assert {rule for _, rule in BROKEN.values()} == set(RULES)


def test_no_detail_names_an_address() -> None:
    details = [one.detail for planted, _ in BROKEN.values() for one in broken_by(planted())]
    assert details
    assert not [detail for detail in details if "@" in detail]


@pytest.mark.parametrize(
    "fine",
    [
        # Its ESP dropped it later: then the ledger may know it as rejected.
        replace(
            with_states(m1="rejected"),
            mails=[replace(evidence().mails[0], dropped=True), evidence().mails[1]],
        ),
        replace(evidence(), doubted={"m1": (CAMPAIGN, 0)}, faulted=frozenset({"m1"})),
        replace(evidence(), doubted={"m1": (CAMPAIGN, 0)}, exposed=frozenset({(CAMPAIGN, 0)})),
        # One dispatcher time-out is what is promised.
        replace(evidence(), departures=[Departure("b@x.example", NOW - timedelta(seconds=39))]),
    ],
)
def test_what_is_allowed_is_no_violation(fine: Evidence) -> None:
    assert judge(fine) == []
