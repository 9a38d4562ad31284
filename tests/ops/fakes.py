"""AWS and the web with answers that a test sets, held against AWS's own API models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import validate_parameters

from ops.aws import Aws, AwsRefused
from ops.http import Answer, Web

Reply = dict[str, Any] | Callable[..., dict[str, Any]]


class FakeAws(Aws):
    """Answers by `service.Operation`; what is not there is a test's mistake.

    Arguments and answers must fit the API's model, so that no misspelled name
    passes here and fails on AWS.
    """

    def __init__(
        self, answers: Mapping[str, Reply], *, region: str = "us-east-1", emulated: bool = False
    ) -> None:
        self.answers = dict(answers)
        self.calls: list[str] = []
        self._region = region
        self._emulated = emulated

    @property
    def region(self) -> str:
        return self._region

    @property
    def emulated(self) -> bool:
        return self._emulated

    def at(self, region: str) -> Aws:  # noqa: ARG002  # one set of answers for all regions
        return self

    def call(self, service: str, operation: str, **arguments: object) -> dict[str, Any]:
        self.calls.append(f"{service}.{operation}")
        model = _model(service).operation_model(operation)
        if model.input_shape:
            validate_parameters(arguments, model.input_shape)
        reply = self.answers[f"{service}.{operation}"]
        answer = reply(**arguments) if callable(reply) else reply
        if model.output_shape:
            _known(model.output_shape, answer, operation)
        return answer

    def every(self, service: str, operation: str, key: str, **arguments: object) -> list[Any]:
        items = self.call(service, operation, **arguments).get(key, [])
        assert isinstance(items, list)
        return items


def refusal(service: str, operation: str, aws_code: str) -> Callable[..., dict[str, Any]]:
    """A reply: AWS refuses with that code."""

    def refuse(**_arguments: object) -> dict[str, Any]:
        error = ClientError({"Error": {"Code": aws_code, "Message": "no"}}, operation)
        raise AwsRefused(service, operation, error)

    return refuse


class FakeWeb(Web):
    """Answers by method and the end of the path; the last of several is repeated."""

    def __init__(self, answers: Mapping[str, Answer | list[Answer]]) -> None:
        self.answers = {
            key: list(value) if isinstance(value, list) else [value]
            for key, value in answers.items()
        }
        self.sent: list[tuple[str, Any, Mapping[str, str]]] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.sent.append((f"{method} {url}", body, headers or {}))
        for key, replies in self.answers.items():
            wanted_method, _, ending = key.partition(" ")
            if method == wanted_method and url.endswith(ending):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        raise AssertionError(f"no answer is set for {method} {url}")


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _known(shape: Shape, value: Any, path: str) -> None:
    match shape:
        case StructureShape():
            unknown = value.keys() - shape.members.keys()
            assert not unknown, f"{path} has no {unknown}"
            for name, part in value.items():
                _known(shape.members[name], part, f"{path}.{name}")
        case ListShape():
            for part in value:
                _known(shape.member, part, f"{path}[]")
        case MapShape():
            for part in value.values():
                _known(shape.value, part, f"{path}{{}}")
        case _:
            assert not isinstance(value, dict | list), f"{path} is {shape.type_name}"
