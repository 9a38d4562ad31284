from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.delivery.rates import BucketState, Limits, take
from shared.delivery.silence import silent

NOW = datetime(2026, 11, 24, 12, 50, tzinfo=UTC)


def given_mail(minutes_ago: float, count: int = 100) -> BucketState:
    at = NOW - timedelta(minutes=minutes_ago)
    return take(BucketState(), Limits(), count, at)[0]


@pytest.mark.parametrize(
    ("mail", "heard_minutes_ago", "is_silent"),
    [
        (given_mail(1), 2, False),
        (given_mail(1), 20, True),  # mail goes out and nothing comes
        (given_mail(1), None, True),
        (given_mail(30), 28, False),  # it answered, and then there was nothing to say
        (given_mail(30), 31, True),
        (given_mail(30, count=3), None, False),
        (given_mail(200), None, False),
        (BucketState(), None, False),
    ],
)
def test_a_provider_is_silent_if_it_was_given_mail_and_says_nothing(
    mail: BucketState,
    heard_minutes_ago: float | None,
    is_silent: bool,  # a table
) -> None:
    heard = {}
    if heard_minutes_ago is not None:
        heard["ses"] = NOW - timedelta(minutes=heard_minutes_ago)
    assert silent({"ses": mail}, heard, NOW) == (["ses"] if is_silent else [])
