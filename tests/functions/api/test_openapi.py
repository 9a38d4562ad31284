"""The API document: valid, complete, and the same as what is served."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.api.openapi import TAGS, VERSION
from functions.api.routes import NOUNS
from tests.functions.api.world import World

ENDPOINTS = [endpoint for noun in NOUNS for endpoint in noun.declared]


@cache
def document() -> dict[str, Any]:
    answer = World().call("GET", "/docs/openapi.json", key=None)
    assert answer.status == 200
    loaded: dict[str, Any] = answer.json
    return loaded


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    ]


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it_and_nothing_else() -> None:
    served = {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS}
    assert {name for name, _ in operations()} == served


def test_every_operation_says_what_it_does_and_answers() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)
    for name, operation in operations():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"][0] in TAGS, name
        codes = set(operation["responses"])
        success = [code for code in codes if code.startswith("2")]
        assert len(success) == 1, name
        if success != ["204"]:
            schema = operation["responses"][success[0]]["content"]["application/json"]["schema"]
            assert schema, name
        if name != "GET /v1/health":
            assert operation["security"] == [{"ApiKey": []}], name
            assert {"401", "403", "422", "429", "500"} <= codes, name
        for code in codes - set(success):
            content = operation["responses"][code]["content"]
            assert list(content) == ["application/problem+json"], name


def test_only_changes_take_an_idempotency_key_and_the_route_that_shows_a_key_does_not() -> None:
    for name, operation in operations():
        headers = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}
        free = name.startswith("GET ") or name in {
            "POST /v1/addresses/check",
            "POST /v1/keys",
            "POST /v1/segments/preview",
            "POST /v1/subscribers/imports/pinpoint-segments",
            "POST /v1/templates/{template_id}/preview",
        }
        assert headers == (set() if free else {"Idempotency-Key"}), name


def test_bodies_have_examples_that_the_api_takes(world: World) -> None:
    schemas = document()["components"]["schemas"]
    assert "Problem" in schemas
    assert not [name for name in schemas if "ValidationError" in name]
    for name in ("ListBody", "TemplateBody", "KeyBody"):
        assert schemas[name]["examples"], name
    assert world.call("POST", "/v1/templates", schemas["TemplateBody"]["examples"][0]).status == 201
    world.verify_domain()
    assert world.call("POST", "/v1/lists", schemas["ListBody"]["examples"][0]).status == 201
    assert world.call("POST", "/v1/keys", schemas["KeyBody"]["examples"][0]).status == 201


def test_no_reference_hangs_in_the_air() -> None:
    schemas = document()["components"]["schemas"]
    names = re.findall(r"#/components/schemas/([\w.-]+)", str(document()))
    assert set(names) <= set(schemas)
    assert set(schemas) <= set(names)


# Powertools leaves the files that it inlines to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_browser_gets_the_documentation(world: World) -> None:
    answer = world.call("GET", "/docs", key=None)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html"
    assert "/v1/subscribers/imports" in answer.text
    assert len(answer.text.encode()) < 6_000_000  # what a Lambda may answer


def test_servers_fit_the_place_where_the_document_is_read() -> None:
    assert [server["url"] for server in document()["servers"]] == [".."]


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
