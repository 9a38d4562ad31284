"""Bad input through the deployed API: a clear error each, and nothing done."""

import pytest

from local.client import ApiError, Client
from local.http import request
from tests.e2e.conftest import Ran, World

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("email,name\nj\xf6rg@acme.example,J\n".encode("latin-1"), "not UTF-8"),
        (b"ann@acme.example,Ann\n", "header"),
        (b"name,city\nAnn,Bonn\n", "no column named email"),
        (b"email,note\nann@acme.example," + b"x" * 20_000 + b"\n", "over 10240 characters"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_whole(
    world: World, content: bytes, says: str
) -> None:
    with pytest.raises(ApiError, match=says) as refused:
        world.api.upload("/subscribers/imports", content, "text/csv")
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject": "Hello {{ name"}, "subject"),
        ({"html": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"},
         "html"),
        ({"subject": "two\nlines"}, "line break"),
    ],
)  # fmt: skip
def test_a_bad_template_is_refused(world: World, changes: dict[str, str], says: str) -> None:
    good = {"name": "t", "subject": "s", "html": "<p>h</p>"}
    with pytest.raises(ApiError, match=says) as refused:
        world.api.post("/templates", good | changes)
    assert refused.value.status == 422


def test_a_sender_name_with_a_line_break_is_refused(world: World, ran: Ran) -> None:
    sender = world.sender | {"name": "News\r\nBcc: all@acme.example"}
    with pytest.raises(ApiError, match=r"sender\.name") as refused:
        world.campaign([ran.prepared.list_id], sender)
    assert refused.value.status == 422


def test_another_workspaces_domain_cannot_be_used(world: World, ran: Ran, stranger: Client) -> None:
    assert ran.campaign
    template = stranger.post("/templates", {"name": "t", "subject": "s", "html": "h"})["id"]
    made = stranger.post("/lists", {"name": "l"})["id"]
    draft = {"name": "c", "sender": world.sender, "template": template, "lists": [made]}
    with pytest.raises(ApiError, match=r"sender\.email") as refused:
        stranger.post("/campaigns", draft)
    assert refused.value.status == 422


def test_a_launch_that_cannot_go_well_is_refused(world: World, ran: Ran) -> None:
    empty = world.api.post("/lists", {"name": "empty"})["id"]
    unverified = {"email": "news@unverified.example"}
    for campaign, says in (
        (world.campaign([ran.prepared.list_id], unverified), "sender"),
        (world.campaign(["lst_06f2m1v5q0g4k8s2c7d0"]), "there is no list"),
        (world.campaign([empty]), "have no members"),
    ):
        with pytest.raises(ApiError, match=says) as refused:
            world.launch(campaign)
        assert refused.value.status == 422
        assert world.api.get(f"/campaigns/{campaign}")["state"] == "draft"


def test_without_a_key_nothing_is_told(world: World) -> None:
    answer = request("GET", f"{world.cloud.deployed.api_url}/v1/campaigns")
    assert answer.status == 401
    assert answer.json()["type"].endswith(":unauthenticated")


def test_the_docs_are_served(world: World) -> None:
    assert request("GET", f"{world.cloud.deployed.api_url}/docs").status == 200
