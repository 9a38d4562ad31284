"""One request on its way through the function, and what a route is given of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from functions.api.endpoints import Endpoint
from functions.api.services import Services
from shared.access.model import ApiKey, AuditAction

CONTEXT_KEY = "visit"


@dataclass(slots=True)
class Visit:
    """One request. `key` is None on endpoints that ask for none; `body` is decoded bytes."""

    id: str
    event: APIGatewayProxyEvent
    lambda_context: Any
    services: Services
    endpoint: Endpoint | None = None
    key: ApiKey | None = None
    body: bytes = b""
    problem: str = ""

    def header(self, name: str) -> str | None:
        """A request header, whatever its case."""
        value = self.event.headers.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Call:
    """What a route needs of the request: whose it is, and the services to serve it with."""

    services: Services
    key: ApiKey
    body: bytes
    content_type: str
    once: str
    """The request's idempotency key with its route; empty if it has none."""

    @property
    def workspace(self) -> str:
        """The caller's workspace: the only one that a route can reach."""
        return self.key.workspace

    @property
    def source(self) -> str:
        """Who did it, for records."""
        return f"api:{self.key.id}"

    def record(self, action: AuditAction, target: str, **details: Any) -> None:
        """Writes on the audit log what the caller has just done to `target`, an id.

        Raises:
            DependencyUnavailable: it was done and is not on the log.
        """
        self.services.audit.record(self.workspace, self.source, action, target, details)


def current_call(request: Request) -> Call:
    """Dependency of every route that asks for a key; the gate has checked it by then."""
    visit: Visit = request.context[CONTEXT_KEY]
    assert visit.key is not None  # noqa: S101  # the gate lets nobody in without one
    idempotency_key = visit.header("idempotency-key")
    once = f"{visit.event.http_method} {visit.event.path}\n{idempotency_key}"
    return Call(
        visit.services,
        visit.key,
        visit.body,
        visit.header("content-type") or "",
        once if idempotency_key else "",
    )


def current_services(request: Request) -> Services:
    """Dependency of routes without a key."""
    visit: Visit = request.context[CONTEXT_KEY]
    return visit.services


CurrentCall = Annotated[Call, Depends(current_call)]
CurrentServices = Annotated[Services, Depends(current_services)]
