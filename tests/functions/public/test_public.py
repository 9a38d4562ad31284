import base64
import html.parser
import io
import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from aws_lambda_powertools import Logger, Metrics

from functions.public.handler import respond
from functions.public.wiring import Public
from shared.audience.consent import ConsentService
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.errors import DependencyUnavailable
from shared.ids import Ids, SubscriberIds, UnsubscribeRef, UnsubscribeTokens
from tests.fakes import (
    FakeClock,
    FakeConsents,
    FakeMemberships,
    FakeSubscribers,
    FakeSuppressions,
    seeded_bytes,
)

ONE_CLICK = "List-Unsubscribe=One-Click"
ADDRESS = "ann@example.com"


_worlds = itertools.count()
"""Loggers of one name share one stream, so each world has its own name."""


class World:
    def __init__(self) -> None:
        self.log = io.StringIO()
        clock = FakeClock()
        ids = Ids(clock, seeded_bytes())
        self.ws, self.news, self.campaign = ids.new("ws"), ids.new("lst"), ids.new("cmp")
        self.ann = SubscriberIds(b"key").of(self.ws, ADDRESS)
        self.subscribers, self.memberships = FakeSubscribers(), FakeMemberships()
        self.suppressions = FakeSuppressions()
        self.tokens = UnsubscribeTokens({"k1": b"old", "k2": b"new"}, "k2")
        self.services = Public(
            ConsentService(
                self.subscribers, self.memberships, self.suppressions, clock, FakeConsents()
            ),
            self.tokens,
            Logger(service=f"public-{next(_worlds)}", stream=self.log),
            Metrics(namespace="Tidepost", service="public"),
        )
        self.memberships.add(self.ws, self.news, [self.ann])
        now = clock.now()
        lists = {self.news: ListState.SUBSCRIBED}
        self.subscribers.put(Subscriber(self.ann, self.ws, ADDRESS, now, now, lists))

    def token(self, *, everything: bool = False) -> str:
        list_id = None if everything else self.news
        return self.tokens.make(UnsubscribeRef(self.ws, self.ann, self.campaign, list_id))

    def call(
        self, method: str, token: str, body: str | None = None, *, in_base64: bool = False
    ) -> dict[str, Any]:
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": f"/u/{token}",
            "headers": {},
            "requestContext": {"http": {"method": method, "path": f"/u/{token}"}},
            "isBase64Encoded": in_base64,
        }
        if body is not None:
            event["body"] = body
        return respond(self.services, event)

    @property
    def stored(self) -> Subscriber:
        return self.subscribers.people[self.ws, self.ann]

    @property
    def has_left(self) -> bool:
        return (
            self.stored.lists == {self.news: ListState.UNSUBSCRIBED}
            and not self.memberships.lists[self.ws, self.news]
        )


