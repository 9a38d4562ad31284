from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import Mailbox, OutgoingRecipient, Verdict
from shared.providers.answers import (
    STATUSES,
    Failure,
    judge,
    retry_after,
    scrub,
    unsafe_indexes,
    verdict_of_status,
)
from shared.providers.isolating import Refused
from shared.transport import Response
from tests.contracts.dialects import batch

DATE = "Tue, 24 Nov 2026 08:00:00 GMT"
NOON = 1795507200  # that date in epoch seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 08:01:30 GMT", "date": DATE}, 90.0),
        ({"retry-after": "Tue, 24 Nov 2026 07:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Tue, 24 Nov 2026 08:01:30 GMT"}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"x-ratelimit-reset": str(NOON + 12), "date": DATE}, 12.0),
        ({"x-ratelimit-reset": str(NOON + 12)}, None),
        ({"x-ratelimit-reset": "later", "date": DATE}, None),
        ({"retry-after": "5", "x-ratelimit-reset": str(NOON + 12), "date": DATE}, 5.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Response(429, headers, b"")) == seconds


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("bad: some.one+x@example.com!", "bad: <address>"),
        ("'Ü <ü@bücher.example>' and b@c", "'Ü <<address>>' and <address>"),
        ("final '@domain'", "final '@domain'"),
        ("x" * 500, "x" * 200),
    ],
)
def test_details_hold_no_address(text: str, clean: str) -> None:
    assert scrub(text) == clean


@pytest.mark.parametrize(("status", "verdict"), STATUSES.items())
def test_each_row_of_the_statuses(status: int, verdict: Verdict) -> None:
    answer = judge(Response(status, {}, b""), code=str(status), detail="", verdict=None)
    assert answer == Failure(verdict, str(status))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (101, Verdict.IN_DOUBT),
        (204, Verdict.IN_DOUBT),
        (301, Verdict.SENDER_FAULT),
        (400, None),
        (413, None),
        (422, None),
        (500, Verdict.IN_DOUBT),
        (599, Verdict.IN_DOUBT),
        (999, Verdict.IN_DOUBT),
    ],
)
def test_other_statuses_go_by_their_hundred(status: int, verdict: Verdict | None) -> None:
    assert verdict_of_status(status) is verdict


@pytest.mark.parametrize("status", [400, 429, 500, 401])
def test_the_esps_own_code_outranks_the_status(status: int) -> None:
    response = Response(status, {}, b"")
    for verdict in (Verdict.UNAVAILABLE, Verdict.NOT_ACCEPTED, Verdict.SENDER_FAULT):
        assert judge(response, code="c", detail="d", verdict=verdict) == Failure(verdict, "c", "d")
    rejected = judge(response, code="c", detail="d", verdict=Verdict.REJECTED)
    assert rejected == Refused("c", "d")


BAD = [
    {"to": Mailbox("a@example.com\r\nBcc: b@example.com")},
    {"to": Mailbox("a@example.com", "A\nB")},
    {"message_id": "m\0"},
    {"headers": {"X-A\r": "1"}},
    {"headers": {"X-A": "1\n"}},
    {"values": ("Na\rme", "")},
]


@given(st.dictionaries(st.integers(0, 19), st.sampled_from(BAD)))
def test_just_those_with_an_unsafe_header_are_found(bad: dict[int, dict[str, object]]) -> None:
    mail = batch(20)
    people: list[OutgoingRecipient] = [
        replace(one, **bad.get(place, {}))  # type: ignore[arg-type]  # fields by name
        for place, one in enumerate(mail.recipients)
    ]
    expected = {mail.recipients[place].index for place in bad}
    assert unsafe_indexes(mail.only(people)) == expected
