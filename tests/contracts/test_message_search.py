"""The search of Postmark, against a server that talks its dialect, and the fake behave alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import pytest
from postmarker.core import PostmarkClient

from shared.config import PostmarkProvider
from shared.delivery.ports import MessageSearch
from shared.errors import DependencyUnavailable
from shared.mail import MessageKind
from shared.providers.postmark.search import PostmarkSearch
from shared.transport import Transport
from tests.contracts.dialects import SERVER_TOKEN
from tests.fakes import FakeMessageSearch
from tests.recording_server import Answer, Recorded, RecordingServer, recording_server

CONFIG = PostmarkProvider(name="pm", kind="postmark", weight=1, secret="pm")
STREAMS = {MessageKind.CAMPAIGN: "broadcast", MessageKind.TRANSACTIONAL: "outbound"}


class Take(Protocol):
    """The account takes a message."""

    def __call__(self, kind: MessageKind, message_id: str) -> None: ...


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        yield running


@pytest.fixture
def postmark(server: RecordingServer) -> Iterator[PostmarkSearch]:
    transport = Transport(server.url, connect_timeout_s=2, read_timeout_s=2)
    yield PostmarkSearch(CONFIG, lambda: SERVER_TOKEN, transport)
    transport.close()


@pytest.fixture(params=["fake", "postmark"])
def world(
    request: pytest.FixtureRequest, server: RecordingServer
) -> tuple[MessageSearch, Take, Callable[[], None]]:
    """The search, how its account takes a message, and how it stops answering."""
    if request.param == "fake":
        fake = FakeMessageSearch("pm")
        return (
            fake,
            lambda kind, message_id: fake.taken.add((kind, message_id)),
            lambda: setattr(fake, "down", True),
        )
    taken: list[tuple[str, str]] = []

    def search(asked: Recorded) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
        wanted = (query["messagestream"], query["metadata_tidepost_id"])
        found = [one for one in taken if one == wanted]
        messages = [{"MessageID": "m", "Metadata": {"tidepost_id": id_}} for _, id_ in found]
        return Answer(200, {"TotalCount": len(found), "Messages": messages})

    def stop() -> None:
        server.react = lambda _: Answer(503, "down for maintenance")

    server.react = search
    return (
        request.getfixturevalue("postmark"),
        lambda kind, message_id: taken.append((STREAMS[kind], message_id)),
        stop,
    )


def test_what_was_taken_is_found(world: tuple[MessageSearch, Take, Callable[[], None]]) -> None:
    search, take, _ = world
    assert search.provider == "pm"
    take(MessageKind.CAMPAIGN, "AQ_one-1")
    take(MessageKind.TRANSACTIONAL, "AQ_two-2")
    assert search.has(MessageKind.CAMPAIGN, "AQ_one-1")
    assert search.has(MessageKind.TRANSACTIONAL, "AQ_two-2")
    assert not search.has(MessageKind.CAMPAIGN, "AQ_two-2")
    assert not search.has(MessageKind.CAMPAIGN, "AQ_three")


def test_no_answer_is_no_no(world: tuple[MessageSearch, Take, Callable[[], None]]) -> None:
    search, _, stop = world
    stop()
    with pytest.raises(DependencyUnavailable):
        search.has(MessageKind.CAMPAIGN, "AQ_one-1")


def test_it_asks_as_the_sdk_asks(server: RecordingServer, postmark: PostmarkSearch) -> None:
    server.react = lambda _: Answer(200, {"TotalCount": 0, "Messages": []})
    assert not postmark.has(MessageKind.CAMPAIGN, "AQ_one-1")
    client = PostmarkClient(server_token=SERVER_TOKEN, root_api_url=server.url, timeout=5)
    client.call(
        "GET",
        "/messages/outbound",
        count=1,
        offset=0,
        messagestream="broadcast",
        metadata_tidepost_id="AQ_one-1",
    )
    ours, theirs = server.requests
    assert ours.path == theirs.path
    for name in ("x-postmark-server-token", "accept"):
        assert ours.headers[name] == theirs.headers[name]
    assert ours.body == theirs.body == b""


FOUND = {"TotalCount": 1, "Messages": [{"Metadata": {"tidepost_id": "AQ_one-1"}}]}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, "not JSON"),
        (200, []),
        (200, {}),
        (200, {"TotalCount": 3, "Messages": []}),
        (200, {"TotalCount": 0, "Messages": None}),
        (200, {"TotalCount": 1, "Messages": [{"MessageID": "m"}]}),
        (200, {"TotalCount": 1, "Messages": ["m"]}),
        # The filter was not understood, and another's message is what was found.
        (200, {"TotalCount": 9, "Messages": [{"Metadata": {"tidepost_id": "AQ_other"}}]}),
        (401, {"ErrorCode": 10, "Message": "Bad or missing Server API token."}),
        (429, {"ErrorCode": 429, "Message": "Rate limit exceeded."}),
        (500, FOUND),
        (302, FOUND),
    ],
)
def test_what_is_not_understood_says_nothing(
    server: RecordingServer, postmark: PostmarkSearch, status: int, answer: object
) -> None:
    server.react = lambda _: Answer(status, json.dumps(answer).encode())
    with pytest.raises(DependencyUnavailable) as error:
        postmark.has(MessageKind.CAMPAIGN, "AQ_one-1")
    assert SERVER_TOKEN not in str(error.value)
    assert "AQ_" not in str(error.value)
