"""What the model base adds to PynamoDB: one client, bounded retries, errors of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws
from pynamodb.connection import Connection

from shared.errors import ConfigurationError, DependencyUnavailable
from shared.storage import tables
from shared.storage.lists import ListItem
from shared.storage.memberships import MembershipItem
from shared.storage.tables import put_together

Answer = dict[str, Any]


class Service:
    """Stands where botocore's client does and answers by the test's function."""

    def __init__(self, answer: Callable[[str, Answer], Answer]) -> None:
        self.calls: list[tuple[str, Answer]] = []
        self._answer = answer

    def _make_api_call(self, operation: str, kwargs: Answer) -> Answer:
        self.calls.append((operation, kwargs))
        return self._answer(operation, kwargs)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, Answer], Answer]], Service]:
    def install(answer: Callable[[str, Answer], Answer]) -> Service:
        service = Service(answer)
        monkeypatch.setattr(Connection, "client", service)
        return service

    return install


@pytest.fixture
def pauses() -> list[float]:
    slept: list[float] = []
    tables.bind("t", "us-east-1", sleep=slept.append)
    return slept


KEYS = [("p", f"s{number:03d}") for number in range(130)]


def items(kwargs: Answer) -> list[Answer]:
    return list(kwargs["RequestItems"]["t-memberships"]["Keys"])


def test_batch_reads_ask_again_for_what_was_left(
    serve: Callable[..., Service], pauses: list[float]
) -> None:
    def half(_: str, kwargs: Answer) -> Answer:
        keys = items(kwargs)
        served = keys[: max(len(keys) // 2, 1)]
        left = keys[len(served) :]
        unprocessed = {"t-memberships": {"Keys": left}} if left and len(pauses) < 2 else {}
        return {
            "Responses": {"t-memberships": served if unprocessed else keys},
            "UnprocessedKeys": unprocessed,
        }

    service = serve(half)
    found = [item.sk for item in MembershipItem.find_many([*KEYS, KEYS[0]])]
    assert sorted(found) == [sk for _, sk in KEYS]
    assert [len(items(kwargs)) for _, kwargs in service.calls] == [100, 50, 25, 30]
    assert all(
        kwargs["RequestItems"]["t-memberships"]["ConsistentRead"] for _, kwargs in service.calls
    )
    assert pauses == [0.05, 0.1]


def test_batch_reads_give_up_in_the_end(serve: Callable[..., Service], pauses: list[float]) -> None:
    def nothing(_: str, kwargs: Answer) -> Answer:
        left = {"t-memberships": {"Keys": items(kwargs)}}
        return {"Responses": {}, "UnprocessedKeys": left}

    service = serve(nothing)
    with pytest.raises(DependencyUnavailable, match="100 items of table memberships"):
        list(MembershipItem.find_many(KEYS))
    assert (len(service.calls), len(pauses)) == (6, 5)


def test_batch_writes_try_again_and_give_up(
    serve: Callable[..., Service], pauses: list[float]
) -> None:
    service = serve(lambda _, kwargs: {"UnprocessedItems": kwargs["RequestItems"]})
    with pytest.raises(DependencyUnavailable, match="25 items of table memberships"):
        MembershipItem.put_many(MembershipItem(*key) for key in KEYS)
    assert (len(service.calls), len(pauses)) == (6, 5)


def failing(code: str) -> Callable[[str, Answer], Answer]:
    def fail(operation: str, _: Answer) -> Answer:
        raise ClientError({"Error": {"Code": code, "Message": "as told"}}, operation)

    return fail


def unreachable(_operation: str, _kwargs: Answer) -> Answer:
    raise ConnectTimeoutError(endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (unreachable, DependencyUnavailable),
        (failing("ThrottlingException"), DependencyUnavailable),
        (failing("InternalServerError"), DependencyUnavailable),
        (failing("AccessDeniedException"), ConfigurationError),
        (failing("ResourceNotFoundException"), ConfigurationError),
    ],
)
def test_every_operation_speaks_our_errors(
    serve: Callable[..., Service],
    pauses: list[float],
    answer: Callable[[str, Answer], Answer],
    error: type[Exception],
) -> None:
    serve(answer)
    item = MembershipItem("p", "s")
    operations: list[Callable[[], object]] = [
        lambda: MembershipItem.find("p", "s"),
        lambda: list(MembershipItem.find_many([("p", "s")])),
        lambda: list(MembershipItem.select("p")),
        lambda: MembershipItem.put_many([item]),
        item.put,
        item.discard,
        lambda: item.change([MembershipItem.ttl.remove()]),
        lambda: put_together((item, None)),
    ]
    for operation in operations:
        with pytest.raises(error, match="memberships"):
            operation()
    assert pauses == []


def test_a_transaction_that_met_another_is_to_be_tried_again(
    serve: Callable[..., Service], pauses: list[float]
) -> None:
    def conflict(operation: str, _: Answer) -> Answer:
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        }
        raise ClientError(answer, operation)

    serve(conflict)
    with pytest.raises(DependencyUnavailable, match="TransactionConflict"):
        put_together((MembershipItem("p", "s"), None), (MembershipItem("p", "t"), None))
    assert pauses == []


def test_models_share_one_client_and_follow_a_new_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        for prefix in ("one", "two"):
            tables.bind(prefix, "us-east-1")
            tables.create_all()
            assert MembershipItem("p", prefix).put()
            assert ListItem.find("p", "s") is None
            assert [item.sk for item in MembershipItem.select("p")] == [prefix]
        ours = {model._get_connection().connection.client for model in (MembershipItem, ListItem)}
        assert len(ours) == 1
        config: Any = ours.pop().meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
    assert config.retries["total_max_attempts"] == 4


def test_an_unbound_model_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_state", {})
    with pytest.raises(ConfigurationError, match="bind"):
        MembershipItem.find("p", "s")
