"""The confirmation page: only a POST subscribes, and only whom the link is for."""

import pytest

from shared.audience.model import ListState, SuppressionReason
from shared.ids import LinkKeys, UnsubscribeRef
from shared.links import ConfirmRef, ConfirmTokens
from tests.functions.public.world import ADDRESS, KEYS, Page, World

BOB = "bob@example.com"


@pytest.fixture
def world() -> World:
    """Bob has signed up; his link is the last mail's."""
    world = World()
    world.post(world.form, {"email": BOB}, lang="de")
    return world


def path(world: World) -> str:
    return world.mailer.last.url.removeprefix("https://mail.example.com")


def states(world: World, address: str = BOB) -> dict[str, ListState]:
    return dict(world.subscribers.people[world.ws, world.ids.of(world.ws, address)].lists)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_scanner_changes_nothing(world: World, method: str) -> None:
    answer = world.send(method, path(world))
    assert answer["statusCode"] == 200
    assert states(world) == {world.news: ListState.PENDING}


def test_the_page_asks_in_the_persons_language_and_a_post_subscribes(world: World) -> None:
    page = Page(world.open(path(world), headers={"accept-language": "fr"})["body"])
    assert page.language == "de"
    assert "News & more" in page.text
    assert page.forms == [{"do": ["confirm"]}]
    for _ in range(2):
        answer = world.post(path(world), page.forms[0])
        assert (answer["statusCode"], "angemeldet" in answer["body"]) == (200, True)
    assert states(world) == {world.news: ListState.SUBSCRIBED}


def test_her_choice_is_newer_than_an_unsubscription(world: World) -> None:
    world.post(f"/u/{world.token(everything=True)}")
    left = world.stored
    assert left.suppressed is SuppressionReason.UNSUBSCRIBED
    world.post(world.form, {"email": ADDRESS})
    assert world.stored.lists == {world.news: ListState.UNSUBSCRIBED}
    assert world.post(path(world))["statusCode"] == 200
    assert world.stored.lists == {world.news: ListState.SUBSCRIBED}
    assert world.stored.suppressed is None
    assert world.suppressions.entries == {}
    assert world.ann in world.memberships.lists[world.ws, world.news]


@pytest.mark.parametrize(
    "reason", [one for one in SuppressionReason if one is not SuppressionReason.UNSUBSCRIBED]
)
def test_no_other_suppression_is_hers_to_lift(reason: SuppressionReason) -> None:
    world = World()
    world.change(lists={})
    world.post(world.form, {"email": ADDRESS})
    world.services.consent.suppress(world.ws, world.ann, reason, source="test")
    before = world.stored
    answer = world.post(path(world))
    assert "blocked" in Page(answer["body"]).roles["alert"]
    assert world.stored == before
    assert world.suppressions.entries[world.ws, world.ann].reason is reason


def test_a_link_expires_and_says_so(world: World) -> None:
    world.clock.advance(days=30)
    assert world.open(path(world))["statusCode"] == 200
    world.clock.advance(seconds=1)
    for answer in (world.open(path(world)), world.post(path(world))):
        assert (answer["statusCode"], "zu alt" in answer["body"]) == (410, True)
    assert states(world) == {world.news: ListState.PENDING}


def test_a_link_to_what_is_gone_says_so(world: World) -> None:
    world.subscribers.delete(world.ws, world.ids.of(world.ws, BOB))
    assert world.post(path(world))["statusCode"] == 410
    world.post(world.form, {"email": BOB})
    world.lists.delete(world.ws, world.news)
    assert world.post(path(world))["statusCode"] == 410


def test_a_list_that_ended_its_double_opt_in_still_takes_the_answer(world: World) -> None:
    closed = world.lists.get(world.ws, world.news)
    world.lists.lists[world.ws, world.news] = type(closed)(
        closed.id, closed.workspace, closed.name, closed.created_at
    )
    world.post(path(world))
    assert states(world) == {world.news: ListState.SUBSCRIBED}


def test_a_token_is_good_for_its_own_purpose_alone(world: World) -> None:
    link, form = path(world).removeprefix("/c/"), world.form.removeprefix("/s/")
    mine = world.token()
    for page, tokens in {"u": (link, form), "p": (link, form), "c": (mine, form),
                         "s": (mine, link)}.items():  # fmt: skip
        for token in tokens:
            assert world.open(f"/{page}/{token}")["statusCode"] == 404
            assert world.post(f"/{page}/{token}", {"do": "save"})["statusCode"] == 404
    assert states(world) == {world.news: ListState.PENDING}


def test_a_token_of_somebody_else_or_another_list_cannot_be_made(world: World) -> None:
    """Every part of a confirmation's token is signed."""
    token = path(world).removeprefix("/c/")
    tokens = ConfirmTokens(LinkKeys(KEYS, "k2"))
    ref = tokens.parse(token)
    other = tokens.make(ConfirmRef(ref.workspace, world.ann, ref.list_id, ref.asked_at))
    assert tokens.make(ref) == token != other
    for place in range(3, len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert world.post(f"/c/{changed}")["statusCode"] == 404
    made = world.tokens.make(UnsubscribeRef(world.ws, world.ann, world.campaign, world.news))
    assert world.post(f"/c/{made}")["statusCode"] == 404
