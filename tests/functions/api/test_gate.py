"""Who and what comes in."""

from __future__ import annotations

import pytest

from functions.api.endpoints import Endpoint
from functions.api.gate import MAX_JSON_BYTES, MAX_UPLOAD_BYTES
from functions.api.routes import NOUNS
from shared.access.model import Scope
from tests.functions.api.world import World

ENDPOINTS = [endpoint for noun in NOUNS for endpoint in noun.declared]
WITH_KEY = [endpoint for endpoint in ENDPOINTS if endpoint.scope is not None]


def example_path(path: str) -> str:
    return path.replace("{", "x").replace("}", "")


@pytest.mark.parametrize("endpoint", WITH_KEY, ids=lambda e: e.call.__name__)
def test_every_route_but_health_asks_for_a_key_before_it_looks_at_the_body(
    world: World, endpoint: Endpoint
) -> None:
    path = example_path(endpoint.path)
    answer = world.call(endpoint.method, path, raw="{not json", key=None)
    assert (answer.status, answer.problem) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tidepost"'


@pytest.mark.parametrize("endpoint", WITH_KEY, ids=lambda e: e.call.__name__)
def test_every_route_asks_for_its_scope(world: World, endpoint: Endpoint) -> None:
    assert endpoint.scope is not None
    others = set(Scope) - {endpoint.scope, Scope.ADMIN}
    key = world.issue(world.workspace, *others)
    answer = world.call(endpoint.method, example_path(endpoint.path), key=key)
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert endpoint.scope.value in answer.json["detail"]


def test_a_scope_of_its_own_is_enough(world: World) -> None:
    key = world.issue(world.workspace, Scope.SUBSCRIBERS_READ)
    assert world.call("GET", "/v1/lists", key=key).status == 200


@pytest.mark.parametrize(
    "key", ["nonsense", "tp_00000000000000000000_" + "A" * 43, "tp__", "täpost"]
)
def test_an_unknown_key_is_refused(world: World, key: str) -> None:
    assert world.call("GET", "/v1/lists", key=key).problem == "unauthenticated"


def test_a_key_has_a_rate_limit(world: World) -> None:
    key = world.issue(world.workspace, Scope.ADMIN, requests_per_minute=1)
    world.clock.advance(seconds=20)
    assert world.call("GET", "/v1/lists", key=key).status == 200
    answer = world.call("GET", "/v1/lists", key=key)
    assert (answer.status, answer.problem) == (429, "rate-limited")
    assert answer.headers["retry-after"] == "40"
    assert world.call("GET", "/v1/lists").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v2/lists", "/v1/lists/a/b/c", '/v1/lists/"']
)
def test_an_unknown_path_is_a_404(world: World, path: str) -> None:
    answer = world.call("GET", path)
    assert (answer.status, answer.problem) == (404, "no-such-route")


def test_a_wrong_method_is_a_405_that_names_the_right_ones(world: World) -> None:
    answer = world.call("DELETE", "/v1/campaigns")
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_a_slash_at_the_end_does_not_matter(world: World) -> None:
    assert world.call("GET", "/v1/lists/").status == 200


@pytest.mark.parametrize(
    ("path", "limit", "content_type"),
    [
        ("/v1/lists", MAX_JSON_BYTES, "application/json"),
        ("/v1/subscribers/imports", MAX_UPLOAD_BYTES, "text/csv"),
    ],
)
def test_a_large_body_is_a_413(world: World, path: str, limit: int, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    for raw in ("x" * (limit + 1), b"x" * (limit + 1), "x" * (2 * limit)):
        answer = world.call("POST", path, raw=raw, headers=headers)
        assert (answer.status, answer.problem) == (413, "body-too-large")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_body_that_is_not_json_is_a_415(world: World, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = world.call("POST", "/v1/lists", raw="name=x", headers=headers)
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe{}", '{"name": "x"', '{"name": NaN}', "[" * 100_000, "nul", "\ud800"]
)
def test_a_body_that_cannot_be_read_is_a_400(world: World, raw: str | bytes) -> None:
    answer = world.call("POST", "/v1/lists", raw=raw)
    assert answer.status == 400
    assert answer.problem in {"malformed-json", "malformed-body"}


def test_broken_base64_is_a_400(world: World) -> None:
    event = {
        "path": "/v1/lists",
        "httpMethod": "POST",
        "headers": {"authorization": f"Bearer {world.key}"},
        "requestContext": {"requestId": "r"},
        "body": "!!!",
        "isBase64Encoded": True,
    }
    assert world.api.handle(event, None)["statusCode"] == 400  # type: ignore[arg-type]  # unused


@pytest.mark.parametrize("raw", ['[{"name": "x"}]', '"x"', "1", "null", "[]"])
def test_a_body_that_is_no_object_is_a_422(world: World, raw: str) -> None:
    answer = world.call("POST", "/v1/lists", raw=raw)
    assert (answer.status, answer.problem) == (422, "invalid-input")
    assert answer.fields == ["body"]


def test_a_json_body_may_come_in_base64_and_without_a_content_type(world: World) -> None:
    assert world.call("POST", "/v1/lists", raw='{"name": "é"}'.encode()).status == 201
