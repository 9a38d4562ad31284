"""What a message may hold: each fault names its field, and a provider that cannot is left out."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.content.compiled import Rendered
from shared.delivery.composing import (
    MAX_AHEAD,
    MessageRequest,
    check_fit,
    checked,
    fitting,
    load_of,
)
from shared.delivery.routing import Candidate
from shared.errors import InvalidInput
from shared.mail import Attachment, Capacity, Load, Mailbox
from shared.providers.postmark.sender import CAPACITY as POSTMARK
from shared.providers.sendgrid.sender import CAPACITY as SENDGRID
from shared.providers.ses.addresses import CAPACITY as SES
from shared.providers.ses.addresses import cannot_take

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
PDF = Attachment("bill.pdf", "application/pdf", "JVBERi0=")
REQUEST = MessageRequest(
    to=Mailbox("ann@example.com"),
    sender=Mailbox("shop@example.org"),
    subject="Hi",
    text="Hello",
)


def boxes(count: int, name: str = "p") -> tuple[Mailbox, ...]:
    return tuple(Mailbox(f"{name}{number}@example.com") for number in range(count))


def fields_of(request: MessageRequest) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        checked(request, NOW)
    return [problem.field for problem in caught.value.problems]


def test_a_full_message_is_in_order() -> None:
    full = replace(
        REQUEST,
        cc=boxes(24, "c"),
        bcc=boxes(25, "B"),
        headers={"X-Entity-Ref-ID": "7", "In-Reply-To": "<a@example.com>"},
        attachments=(PDF, replace(PDF, filename="logo.png", content_id="logo")),
        metadata={"order-id": "Ü 7"},
        tags=("bill",),
        send_at=NOW + MAX_AHEAD,
    )
    stored = checked(full, NOW)
    assert stored.bcc[0].address == "b0@example.com"


@pytest.mark.parametrize(
    ("cc", "bcc", "field"), [(50, 0, "cc"), (0, 50, "bcc"), (20, 30, "bcc"), (30, 20, "cc")]
)
def test_fifty_one_recipients_are_one_too_many(cc: int, bcc: int, field: str) -> None:
    assert fields_of(replace(REQUEST, cc=boxes(cc, "c"), bcc=boxes(bcc, "b"))) == [field]


@pytest.mark.parametrize(
    ("cc", "bcc", "field"),
    [
        (("nobody",), (), "cc.0.email"),
        (("a@example.com", "A@Example.com"), (), "cc.1.email"),
        (("a@example.com",), ("ANN@example.com",), "bcc.0.email"),
    ],
)
def test_a_copy_is_an_address_that_is_not_there_yet(
    cc: tuple[str, ...], bcc: tuple[str, ...], field: str
) -> None:
    request = replace(REQUEST, cc=tuple(map(Mailbox, cc)), bcc=tuple(map(Mailbox, bcc)))
    assert fields_of(request) == [field]


@pytest.mark.parametrize(
    "name",
    [
        *("From", "TO", "cc", "Bcc", "Reply-To", "Subject", "Sender", "Date", "Message-ID"),
        *("List-Unsubscribe", "List-Unsubscribe-Post", "DKIM-Signature", "Received"),
        *("Return-Path", "MIME-Version", "Content-Type", "content-transfer-encoding"),
        *("X-SG-EID", "X-SMTPAPI", "X-SES-Configuration-Set", "X-PM-Message-Stream", "Resent-To"),
    ],
)
def test_a_reserved_header_is_refused(name: str) -> None:
    assert fields_of(replace(REQUEST, headers={name: "x"})) == [f"headers.{name}"]


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"X-A": "two\r\nlines"}, "headers.X-A"),
        ({"X-A": "Ünicode"}, "headers.X-A"),
        ({"X-A": ""}, "headers.X-A"),
        ({"X-A": "x" * 994}, "headers.X-A"),
        ({"X-A": "1", "x-a": "2"}, "headers.x-a"),
        ({"X A": "1"}, "headers"),
        ({"X-A:": "1"}, "headers"),
        ({f"X-{number}": "1" for number in range(11)}, "headers"),
    ],
)
def test_a_header_that_would_break_the_mail_is_refused(headers: dict[str, str], field: str) -> None:
    assert fields_of(replace(REQUEST, headers=headers)) == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"filename": ""}, "filename"),
        ({"filename": "../../etc/passwd"}, "filename"),
        ({"filename": "a\r\nb"}, "filename"),
        ({"filename": ".."}, "filename"),
        ({"filename": "x" * 256}, "filename"),
        ({"content_type": "bill.pdf"}, "content_type"),
        ({"content_type": "text/plain; charset=utf-8"}, "content_type"),
        ({"content": ""}, "content"),
        ({"content": "JVBERi0"}, "content"),
        ({"content": "JVBE\nRi0="}, "content"),
        ({"content": "ünicode="}, "content"),
        ({"content_id": "two words"}, "content_id"),
        ({"content_id": "<x>"}, "content_id"),
    ],
)
def test_a_file_that_some_provider_would_refuse_is_refused(
    change: dict[str, str], field: str
) -> None:
    request = replace(REQUEST, attachments=(PDF, replace(PDF, **change)))
    assert fields_of(request) == [f"attachments.1.{field}"]


def test_content_ids_are_told_apart_and_files_counted() -> None:
    inline = replace(PDF, content_id="x")
    assert fields_of(replace(REQUEST, attachments=(inline, inline))) == ["attachments.1.content_id"]
    assert fields_of(replace(REQUEST, attachments=(PDF,) * 21)) == ["attachments"]


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"tidepost_id": "x"}, "metadata.tidepost_id"),
        ({"Tidepost_ID": "x"}, "metadata.Tidepost_ID"),
        ({"x" * 21: "x"}, "metadata"),
        ({"1st": "x"}, "metadata"),
        ({"a": ""}, "metadata.a"),
        ({"a": "x" * 81}, "metadata.a"),
        ({"a": "two\nlines"}, "metadata.a"),
        ({f"k{number}": "x" for number in range(10)}, "metadata"),
    ],
)
def test_metadata_fits_the_narrowest_provider(metadata: dict[str, str], field: str) -> None:
    assert fields_of(replace(REQUEST, metadata=metadata)) == [field]


@pytest.mark.parametrize(
    "send_at",
    [
        NOW,
        NOW - timedelta(seconds=1),
        NOW + MAX_AHEAD + timedelta(seconds=1),
        (NOW + timedelta(hours=1)).replace(tzinfo=None),
        datetime(2026, 11, 24, 9, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_schedule_lies_ahead_but_not_too_far(send_at: datetime) -> None:
    assert fields_of(replace(REQUEST, send_at=send_at)) == ["send_at"]


@given(st.binary(min_size=1, max_size=200))
def test_the_size_of_a_file_is_that_of_its_bytes(content: bytes) -> None:
    assert Attachment("a", "b/c", base64.b64encode(content).decode()).size == len(content)


# The three providers with their real limits, at weights 1, and what is asked of them.
PROVIDERS = (
    Candidate("sendgrid", 1, lambda _: "", SENDGRID),
    Candidate("postmark", 1, lambda _: "", POSTMARK),
    Candidate("ses", 1, cannot_take, SES),
)
RENDERED = Rendered("Hi", None, "Hello")


def able(request: MessageRequest, load: Load | None = None) -> set[str]:
    load = load or load_of(request, RENDERED)
    copies = [box.address for box in (*request.cc, *request.bcc)]
    narrowed = fitting(PROVIDERS, load, copies)
    return {c.name for c in narrowed if not c.cannot_take(request.to.address)}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (10_000_000, {"sendgrid", "postmark", "ses"}),
        (10_000_001, {"sendgrid", "ses"}),
        (30_000_001, {"ses"}),
        (40_000_001, set()),
    ],
)
def test_a_provider_that_cannot_take_the_size_is_left_out(size: int, expected: set[str]) -> None:
    assert able(REQUEST, Load(size, ("a.pdf",))) == expected
    if expected:
        check_fit(REQUEST, Load(size), PROVIDERS)
    else:
        with pytest.raises(InvalidInput, match=r"^attachments: too large for every provider$"):
            check_fit(REQUEST, Load(size), PROVIDERS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.PDF", {"sendgrid", "postmark", "ses"}),
        ("macro.vba", {"sendgrid", "ses"}),
        ("page.js", {"sendgrid", "postmark"}),
        ("setup.EXE", {"sendgrid"}),
    ],
)
def test_a_provider_that_forbids_the_file_is_left_out(name: str, expected: set[str]) -> None:
    assert able(replace(REQUEST, attachments=(replace(PDF, filename=name),))) == expected


def test_a_file_that_nobody_takes_is_told_with_each_ones_reason() -> None:
    load = Load(10, ("setup.exe",))
    with pytest.raises(InvalidInput) as caught:
        check_fit(REQUEST, load, PROVIDERS[1:])
    [problem] = caught.value.problems
    assert problem.field == "attachments"
    assert "postmark: forbidden_file_type" in problem.reason


def test_an_address_in_any_place_leaves_out_who_cannot_take_it() -> None:
    joerg = Mailbox("jörg@example.com")
    for request in (replace(REQUEST, to=joerg), replace(REQUEST, bcc=(joerg,))):
        assert able(request) == {"sendgrid", "postmark"}
        check_fit(request, Load(10), PROVIDERS)


@pytest.mark.parametrize("field", ["to", "cc.0"])
def test_an_address_that_no_provider_takes_is_named(field: str) -> None:
    joerg = Mailbox("jörg@example.com")
    request = replace(REQUEST, to=joerg)
    if field != "to":
        request = replace(REQUEST, cc=(joerg,))
    with pytest.raises(InvalidInput) as caught:
        check_fit(request, Load(10), PROVIDERS[2:])
    [problem] = caught.value.problems
    assert problem.field == f"{field}.email"
    assert "jörg" not in problem.reason


def test_recipients_who_need_different_providers_are_not_one_message() -> None:
    strict = (
        Candidate("one", 1, lambda address: "no" if "ann" in address else "", Capacity()),
        Candidate("two", 1, lambda address: "no" if "bob" in address else "", Capacity()),
    )
    request = replace(REQUEST, cc=(Mailbox("bob@example.com"),))
    with pytest.raises(InvalidInput) as caught:
        check_fit(request, Load(10), strict)
    assert [problem.field for problem in caught.value.problems] == ["cc"]


def test_a_provider_without_weight_does_not_count() -> None:
    with pytest.raises(InvalidInput):
        check_fit(REQUEST, Load(35_000_000), (replace(PROVIDERS[2], weight=0), PROVIDERS[0]))
