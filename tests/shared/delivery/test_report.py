"""A campaign's report: sums over chunks and over counters."""

from __future__ import annotations

from shared.delivery.model import ChunkKey, ChunkOutcome
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.report import report, totals_of
from shared.delivery.states import RecipientState as State
from shared.mail import MailboxGroup
from tests.shared.delivery.attempts import attempt


def chunk(
    number: int, tried: dict[int, tuple[str, MailboxGroup]], *changes: Change
) -> ChunkOutcome:
    key = ChunkKey("ws_1", "cmp_1", number)
    return changed(fresh(key, len(changes)), changes, [attempt(key, 1, len(changes), tried)], 1)


OUTCOMES = [
    chunk(
        0,
        {
            0: ("ses", MailboxGroup.GMAIL),
            1: ("postmark", MailboxGroup.GMX),
            2: ("postmark", MailboxGroup.GMX),
        },
        Change(0, State.ACCEPTED),
        Change(1, State.ACCEPTED),
        Change(2, State.REJECTED, "406"),
    ),
    chunk(
        1,
        {0: ("ses", MailboxGroup.GMAIL)},
        Change(0, State.IN_DOUBT, "read_timeout"),
        Change(1, State.SKIPPED, "erased"),
    ),
]
EVENTS = {
    "ses|gmail|delivered": 1,
    "ses|gmail|opened": 5,
    "ses|gmail|opened_first": 1,
    "ses|gmail|machine_opened": 2,
    "ses|gmail|clicked": 3,
    "ses|gmail|clicked_first": 1,
    "postmark|gmx|bounced": 1,
    "postmark|gmx|rejected": 1,
    "postmark|gmx|failed": 1,
    "postmark|gmx|complained": 1,
    "postmark|gmx|unsubscribed": 1,
}


def test_totals_are_sums_over_chunks() -> None:
    totals = totals_of(OUTCOMES)
    assert totals["states"] == {
        "accepted": 2, "rejected": 1, "failed": 0, "skipped": 1, "in_doubt": 1,
    }  # fmt: skip
    assert totals["reasons"] == {"406": 1, "read_timeout": 1, "erased": 1}
    assert totals["settled_chunks"] == 1


def test_nothing_tried_is_nothing_settled() -> None:
    assert totals_of([])["settled_chunks"] == 0
    assert totals_of([fresh(ChunkKey("ws_1", "cmp_1", 0), 3)])["settled_chunks"] == 0


def test_people_are_counted_once_and_machines_not_at_all() -> None:
    told = report(10, totals_of(OUTCOMES), EVENTS)
    assert (told["recipients"], told["pending"]) == (10, 5)
    assert (told["opened"], told["clicked"], told["delivered"]) == (1, 1, 1)
    assert (told["bounced"], told["complained"], told["unsubscribed"]) == (1, 1, 1)
    assert told["events"]["opened"] == 5


def test_a_breakdown_tells_answers_from_events() -> None:
    told = report(10, totals_of(OUTCOMES), EVENTS)
    assert told["by_provider"]["postmark"] == {
        "accepted": 1, "rejected": 1, "rejected_events": 1, "failed_events": 1,
        "bounced": 1, "complained": 1, "unsubscribed": 1,
    }  # fmt: skip
    assert told["by_mailbox_group"]["gmail"] == {
        "accepted": 1, "in_doubt": 1, "delivered": 1, "opened": 1, "open_events": 5,
        "machine_opened": 2, "clicked": 1, "click_events": 3,
    }  # fmt: skip


def test_whoever_a_cancelled_campaign_did_not_mail_is_skipped() -> None:
    told = report(10, totals_of(OUTCOMES), {}, cancelled=True)
    assert (told["pending"], told["skipped"]) == (0, 6)
    assert told["reasons"]["cancelled"] == 5


def test_a_campaign_that_was_never_launched_has_a_report() -> None:
    told = report(0, {}, {})
    assert {value for value in told.values() if isinstance(value, int)} == {0}
    assert told["by_provider"] == {}
