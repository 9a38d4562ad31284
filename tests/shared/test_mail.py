"""Skeletons, mailbox groups and batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import (
    Mailbox,
    MailboxGroup,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    Skeleton,
    mailbox_group,
)


@given(
    st.lists(st.tuples(st.text(), st.integers(0, 3))), st.text(), st.lists(st.text(), min_size=4)
)
def test_a_skeleton_is_filled_in_order(
    pieces: list[tuple[str, int]], end: str, values: list[str]
) -> None:
    skeleton = Skeleton((*(text for text, _ in pieces), end), tuple(slot for _, slot in pieces))
    assert skeleton.fill(values) == "".join(text + values[slot] for text, slot in pieces) + end


def test_a_skeleton_whose_parts_do_not_fit_is_not_filled() -> None:
    with pytest.raises(ValueError, match=r"."):
        Skeleton(("a", "b"), (0, 0)).fill(["x"])


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("ann@gmail.com", MailboxGroup.GMAIL),
        ("ann@GoogleMail.COM", MailboxGroup.GMAIL),
        ("ann@hotmail.co.uk", MailboxGroup.MICROSOFT),
        ("ann@aol.com", MailboxGroup.YAHOO),
        ("ann@me.com", MailboxGroup.APPLE),
        ("ann@web.de", MailboxGroup.GMX),
        ("ann@pm.me", MailboxGroup.PROTON),
        ("ann@mail.gmail.com", MailboxGroup.OTHER),
        ("ann@notgmail.com", MailboxGroup.OTHER),
        ('"a@gmail.com"@example.com', MailboxGroup.OTHER),
        ("", MailboxGroup.OTHER),
    ],
)
def test_the_domain_says_whose_mailbox_it_is(address: str, group: MailboxGroup) -> None:
    assert mailbox_group(address) is group


def test_the_same_mail_to_fewer_people() -> None:
    people = tuple(OutgoingRecipient(n, f"m{n}", Mailbox(f"p{n}@example.com")) for n in range(3))
    batch = OutgoingBatch(
        kind=MessageKind.CAMPAIGN,
        sender=Mailbox("a@news.example", "Acme"),
        subject=Skeleton(("Hi",)),
        recipients=people,
        html=Skeleton(("<p>",)),
        text=Skeleton(("p",)),
        reply_to=Mailbox("r@news.example"),
        headers={"X-Campaign": "cmp_1"},
        tags=("autumn",),
    )
    fewer = batch.only(people[1:])
    assert fewer.recipients == people[1:]
    assert fewer.only(people) == batch
