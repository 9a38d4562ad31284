"""Every page in every language: whole, labelled, readable, themed, escaped, without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from functions.public import pages
from shared.audience.model import DoubleOptIn, ListState, MailingList, SuppressionReason
from shared.audience.page_settings import PageSettings, contrast
from shared.audience.texts import read_languages
from shared.errors import DependencyUnavailable
from tests.functions.public.world import ADDRESS, SENDER, Page, World

EVIL = "<script>alert('x')</script> & \"you\""

Opened = dict[str, Any]


def failing(world: World) -> Opened:
    def fail(*_: Any) -> None:
        raise DependencyUnavailable("DynamoDB did not answer; try again later")

    world.subscribers.put = fail  # type: ignore[method-assign,assignment]  # it breaks
    return world.post(f"/u/{world.token()}")


def busy(world: World) -> Opened:
    for number in range(11):
        answer = world.post(world.form, {"email": f"a{number}@example.com"})
    return answer


def confirmation(
    world: World, method: str = "POST", *, days: int = 0, blocked: bool = False
) -> Opened:
    world.post(world.form, {"email": ADDRESS})
    world.clock.advance(days=days)
    if blocked:
        world.services.consent.suppress(
            world.ws, world.ann, SuppressionReason.COMPLAINT, source="test"
        )
    return world.send(method, world.mailer.last.url.removeprefix("https://mail.example.com"))


def pending(world: World) -> Opened:
    world.change(lists={world.news: ListState.PENDING})
    return world.open(f"/p/{world.token()}")


PAGES: dict[str, Callable[[World], Opened]] = {
    "unsubscribe": lambda w: w.open(f"/u/{w.token()}"),
    "unsubscribe_all": lambda w: w.open(f"/u/{w.token(everything=True)}"),
    "unsubscribed": lambda w: w.post(f"/u/{w.token()}"),
    "unsubscribed_all": lambda w: w.post(f"/u/{w.token(everything=True)}"),
    "preferences": lambda w: w.open(f"/p/{w.token()}"),
    "pending": pending,
    "saved": lambda w: w.post(f"/p/{w.token()}", {"do": "save", "shown": w.news}),
    "left": lambda w: w.post(f"/p/{w.token()}", {"do": "everything"}),
    "form": lambda w: w.open(w.form),
    "form_invalid": lambda w: w.post(w.form, {"email": EVIL}),
    "form_taken": lambda w: w.post(w.form, {"email": "bob@example.com"}),
    "busy": busy,
    "confirm": lambda w: confirmation(w, "GET"),
    "confirmed": confirmation,
    "expired": lambda w: confirmation(w, days=31),
    "blocked": lambda w: confirmation(w, blocked=True),
    "unknown": lambda w: w.open("/u/forged"),
    "method": lambda w: w.send("PUT", "/u/forged"),
    "failed": failing,
}


def page_of(name: str, language: str) -> tuple[World, Opened, Page]:
    """A page of a workspace and lists that are called what nobody should call them."""
    world = World()
    world.change(locale=language)
    world.pages.save(
        world.ws,
        PageSettings(EVIL, "https://img.example.com/a.png?x=1&y=2", "#ffcc00", language),
    )
    one = world.lists.get(world.ws, world.news)
    world.lists.lists[world.ws, world.news] = MailingList(
        one.id, one.workspace, EVIL, one.created_at, EVIL, public=True,
        double_opt_in=DoubleOptIn(SENDER),
    )  # fmt: skip
    send = world.send

    def in_language(*arguments: Any, **named: Any) -> Opened:
        return send(*arguments, **{"lang": language, **named})

    world.send = in_language  # type: ignore[method-assign]  # as a browser of that language
    answer = PAGES[name](world)
    return world, answer, Page(answer["body"])


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_labelled_and_without_scripts(name: str, language: str) -> None:
    _, answer, page = page_of(name, language)
    assert page.language == language
    for once in ("html", "title", "main", "h1"):
        assert page.tags.count(once) == 1, once
    headings = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert set(page.tags).isdisjoint({"script", "iframe", "link", "object", "base", "table"})
    assert page.handlers == []
    assert 'name="viewport"' in answer["body"]
    assert len(page.ids) == len(set(page.ids))
    assert {control["id"] for control in page.controls} == page.labels
    assert set(page.described) <= set(page.ids)
    assert all(image["alt"] for image in page.images)
    assert "{" not in page.text.rpartition("}")[2]


@pytest.mark.parametrize("name", PAGES)
def test_what_just_happened_is_announced(name: str) -> None:
    _, _, page = page_of(name, "en")
    announced = {
        "unsubscribed": "status", "unsubscribed_all": "status", "saved": "status",
        "left": "status", "form_taken": "status", "confirmed": "status",
        "form_invalid": "alert", "blocked": "alert", "failed": "alert",
    }  # fmt: skip
    assert set(page.roles) == ({announced[name]} if name in announced else set())


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_words_of_another_language(name: str, language: str) -> None:
    _, _, page = page_of(name, language)
    texts, english = read_languages()[language], read_languages()["en"]
    shown = page.text.replace(english["language.name"], "")
    for key, text in english.by_key.items():
        if len(text) > 12 and "{" not in text and texts[key] != text:
            assert text not in shown, key


def test_no_text_but_these_names_the_person_or_holds_markup_of_a_workspace() -> None:
    for name in PAGES:
        _, answer, page = page_of(name, "en")
        assert ADDRESS not in answer["body"], name
        assert "<script" not in answer["body"], name
        assert "script" not in page.tags


def test_the_theme_is_the_workspaces_and_its_logo_alone_may_be_loaded() -> None:
    _, answer, page = page_of("preferences", "en")
    assert "--accent: #ffcc00; --on-accent: #000000" in answer["body"]
    assert page.images == [{"src": "https://img.example.com/a.png?x=1&y=2", "alt": EVIL}]
    policy = answer["headers"]["content-security-policy"]
    assert policy.endswith("; img-src https://img.example.com")
    plain = World().open(f"/p/{World().token()}")
    assert "img-src" not in plain["headers"]["content-security-policy"]
    assert Page(plain["body"]).images == []


@pytest.mark.parametrize(
    ("text", "background"),
    [
        (pages.TEXT, pages.BACKGROUND),
        (pages.ERROR, pages.BACKGROUND),
        (pages.DARK_TEXT, pages.DARK_BACKGROUND),
        (pages.DARK_ERROR, pages.DARK_BACKGROUND),
        (PageSettings().text_color, PageSettings().color),
    ],
)
def test_the_shipped_colours_can_be_read(text: str, background: str) -> None:
    assert contrast(text, background) >= 7


def test_no_accent_says_alone_what_something_means() -> None:
    """States are words and ticks: the only colours named in the pages are of the theme."""
    for name in PAGES:
        _, answer, _ = page_of(name, "en")
        body = answer["body"].partition("</style>")[2]
        assert "style=" not in body
        assert "color" not in body
