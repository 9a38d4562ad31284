"""Workspaces, API keys and the sender domains bound to a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do. `admin` includes all others."""

    ADMIN = "admin"
    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    MESSAGES_SEND = "messages:send"
    EVENTS_READ = "events:read"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as kept: never the secret itself, only its SHA-256 (hex).

    A key is written `tp_<key id without prefix>_<43 characters of secret>`; the
    secret has 256 random bits, so a plain hash is enough.
    """

    id: str
    workspace: str
    name: str
    secret_sha256: str
    scopes: frozenset[Scope]
    created_at: datetime
    requests_per_minute: int = 600
    revoked_at: datetime | None = None
    created_by: str = ""


class DomainState(StrEnum):
    """Whether a workspace has proven that a sender domain is its own."""

    PENDING = "pending"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class SenderDomain:
    """A domain that a workspace sends from.

    It is verified by a TXT record `_tidepost.<domain>` holding
    `tidepost-verify=<token>`. A domain belongs to one workspace at a time.
    """

    id: str
    workspace: str
    domain: str
    token: str
    created_at: datetime
    state: DomainState = DomainState.PENDING
    verified_at: datetime | None = None
    version: int = 0
