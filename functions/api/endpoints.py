"""How a route is declared: method, path, scope and how it answers, in one place.

Each noun's module makes an `Endpoints` and declares its functions with it. The
gate (who may call), the resolver (routing, validation) and the API document
all read the same declarations.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar

from shared.access.model import Scope

F = TypeVar("F", bound=Callable[..., Any])

_PARAMETER = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Endpoint:
    """One route. `scope` is None where no API key is asked for.

    `once` says that an `Idempotency-Key` is honoured, `upload` that the body
    is a file and not JSON, `large` that the JSON may hold files.
    """

    method: str
    rule: str
    call: Callable[..., Any]
    tag: str
    scope: Scope | None
    status: HTTPStatus
    once: bool
    upload: bool = False
    large: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches this route's paths."""
        return re.compile(_PARAMETER.sub(r"[^/]+", self.rule))

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it, e.g. `/v1/lists/{list_id}`."""
        return _PARAMETER.sub(r"{\1}", self.rule)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.call) or "").partition("\n")[0].removesuffix(".")

    @property
    def description(self) -> str:
        """The function's docstring after its first line, or that line if there is no more."""
        text = inspect.getdoc(self.call) or ""
        return text.partition("\n")[2].strip() or text


@dataclass
class Endpoints:
    """The routes of one noun, in the order of their declaration."""

    tag: str
    prefix: str
    declared: list[Endpoint] = field(default_factory=list)

    def get(self, rule: str, *, scope: Scope | None) -> Callable[[F], F]:
        """Declares a route that reads."""
        return self._declare("GET", rule, scope, HTTPStatus.OK, once=False)

    def post(
        self,
        rule: str,
        *,
        scope: Scope,
        status: HTTPStatus = HTTPStatus.OK,
        once: bool = True,
        upload: bool = False,
        large: bool = False,
    ) -> Callable[[F], F]:
        """Declares a route that makes something or acts."""
        return self._declare("POST", rule, scope, status, once=once, upload=upload, large=large)

    def put(self, rule: str, *, scope: Scope) -> Callable[[F], F]:
        """Declares a route that replaces something."""
        return self._declare("PUT", rule, scope, HTTPStatus.OK, once=True)

    def patch(self, rule: str, *, scope: Scope) -> Callable[[F], F]:
        """Declares a route that changes the fields it is sent."""
        return self._declare("PATCH", rule, scope, HTTPStatus.OK, once=True)

    def delete(
        self, rule: str, *, scope: Scope, status: HTTPStatus = HTTPStatus.NO_CONTENT
    ) -> Callable[[F], F]:
        """Declares a route that removes something."""
        return self._declare("DELETE", rule, scope, status, once=True)

    def _declare(
        self,
        method: str,
        rule: str,
        scope: Scope | None,
        status: HTTPStatus,
        *,
        once: bool,
        upload: bool = False,
        large: bool = False,
    ) -> Callable[[F], F]:
        def declare(call: F) -> F:
            self.declared.append(
                Endpoint(
                    method=method,
                    rule=self.prefix + rule,
                    call=call,
                    tag=self.tag,
                    scope=scope,
                    status=status,
                    once=once,
                    upload=upload,
                    large=large,
                )
            )
            return call

        return declare


class RouteTable:
    """Finds the endpoint of a request; fixed paths go before paths with parameters."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._endpoints = sorted(endpoints, key=lambda e: "<" in e.rule)

    def find(self, method: str, path: str) -> Endpoint | None:
        """The endpoint, or None."""
        matching = (e for e in self._endpoints if e.method == method)
        return next((e for e in matching if e.pattern.fullmatch(path)), None)

    def methods(self, path: str) -> list[str]:
        """The methods that a path has."""
        return sorted({e.method for e in self._endpoints if e.pattern.fullmatch(path)})
