"""The preference centre: what it shows, saves, and leaves alone."""

from typing import Any

import pytest

from shared.audience.model import ListState, SuppressionReason
from shared.audience.page_settings import PageSettings
from shared.errors import DependencyUnavailable
from tests.functions.public.world import ADDRESS, Page, World


def show(world: World, **more: Any) -> Page:
    answer = world.open(f"/p/{world.token()}", **more)
    assert answer["statusCode"] == 200
    return Page(answer["body"])


def save(world: World, *wanted: str, **fields: Any) -> Page:
    shown = show(world)
    form: dict[str, Any] = {
        "do": "save",
        "shown": shown.forms[0].get("shown", []),
        "language_was": shown.forms[0]["language_was"],
        "language": shown.selected,
        "list": list(wanted),
        **fields,
    }
    return Page(world.post(f"/p/{world.token()}", form)["body"])


def test_it_shows_the_public_lists_and_hers_ticked() -> None:
    world = World()
    world.lists.lists[world.ws, "lst_x"] = type(world.lists.get(world.ws, world.deals))(
        "lst_x", world.ws, "Staff only", world.clock.now()
    )
    page = show(world)
    assert sorted(page.forms[0]["shown"]) == sorted([world.news, world.deals])
    assert page.checked == [world.news]
    assert "News & more" in page.text
    assert "Weekly" in page.text
    assert "Staff only" not in page.text
    assert ADDRESS not in page.text


def test_a_get_changes_nothing_and_neither_does_a_post_of_anything_else() -> None:
    world = World()
    before = world.stored
    show(world)
    for form in ({}, {"list": world.deals}, {"do": "x", "shown": world.news}):
        world.post(f"/p/{world.token()}", form)
    assert world.stored == before


def test_saving_joins_what_is_ticked_and_leaves_what_is_not() -> None:
    world = World()
    for _ in range(2):
        page = save(world, world.deals)
        assert "saved" in page.roles["status"]
        assert page.checked == [world.deals]
    assert world.stored.lists == {
        world.news: ListState.UNSUBSCRIBED,
        world.deals: ListState.SUBSCRIBED,
    }
    assert world.memberships.lists[world.ws, world.deals] == {world.ann}
    assert world.memberships.lists[world.ws, world.news] == set()
    assert world.mailer.sent == {}


def test_a_list_that_was_not_shown_or_is_not_public_is_not_touched() -> None:
    world = World()
    save(world, shown=[world.deals])
    assert world.stored.lists == {world.news: ListState.SUBSCRIBED}
    save(world, "lst_of_another_workspace", shown=["lst_of_another_workspace", world.news, "x"])
    assert world.stored.lists == {world.news: ListState.UNSUBSCRIBED}


def test_what_she_never_was_on_and_does_not_want_stays_nothing() -> None:
    world = World()
    save(world, world.news)
    assert world.stored.lists == {world.news: ListState.SUBSCRIBED}


def test_who_is_pending_is_told_and_can_join_here() -> None:
    world = World()
    world.change(lists={world.news: ListState.PENDING})
    page = show(world)
    assert page.checked == []
    assert "not confirmed yet" in page.text
    assert save(world, world.news).checked == [world.news]


def test_leaving_everything() -> None:
    world = World()
    page = Page(world.post(f"/p/{world.token()}", show(world).forms[1])["body"])
    assert "everything" in page.roles["status"]
    assert page.checked == []
    assert world.stored.suppressed is SuppressionReason.UNSUBSCRIBED
    entry = world.suppressions.entries[world.ws, world.ann]
    assert (entry.reason, entry.source) == (SuppressionReason.UNSUBSCRIBED, "preference_centre")


def test_joining_again_lifts_an_unsubscription_but_no_complaint() -> None:
    world = World()
    world.post(f"/p/{world.token()}", {"do": "everything"})
    save(world, world.deals)
    assert world.stored.suppressed is None
    assert world.stored.lists[world.news] is ListState.UNSUBSCRIBED
    world.services.consent.suppress(world.ws, world.ann, SuppressionReason.COMPLAINT, source="test")
    page = save(world, world.news)
    assert "blocked" in page.roles["alert"]
    assert world.stored.lists == {
        world.news: ListState.UNSUBSCRIBED,
        world.deals: ListState.UNSUBSCRIBED,
    }


def test_a_language_is_kept_if_she_chose_it() -> None:
    world = World()
    world.change(locale="es-MX")
    assert show(world).selected == ["en"]
    save(world, world.news)
    assert world.stored.locale == "es-MX"
    page = save(world, world.news, language="fr")
    assert (page.language, page.selected) == ("fr", ["fr"])
    assert world.stored.locale == "fr"
    world.change(locale="de-AT")
    save(world, world.news, language="de", language_was="fr")
    assert world.stored.locale == "de-AT"
    save(world, world.news, language="xx")
    assert world.stored.locale == "de-AT"


def test_a_link_in_an_old_mail_leads_to_the_address_she_has_now() -> None:
    world = World()
    new = world.ids.of(world.ws, "ann@new.example")
    moved = world.stored
    world.subscribers.put(type(moved)(new, world.ws, "ann@new.example", moved.created_at,
                                      moved.updated_at, moved.lists))  # fmt: skip
    world.change(deleted=True, moved_to=new, address="", lists={})
    save(world, world.deals)
    assert world.subscribers.get(world.ws, new).lists[world.deals] is ListState.SUBSCRIBED


def test_who_is_gone_has_no_preferences() -> None:
    world = World()
    world.subscribers.delete(world.ws, world.ann)
    assert world.open(f"/p/{world.token()}")["statusCode"] == 404
    assert world.post(f"/p/{world.token()}", {"do": "everything"})["statusCode"] == 404


def test_the_language_is_hers_then_the_links_the_browsers_the_workspaces_english() -> None:
    world = World()
    german = {"accept-language": "xx, de-CH;q=0.8, fr;q=0.9, en;q=0"}
    assert show(world).language == "en"
    world.pages.save(world.ws, PageSettings(locale="de"))
    assert show(world).language == "de"
    assert show(world, headers=german).language == "fr"
    assert show(world, headers=german, lang="de").language == "de"
    assert show(world, headers=german, lang="xx").language == "fr"
    world.change(locale="en-GB")
    assert show(world, headers=german, lang="de").language == "en"


def test_an_unsubscription_does_not_wait_for_its_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail(_: str) -> PageSettings:
        raise DependencyUnavailable("DynamoDB did not answer; try again later")

    monkeypatch.setattr(world.pages, "get", fail)
    assert world.post(f"/u/{world.token()}")["statusCode"] == 200
    assert world.stored.lists == {world.news: ListState.UNSUBSCRIBED}
