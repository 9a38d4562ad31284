"""`Idempotency-Key` over Powertools' own table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from moto import mock_aws

from shared.audience.lists import ListService
from shared.errors import DependencyUnavailable
from tests.functions.api.world import Answered, World

TABLE = "tidepost-test-idempotency"
KEY = {"Idempotency-Key": "order-1815"}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


def over(table: Any) -> World:
    """A container; all have the same workspaces and keys."""
    assert table.name == TABLE
    client = boto3.client("dynamodb", region_name="us-east-1")
    layer = DynamoDBPersistenceLayer(table_name=TABLE, expiry_attr="ttl", boto3_client=client)
    return World(layer)


@pytest.fixture
def world(table: Any) -> World:
    return over(table)


def create(world: World, name: str = "News", **options: Any) -> Answered:
    return world.call("POST", "/v1/lists", {"name": name}, **{"headers": KEY} | options)


def count(world: World) -> int:
    return len(world.call("GET", "/v1/lists").json["items"])


def test_a_repeated_request_gets_the_first_answer(world: World) -> None:
    first, second = create(world), create(world)
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert count(world) == 1


def test_without_a_key_nothing_is_kept(world: World, table: Any) -> None:
    create(world, headers={})
    create(world, headers={})
    assert count(world) == 2
    assert table.scan()["Count"] == 0


def test_another_body_under_the_same_key_is_a_422(world: World) -> None:
    create(world)
    answer = create(world, "Other")
    assert (answer.status, answer.problem) == (422, "idempotency-key-reused")
    assert count(world) == 1


def test_a_key_is_the_workspaces_own(world: World) -> None:
    ours = create(world)
    theirs = create(world, key=world.other_key)
    assert theirs.status == 201
    assert ours.json["id"] != theirs.json["id"]


def test_a_key_is_for_one_route_and_one_thing(world: World) -> None:
    one, two = create(world, headers={}).json["id"], create(world, headers={}).json["id"]
    assert world.call("PATCH", f"/v1/lists/{one}", {"name": "A"}, headers=KEY).json["id"] == one
    assert world.call("PATCH", f"/v1/lists/{two}", {"name": "A"}, headers=KEY).json["id"] == two


def test_another_query_under_the_same_key_is_a_422(world: World) -> None:
    path, raw = "/v1/subscribers/imports", "email\nada@example.com\n"
    headers = KEY | {"Content-Type": "text/csv"}
    assert world.call("POST", path, raw=raw, headers=headers).status == 202
    assert world.call("POST", path, raw=raw, headers=headers).status == 202
    other = world.call("POST", path, raw=raw, headers=headers, query={"policy": "skip"})
    assert other.problem == "idempotency-key-reused"
    assert len(world.job_queue.messages) == 1


def test_an_error_is_not_kept(world: World) -> None:
    answer = create(world, "two\nlines")
    assert answer.status == 422
    assert create(world, "one line").status == 201


def test_an_answer_without_a_body_is_kept_too(world: World) -> None:
    path = f"/v1/lists/{create(world, headers={}).json['id']}"
    assert world.call("DELETE", path, headers=KEY).status == 204
    again = world.call("DELETE", path, headers=KEY)
    assert (again.status, again.text) == (204, "")
    assert again.headers["idempotency-replayed"] == "true"
    assert world.call("DELETE", path).status == 404


def test_while_the_first_is_under_way_the_second_is_a_409(
    world: World, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = over(table)
    answers: list[Answered] = []
    create_list = ListService.create

    def slow(service: ListService, *arguments: str, **named: Any) -> Any:
        answers.append(create(elsewhere))
        return create_list(service, *arguments, **named)

    monkeypatch.setattr(ListService, "create", slow)
    assert create(world).status == 201
    assert [(a.status, a.problem) for a in answers] == [(409, "idempotency-key-in-progress")]
    assert answers[0].headers["retry-after"] == "1"


def test_answers_are_kept_for_a_day_and_hold_no_key_in_plain(world: World, table: Any) -> None:
    create(world)
    (item,) = table.scan()["Items"]
    assert item["id"].startswith("api#")
    assert "order-1815" not in str(item)
    assert item["status"] == "COMPLETED"
    assert "ttl" in item


def test_a_table_that_does_not_answer_is_a_503(world: World, table: Any) -> None:
    table.delete()
    answer = create(world)
    assert (answer.status, answer.problem) == (503, DependencyUnavailable.code)
    assert count(world) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
def test_a_key_that_is_no_good_is_named(world: World, key: str) -> None:
    answer = create(world, headers={"Idempotency-Key": key})
    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])


MESSAGE = {
    "to": {"email": "ada@example.org"},
    "sender": {"email": "shop@example.com"},
    "subject": "Hi",
    "text": "Hello",
}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/messages", MESSAGE), ("/v1/messages/batch", {"messages": [MESSAGE, MESSAGE]})],
)
def test_a_repeated_message_is_sent_once(world: World, path: str, body: Any) -> None:
    world.verify_domain("example.com")
    first, second = (world.call("POST", path, body, headers=KEY) for _ in range(2))
    assert (first.status, second.status) == (202, 202)
    assert first.json == second.json
    assert len(world.chunk_queue.sent) == len(body.get("messages", [body]))


def test_a_message_is_the_same_even_if_the_answer_was_never_kept(world: World, table: Any) -> None:
    world.verify_domain("example.com")
    batch = {"messages": [MESSAGE, MESSAGE]}
    first = world.call("POST", "/v1/messages/batch", batch, headers=KEY)
    for item in table.scan()["Items"]:  # as if the function had died before it could answer
        table.delete_item(Key={"id": item["id"]})
    second = world.call("POST", "/v1/messages/batch", batch, headers=KEY)
    assert first.json == second.json
    assert "idempotency-replayed" not in second.headers
    assert len({key for key, _ in world.chunk_queue.sent}) == 2
