"""The mail that asks: shipped in every language, sent once, and nobody's source but ours."""

from __future__ import annotations

from html import unescape

import pytest

from shared.audience.model import DoubleOptIn, MailingList
from shared.audience.texts import read_languages
from shared.delivery.confirmation_mail import ConfirmationMails
from shared.errors import InvalidInput, WrongState
from shared.mail import Mailbox, OutgoingBatch
from tests.shared.delivery.world import DOMAIN, World

LANGUAGES = read_languages()
SENDER = Mailbox(f"news@{DOMAIN}", "News")
URL = "https://mail.example.com/c/k1.abc"


def a_list(world: World, name: str = "News", opt_in: DoubleOptIn | None = None) -> MailingList:
    return MailingList("lst_a", world.workspace, name, world.clock.now(), double_opt_in=opt_in)


def batches(world: World) -> list[OutgoingBatch]:
    world.drain()
    return [batch for sender in world.senders.values() for batch in sender.batches]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shipped_mail_is_in_the_persons_language(language: str) -> None:
    world = World()
    mails = ConfirmationMails(world.messages(), LANGUAGES)
    name = "{{ 1 + 1 }} & <b>Ärger</b>"
    for _ in range(2):
        mails.send(
            a_list(world, name, DoubleOptIn(SENDER)),
            "bob@example.com",
            language=language,
            url=URL,
            once="first",
        )
    (batch,) = batches(world)
    (recipient,) = batch.recipients
    assert batch.html
    assert batch.text
    subject, html, text = (
        part.fill(recipient.values) for part in (batch.subject, batch.html, batch.text)
    )
    texts = LANGUAGES[language]
    assert subject == texts["mail.subject"].replace("{list}", name)
    assert texts["mail.ask"].replace("{list}", name) in text
    assert f"\n{URL}\n" in text
    assert f'<html lang="{language}">' in html
    assert f'<a href="{URL}">{texts["mail.button"]}</a>' in html
    assert "<b>" not in html
    assert texts["mail.ask"].replace("{list}", name) in unescape(html)
    assert (batch.tags, dict(recipient.headers)) == (("confirmation",), {})


def test_asked_another_time_it_is_another_mail() -> None:
    world = World()
    mails = ConfirmationMails(world.messages(), LANGUAGES)
    asks = a_list(world, opt_in=DoubleOptIn(SENDER))
    for once in ("first", "second"):
        mails.send(asks, "bob@example.com", language="en", url=URL, once=once)
    assert len(batches(world)) == 2


def test_what_is_wrong_with_the_list_is_told_apart_from_the_address() -> None:
    world = World()
    mails = ConfirmationMails(world.messages(), LANGUAGES)
    for opt_in in (
        DoubleOptIn(Mailbox("news@lost.example")),
        DoubleOptIn(SENDER, "tpl_gone"),
        None,
    ):
        with pytest.raises(WrongState, match="lst_a"):
            mails.send(
                a_list(world, opt_in=opt_in), "a@example.com", language="en", url=URL, once="x"
            )
    with pytest.raises(InvalidInput) as refused:
        mails.send(
            a_list(world, opt_in=DoubleOptIn(SENDER)), "bad", language="en", url=URL, once="x"
        )
    assert [problem.field for problem in refused.value.problems] == ["email"]


def test_a_list_is_checked_before_it_asks_anybody() -> None:
    world = World()
    mails = ConfirmationMails(world.messages(), LANGUAGES)
    mails.check(world.workspace, DoubleOptIn(SENDER))
    for opt_in, field in (
        (DoubleOptIn(Mailbox("bad")), "double_opt_in.sender.email"),
        (DoubleOptIn(Mailbox(f"news@{DOMAIN}", "a\nb")), "double_opt_in.sender.name"),
        (DoubleOptIn(Mailbox("news@lost.example")), "double_opt_in.sender.email"),
        (DoubleOptIn(SENDER, "tpl_gone"), "double_opt_in.template"),
        (DoubleOptIn(SENDER, world.template_id), "double_opt_in.template"),
    ):
        with pytest.raises(InvalidInput) as refused:
            mails.check(world.workspace, opt_in)
        assert {problem.field for problem in refused.value.problems} == {field}
    assert batches(world) == []