class Page(html.parser.HTMLParser):
    """What a browser would find: forms with their fields, and anything that is not allowed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.tags: set[str] = set()
        self.language = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag == "html":
            self.language = values["lang"]
        if tag == "form":
            assert values == {"method": "post"}
            self.forms.append({})
        if tag in {"input", "button"}:
            self.forms[-1][values["name"]] = values["value"]


def test_opening_the_link_asks_and_changes_nothing() -> None:
    world = World()
    before = world.stored
    answer = world.call("GET", world.token())

    assert answer["statusCode"] == 200
    page = Page(answer["body"])
    assert page.forms == [
        {"List-Unsubscribe": "One-Click", "from": "list"},
        {"List-Unsubscribe": "One-Click", "from": "everything"},
    ]
    assert page.language == "en"
    assert {"title", "h1", "main", "meta"} <= page.tags
    assert page.tags.isdisjoint({"script", "img", "link", "iframe"})
    assert world.stored == before
    assert world.suppressions.entries == {}


def test_head_is_get_without_the_page() -> None:
    world = World()
    get, head = world.call("GET", world.token()), world.call("HEAD", world.token())
    assert head == {**get, "body": ""}
    assert not world.has_left


def multipart() -> str:
    return (
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        "One-Click\r\n--x--\r\n"
    )


@pytest.mark.parametrize(
    ("body", "in_base64"),
    [
        (ONE_CLICK, False),
        (base64.b64encode(ONE_CLICK.encode()).decode(), True),
        (multipart(), False),
        (base64.b64encode(multipart().encode()).decode(), True),
        (f"{ONE_CLICK}&from=list", False),
        (None, False),
        ("", False),
        ("not base64!", True),
        (base64.b64encode(b"\xff\xfe").decode(), True),
        ("x" * 100_000, False),
        ("&" * 900, False),
    ],
)
def test_a_post_takes_the_person_off_the_list_whatever_its_form(
    body: str | None, *, in_base64: bool
) -> None:
    world = World()
    answer = world.call("POST", world.token(), body, in_base64=in_base64)
    assert answer["statusCode"] == 200
    assert "You are unsubscribed" in answer["body"]
    assert world.has_left
    assert world.suppressions.entries == {}


def test_posting_again_gives_the_same_answer_and_changes_nothing() -> None:
    world = World()
    first = world.call("POST", world.token(), ONE_CLICK)
    left = world.stored
    assert world.call("POST", world.token(), ONE_CLICK) == first
    assert world.stored == left


@pytest.mark.parametrize("in_base64", [False, True])
def test_the_second_button_unsubscribes_from_everything(*, in_base64: bool) -> None:
    world = World()
    (_, form) = Page(world.call("GET", world.token())["body"]).forms
    body = "&".join(f"{name}={value}" for name, value in form.items())
    if in_base64:
        body = base64.b64encode(body.encode()).decode()
    answer = world.call("POST", world.token(), body, in_base64=in_base64)
    assert answer["statusCode"] == 200
    assert world.has_left
    entry = world.suppressions.entries[world.ws, world.ann]
    assert (entry.reason, entry.source) == (SuppressionReason.UNSUBSCRIBED, "link")


def test_a_link_from_everything_has_one_button() -> None:
    world = World()
    token = world.token(everything=True)
    assert len(Page(world.call("GET", token)["body"]).forms) == 1
    assert "no more mailings from this sender" in world.call("POST", token, ONE_CLICK)["body"]
    assert world.stored.suppressed is SuppressionReason.UNSUBSCRIBED


def test_tokens_survive_escaping_and_key_rotation() -> None:
    world = World()
    ref = UnsubscribeRef(world.ws, world.ann, world.campaign, world.news)
    old = UnsubscribeTokens({"k1": b"old"}, "k1").make(ref)
    assert world.call("POST", quote(old, safe=""), ONE_CLICK)["statusCode"] == 200
    assert world.has_left


def forgeries() -> list[str]:
    world = World()
    good = world.token()
    key, _, body = good.partition(".")
    flipped = body[:-3] + ("A" if body[-3] != "A" else "B") + body[-2:]
    return ["", "x", ".", "k1.", f"k9.{body}", f"k1.{body}", f"{key}.{flipped}", good[:-8], "k2.é"]


@pytest.mark.parametrize("token", forgeries())
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_forged_token_is_a_404_page(method: str, token: str) -> None:
    world = World()
    answer = world.call(method, token, ONE_CLICK)
    assert answer["statusCode"] == 404
    assert method == "HEAD" or "This link does not work" in answer["body"]
    assert not world.has_left


def test_other_paths_and_methods() -> None:
    world = World()
    event = {"rawPath": "/", "requestContext": {"http": {"method": "GET"}}}
    assert respond(world.services, event)["statusCode"] == 404
    refused = world.call("DELETE", world.token())
    assert (refused["statusCode"], refused["headers"]["allow"]) == (405, "GET, HEAD, POST")
    assert not world.has_left


def test_one_who_is_gone_gets_the_same_confirmation() -> None:
    world = World()
    world.subscribers.delete(world.ws, world.ann)
    for token in (world.token(), world.token(everything=True)):
        assert world.call("POST", token, ONE_CLICK)["statusCode"] == 200


def test_what_cannot_be_done_now_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail(_: Subscriber) -> Subscriber:
        raise DependencyUnavailable("DynamoDB did not answer; try again later")

    monkeypatch.setattr(world.subscribers, "put", fail)
    answer = world.call("POST", world.token(), ONE_CLICK)
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "60")
    assert "Please try again" in answer["body"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_every_answer_has_the_headers_and_sets_no_cookie(method: str) -> None:
    world = World()
    for token in (world.token(), "forged"):
        answer = world.call(method, token)
        headers: Mapping[str, str] = answer["headers"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "style-src 'unsafe-inline'", "form-action 'self'"} <= set(
            policy
        )
        assert headers.keys().isdisjoint({"set-cookie", "location"})
        assert answer.keys() == {"statusCode", "headers", "body"}


def test_one_log_line_without_token_or_person(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    token = world.token()
    for method in ("GET", "POST"):
        world.call(method, token, ONE_CLICK)
    logs = [json.loads(line) for line in world.log.getvalue().splitlines()]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(log["method"], log["outcome"]) for log in logs] == [
        ("GET", "asked"),
        ("POST", "unsubscribed"),
    ]
    assert [log["workspace"] for log in logs] == [world.ws, world.ws]
    assert [metric.get("asked") or metric.get("unsubscribed") for metric in metrics] == [[1], [1]]
    for secret in (token, token[5:40], ADDRESS, world.ann):
        assert secret not in json.dumps([logs, metrics])
