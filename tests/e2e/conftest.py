"""One local cloud for all end-to-end tests, with ports and a folder of its own."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.aws import client
from local.client import Client
from local.cloud import Cloud, running
from local.demo.preparing import Prepared
from local.demo.show import Show
from local.demo.summary import Result
from local.failure import Busy
from local.place import ROOT, Place
from local.sandbox_client import SandboxClient
from local.seed import make_key
from local.steps import Steps

ROWS = 600
PATIENCE_S = 180.0
_POLL_S = 0.5


def until(
    look: Callable[[], Any], done: Callable[[Any], bool], patience_s: float = PATIENCE_S
) -> Any:
    """What `look` gives once it is done; fails if that takes longer than is patient."""
    end = time.monotonic() + patience_s
    seen: Any = None
    while time.monotonic() < end:
        try:
            seen = look()
        except Busy as error:
            seen = error
        else:
            if done(seen):
                return seen
        time.sleep(_POLL_S)
    raise AssertionError(f"still not so after {patience_s:.0f} s: {seen}")


@dataclass(frozen=True)
class World:
    """A workspace on the cloud, with a verified sender domain."""

    cloud: Cloud
    api: Client
    sandbox: SandboxClient
    domain: str

    @property
    def sender(self) -> dict[str, str]:
        return {"email": f"news@{self.domain}", "name": "News"}

    def list_of(self, addresses: list[str]) -> str:
        """A new list with these people on it."""
        made = self.api.post("/lists", {"name": "people"})["id"]
        content = "\n".join(["email,first_name", *(f"{a},Ada" for a in addresses)])
        job = self.api.upload("/subscribers/imports", content.encode(), "text/csv", lists=made)[
            "id"
        ]
        until(
            lambda: self.api.get(f"/subscribers/imports/{job}"),
            lambda seen: seen["state"] == "done",
        )
        list_id: str = made
        return list_id

    def campaign(self, lists: list[str], sender: dict[str, str] | None = None) -> str:
        """A draft with a small template."""
        template = self.api.post(
            "/templates",
            {
                "name": "small",
                "subject": "Hello {{ subscriber.attributes.first_name }}",
                "html": '<p>Hello</p><a href="https://example.com/a">a</a>',
            },
        )["id"]
        draft = {
            "name": "c",
            "sender": sender or self.sender,
            "template": template,
            "lists": lists,
        }
        made: str = self.api.post("/campaigns", draft)["id"]
        return made

    def launch(self, campaign: str) -> None:
        self.api.post(f"/campaigns/{campaign}/launch")

    def report(self, campaign: str) -> dict[str, Any]:
        report: dict[str, Any] = self.api.get(f"/campaigns/{campaign}/report")
        return report

    def accounted(self, campaign: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The report once nobody is pending or in doubt."""
        report: dict[str, Any] = until(
            lambda: self.report(campaign),
            lambda r: r["recipients"] > 0 and r["pending"] == 0 == r["in_doubt"],
            patience_s,
        )
        return report

    def invoke(self, function: str) -> Any:
        """Invokes a function by hand, as an operator may; `function` as in the outputs."""
        name = self.cloud.deployed.outputs[function]
        functions = client("lambda", self.cloud.deployed.aws_url)
        answer = functions.invoke(FunctionName=name, Payload=b"{}")
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return body

    def person(self, address: str) -> dict[str, Any]:
        [found] = self.api.get("/subscribers", email=address)["items"]
        person: dict[str, Any] = found
        return person


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    place = Place(ROOT / ".local" / "e2e")
    with place.held(), running(place, Steps()) as up:
        yield up


@dataclass(frozen=True)
class Ran:
    """The demo's campaign, run to its end."""

    prepared: Prepared
    result: Result
    campaign: str


@pytest.fixture(scope="session")
def world(cloud: Cloud) -> World:
    """The workspace that the demo's campaign runs in."""
    return World(
        cloud,
        Client(cloud.deployed.api_url, cloud.api_key),
        SandboxClient(cloud.sandbox_url),
        "news.example",
    )


@pytest.fixture(scope="session")
def ran(world: World) -> Ran:
    show = Show(world.api, world.sandbox, Steps(), world.domain)
    prepared = show.prepare(ROWS)
    result = show.send(prepared)
    [campaign] = world.api.get("/campaigns")["items"]
    return Ran(prepared, result, campaign["id"])


@pytest.fixture(scope="session")
def stranger(cloud: Cloud) -> Client:
    """The key of another workspace."""
    return Client(cloud.deployed.api_url, make_key(cloud.deployed, "Stranger"))


@pytest.fixture
def calm(world: World, ran: Ran) -> Iterator[World]:
    """The same workspace with ESPs that do what they are told, and nobody who does anything."""
    assert ran.campaign
    before = world.sandbox.behaviour()
    quiet = {"providers": before["providers"], "seed": 1}
    world.sandbox.replace(quiet)
    yield world
    world.sandbox.replace(before)
