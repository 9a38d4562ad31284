"""Requests and answers as the sandbox's parts see them, free of sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

JsonObject = dict[str, Any]


class Ending(StrEnum):
    """How the exchange ends."""

    ANSWER = "answer"
    HANG = "hang"
    """The client waits in vain, then the connection closes."""
    DROP = "drop"
    """The connection closes at once, without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; `query` is still encoded."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameters(self) -> dict[str, str]:
        """The query, decoded; of a repeated name the last value."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. With an ending other than ANSWER only the ending counts."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.ANSWER


class Refused(Exception):
    """The request is answered with an error; carries the answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"refused with status {answer.status}")


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, body, {"Content-Type": "application/json", **(headers or {})})


def html_answer(page: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    """An answer with an HTML page."""
    kind = {"Content-Type": "text/html; charset=utf-8"}
    return Answer(status, page.encode(), {**kind, **(headers or {})})


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396): objects merge, null removes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
