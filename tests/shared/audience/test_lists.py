import pytest

from shared.audience.lists import MAX_LISTS, joining, list_problems
from shared.audience.model import DoubleOptIn, ListState
from shared.errors import InvalidInput, NotFound
from shared.mail import Mailbox
from tests.shared.audience.world import World


def test_a_list_through_its_life() -> None:
    world = World()
    news = world.lists.create(world.ws, " News ", " weekly ")
    assert (news.name, news.description) == ("News", "weekly")
    assert world.lists.get(world.ws, news.id) == news

    renamed = world.lists.update(world.ws, news.id, name="Letters")
    assert (renamed.name, renamed.description) == ("Letters", "weekly")
    described = world.lists.update(world.ws, news.id, description="")
    assert (described.name, described.description) == ("Letters", "")

    world.clock.advance(seconds=1)
    offers = world.lists.create(world.ws, "Offers")
    first = world.lists.page(world.ws, limit=1)
    assert [one.name for one in first.items] == ["Letters"]
    assert world.lists.page(world.ws, limit=1, cursor=first.cursor).items == (offers,)

    world.lists.delete(world.ws, news.id)
    with pytest.raises(NotFound):
        world.lists.get(world.ws, news.id)
    with pytest.raises(NotFound):
        world.lists.delete(world.ws, news.id)


def test_who_joins_is_pending_where_a_list_asks() -> None:
    world = World()
    plain = world.lists.create(world.ws, "Plain")
    opt_in = DoubleOptIn(Mailbox("news@example.com"))
    asks = world.lists.create(world.ws, "Asks", public=True, double_opt_in=opt_in)
    assert joining([plain, asks]) == {
        plain.id: ListState.SUBSCRIBED,
        asks.id: ListState.PENDING,
    }
    assert world.add("ann@example.com", plain.id, asks.id).lists == joining([plain, asks])
    renamed = world.lists.update(world.ws, asks.id, name="Letters")
    assert (renamed.public, renamed.double_opt_in) == (True, opt_in)
    ended = world.lists.update(world.ws, asks.id, public=False, double_opt_in=None)
    assert (ended.public, ended.double_opt_in) == (False, None)


@pytest.mark.parametrize(
    ("name", "description", "fields"),
    [
        (" ", "", ["name"]),
        ("x" * 101, "x" * 1001, ["name", "description"]),
        ("a\r\nb", "", ["name"]),
    ],
)
def test_wrong_names(name: str, description: str, fields: list[str]) -> None:
    world = World()
    with pytest.raises(InvalidInput) as refused:
        world.lists.create(world.ws, name, description)
    assert [problem.field for problem in refused.value.problems] == fields
    news = world.a_list()
    with pytest.raises(InvalidInput):
        world.lists.update(world.ws, news, name=name, description=description)


def test_unknown_lists_are_named_by_their_place() -> None:
    world = World()
    ids = [world.a_list(), "", "lst_x", world.a_list()]
    assert [p.field for p in list_problems(world.list_store, world.ws, ids)] == [
        "lists.1",
        "lists.2",
    ]
    (problem,) = list_problems(world.list_store, world.ws, ids * MAX_LISTS)
    assert problem.field == "lists"
