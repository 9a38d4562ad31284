"""Every error is a problem document, and a 500 tells nothing of what is inside."""

from __future__ import annotations

import pytest

from functions.api.problems import STATUS, problem_of
from shared import errors
from shared.audience.lists import ListService
from shared.delivery.campaigns import CampaignService
from shared.errors import (
    AlreadyExists,
    ConfigurationError,
    DependencyUnavailable,
    FieldProblem,
    InvalidInput,
    RateLimited,
    TemplateInvalid,
    TidepostError,
    WebhookRejected,
    WrongState,
)
from tests.functions.api.world import World


def subclasses(cls: type[TidepostError]) -> set[type[TidepostError]]:
    return {cls}.union(*(subclasses(child) for child in cls.__subclasses__()))


def test_every_error_of_the_tree_that_a_caller_may_meet_has_a_status() -> None:
    of_this_tree = {c for c in subclasses(TidepostError) if c.__module__ == errors.__name__}
    unmapped = {cls for cls in of_this_tree if not any(base in STATUS for base in cls.__mro__)}
    assert unmapped == {TidepostError, *subclasses(WebhookRejected)}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidInput(FieldProblem("name", "is empty")), 422, "invalid-input"),
        (TemplateInvalid("html", "has no end", 3), 422, "template-invalid"),
        (errors.Unauthenticated("no"), 401, "unauthenticated"),
        (errors.Forbidden("no"), 403, "forbidden"),
        (RateLimited("no", 7), 429, "rate-limited"),
        (errors.NotFound("list", "lst_x"), 404, "not-found"),
        (errors.ForgedToken("no"), 404, "forged-token"),
        (errors.Conflict("no"), 409, "conflict"),
        (AlreadyExists("no"), 409, "already-exists"),
        (WrongState("no"), 409, "wrong-state"),
        (errors.StaleWrite("no"), 409, "stale-write"),
        (DependencyUnavailable("no"), 503, "dependency-unavailable"),
        (ConfigurationError("table x"), 500, "configuration-error"),
        (errors.BadSignature("secret"), 500, "internal-error"),
        (TidepostError("secret"), 500, "internal-error"),
        (KeyError("ada@example.com"), 500, "internal-error"),
    ],
)
def test_errors_have_their_status_and_type(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    assert problem.title
    assert (str(error) in problem.body("r")) == (status < 500 or status == 503)


def test_a_template_problem_names_part_and_line(world: World) -> None:
    body = {"name": "Bad", "subject": "Hi", "html": "<p>\n{% if x %}"}
    answer = world.call("POST", "/v1/templates", body)
    assert (answer.status, answer.problem) == (422, "template-invalid")
    assert answer.fields[0].startswith("html")


def test_fields_are_named_by_their_path(world: World) -> None:
    body = {
        "name": 7,
        "sender": {"email": "a", "nmae": "x"},
        "template": "tpl_x",
        "lists": [],
        "unknown": 1,
    }
    answer = world.call("POST", "/v1/campaigns", body)
    assert (answer.status, answer.problem) == (422, "invalid-input")
    assert set(answer.fields) == {"name", "sender.email", "sender.nmae", "lists", "unknown"}
    assert all(error["reason"] for error in answer.json["errors"])


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": "0"}, "limit"), ({"limit": "many"}, "limit"), ({"cursor": "xx"}, "cursor")],
)
def test_query_parameters_are_named(world: World, query: dict[str, str], field: str) -> None:
    answer = world.call("GET", "/v1/lists", query=query)
    assert (answer.status, answer.fields) == (422, [field])


def test_a_missing_body_is_named(world: World) -> None:
    answer = world.call("POST", "/v1/lists")
    assert (answer.status, answer.fields) == (422, ["body"])


def test_an_unexpected_error_is_a_500_that_says_nothing_and_logs_where(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr(ListService, "get", fail)
    answer = world.call("GET", "/v1/lists/lst_x")
    assert (answer.status, answer.problem) == (500, "internal-error")
    assert answer.json["instance"] == answer.headers["x-request-id"] == "request-1"
    assert "KeyError" not in answer.text
    error, request = world.logged()
    assert error["error"] == "KeyError"
    assert error["request"] == request["request"] == "request-1"
    assert any(place.endswith("fail") for place in error["where"])
    assert "ada@" not in world.log.getvalue()


def test_an_answer_of_the_wrong_shape_is_a_500_and_not_the_callers_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CampaignService, "report", lambda *_: "ada@example.com")
    answer = world.call("GET", "/v1/campaigns/cmp_x/report")
    assert (answer.status, answer.problem) == (500, "internal-error")
    assert "ada@" not in answer.text + world.log.getvalue()


def test_every_answer_forbids_caching_and_carries_its_request_id(world: World) -> None:
    for answer in (world.call("GET", "/v1/lists"), world.call("GET", "/v1/none")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"] == "request-1"


def test_the_log_has_one_line_a_request_with_no_personal_data(world: World) -> None:
    world.call("POST", "/v1/subscribers", {"email": "ada@example.com"})
    world.call("GET", "/v1/subscribers", query={"email": "ada@example.com"})
    world.call("GET", "/v1/lists/lst_x")
    lines = world.logged()
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/subscribers", 201),
        ("/v1/subscribers", 200),
        ("/v1/lists/{list_id}", 404),
    ]
    assert lines[2]["problem"] == "not-found"
    assert all(line["key"].startswith("key_") and "ms" in line for line in lines)
    assert "ada@" not in world.log.getvalue()
    assert world.key not in world.log.getvalue()


def test_requests_are_counted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.call("GET", "/v1/lists")
    world.call("GET", "/v1/none")
    ok, refused = capsys.readouterr().out.splitlines()
    assert '"Requests":[1.0]' in ok
    assert "ClientErrors" not in ok
    assert '"ClientErrors":[1.0]' in refused
