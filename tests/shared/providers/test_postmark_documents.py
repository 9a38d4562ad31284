"""A message from a form is the message that a dictionary would give, whatever its texts hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.mail import Mailbox, OutgoingBatch, OutgoingRecipient, Skeleton
from shared.providers.answers import NOT_UNICODE
from shared.providers.postmark.documents import Messages, mailbox
from tests.contracts.dialects import batch

FIELDS = {"From": "a@example.org", "TrackOpens": True}

# What could end a string, stand for the separator, or be taken for an escape.
TEXTS = st.one_of(
    st.text(max_size=8),
    st.lists(
        st.sampled_from(["\0", "\\", "\\u0000", "u0000", '"', "\n", "é", "😀"]), max_size=4
    ).map("".join),
)


@st.composite
def batches(draw: st.DrawFn) -> OutgoingBatch:
    size = draw(st.integers(0, 3))

    def skeleton() -> Skeleton:
        slots = draw(st.lists(st.integers(0, size - 1), max_size=4)) if size else []
        literals = draw(st.lists(TEXTS, min_size=len(slots) + 1, max_size=len(slots) + 1))
        return Skeleton(tuple(literals), tuple(slots))

    people = [
        OutgoingRecipient(
            index=index,
            message_id=draw(TEXTS),
            to=Mailbox("a@example.com", draw(TEXTS)),
            values=tuple(draw(st.lists(TEXTS, min_size=size, max_size=size))),
            headers=draw(st.dictionaries(st.sampled_from(["X-A", "X-B", 'X"C']), TEXTS)),
        )
        for index in range(draw(st.integers(1, 3)))
    ]
    mail = batch(1, html=skeleton(), text=draw(st.none() | st.builds(skeleton)))
    mail = replace(mail, subject=skeleton(), headers=draw(st.sampled_from([{}, {"X-A": "1"}])))
    return mail.only(people)


def expected(mail: OutgoingBatch, one: OutgoingRecipient) -> dict[str, Any]:
    message: dict[str, Any] = {
        **FIELDS,
        "To": mailbox(one.to),
        "Metadata": {"tidepost_id": one.message_id},
        "Subject": mail.subject.fill(one.values),
    }
    for field, part in (("TextBody", mail.text), ("HtmlBody", mail.html)):
        if part is not None:
            message[field] = part.fill(one.values)
    headers = {**mail.headers, **one.headers}
    if headers:
        message["Headers"] = [{"Name": n, "Value": v} for n, v in headers.items()]
    return message


@given(batches())
def test_forms_give_what_dictionaries_would(mail: OutgoingBatch) -> None:
    body = Messages(mail, FIELDS).encode(mail.recipients)
    assert isinstance(body, bytes)
    assert json.loads(body) == [expected(mail, one) for one in mail.recipients]


def test_a_part_of_the_batch_is_a_body_of_its_own() -> None:
    mail = batch(4)
    messages = Messages(mail, FIELDS)
    for part in (mail.recipients, mail.recipients[2:], mail.recipients[:1]):
        body = messages.encode(part)
        assert isinstance(body, bytes)
        assert json.loads(body) == [expected(mail, one) for one in part]


def test_text_that_is_not_unicode_is_refused_wherever_it_stands() -> None:
    odd = "\ud800"
    mail = batch(2)
    for bad in (
        mail.only([replace(mail.recipients[0], values=(odd, ""))]),
        mail.only([replace(mail.recipients[0], headers={"X": odd})]),
        replace(mail, html=Skeleton(("a", odd), (0,))),
        replace(mail, html=Skeleton((odd,))),
    ):
        assert Messages(bad, FIELDS).encode(bad.recipients) == NOT_UNICODE
