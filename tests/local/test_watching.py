"""Whether two sides agree: pure arithmetic over a report and the sandbox's counts."""

from typing import Any

from local.demo.watching import EVENTS, FATES, PROVIDERS, Snapshot, differences


def snapshot(**changes: Any) -> Snapshot:
    """Two people, both mailed by SES."""
    report = {
        "recipients": 2,
        **dict.fromkeys((*FATES, *EVENTS), 0),
        "accepted": 2,
        "delivered": 2,
        "by_provider": {"ses": {"accepted": 2, "delivered": 2}},
    }
    counted = {name: dict.fromkeys(EVENTS, 0) for name in PROVIDERS}
    counted["ses"]["delivered"] = 2
    stats = {
        "accepted": {name: 2 * (name == "ses") for name in PROVIDERS},
        "accepted_total": 2,
        "duplicates": 0,
        "events": counted,
        "webhooks": {name: {"pending": 0, "failed": 0} for name in PROVIDERS},
    }
    for where in (report, stats):
        where.update({name: value for name, value in changes.items() if name in where})
    return Snapshot(report, stats)


def test_agreement_has_nothing_to_say() -> None:
    assert differences(snapshot()) == []
    assert snapshot().settled


def test_a_duplicate_is_told() -> None:
    assert differences(snapshot(duplicates=1)) == ["the sandbox saw 1 messages twice"]


def test_a_count_that_differs_is_told_with_both_sides() -> None:
    [only] = differences(snapshot(opened=1))
    assert only == "opened: the report says 1, the sandbox 0"


def test_a_recipient_without_a_fate_is_told() -> None:
    found = differences(snapshot(recipients=3))
    assert found == ["the fates sum to 2, but there are 3 recipients"]


def test_doubts_are_not_accounted_for() -> None:
    doubtful = snapshot(accepted=1, in_doubt=1)
    assert not doubtful.all_accounted
    assert not doubtful.settled
    assert not snapshot(recipients=0).all_accounted


def test_events_on_the_way_are_not_settled() -> None:
    hooks = {name: {"pending": 1, "failed": 0} for name in PROVIDERS}
    assert snapshot(webhooks=hooks).on_the_way == 3
    assert not snapshot(webhooks=hooks).settled
