"""Workspaces, API keys, the sender domains bound to a workspace, and who did what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


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


class AuditAction(StrEnum):
    """What is written on the audit log."""

    CAMPAIGN_CREATE = "campaign.create"
    CAMPAIGN_CHANGE = "campaign.change"
    CAMPAIGN_LAUNCH = "campaign.launch"
    CAMPAIGN_PAUSE = "campaign.pause"
    CAMPAIGN_RESUME = "campaign.resume"
    CAMPAIGN_CANCEL = "campaign.cancel"
    CAMPAIGN_UNSCHEDULE = "campaign.unschedule"
    CAMPAIGN_RETRY = "campaign.retry"
    SENDING_ON = "sending.on"
    SENDING_OFF = "sending.off"
    SETTINGS_CHANGE = "settings.change"
    LIST_CREATE = "list.create"
    LIST_CHANGE = "list.change"
    LIST_DELETE = "list.delete"
    SEGMENT_CREATE = "segment.create"
    SEGMENT_CHANGE = "segment.change"
    SEGMENT_DELETE = "segment.delete"
    SNAPSHOT_TAKE = "snapshot.take"
    TEMPLATE_CREATE = "template.create"
    TEMPLATE_REVISE = "template.revise"
    TEMPLATE_DELETE = "template.delete"
    MESSAGE_CANCEL = "message.cancel"
    MESSAGE_SETTLE = "message.settle"
    KEY_ISSUE = "key.issue"
    KEY_REVOKE = "key.revoke"
    DOMAIN_ADD = "sender_domain.add"
    DOMAIN_VERIFY = "sender_domain.verify"
    DOMAIN_DELETE = "sender_domain.delete"
    SUBSCRIBER_CREATE = "subscriber.create"
    SUBSCRIBER_CHANGE = "subscriber.change"
    SUBSCRIBER_READ = "subscriber.read_all"
    SUBSCRIBER_ERASE = "subscriber.erase"
    SUBSCRIBER_DELETE = "subscriber.delete"
    SUBSCRIBER_READDRESS = "subscriber.readdress"
    SUBSCRIBER_IMPORT = "subscriber.import"
    SUBSCRIBER_EXPORT = "subscriber.export"
    SUPPRESSION_ADD = "suppression.add"
    SUPPRESSION_REMOVE = "suppression.remove"
    SUPPRESSION_IMPORT = "suppression.import"
    SUPPRESSION_EXPORT = "suppression.export"
    SUPPRESSION_SYNC = "suppression.sync"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Somebody did something. `by` is `api:<key id>` or `operator`; `target` is an id.

    `details` are plain JSON; no address, token or secret stands in them.
    """

    id: str
    workspace: str
    at: datetime
    by: str
    action: AuditAction
    target: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; what is None lets all pass."""

    by: str | None = None
    action: AuditAction | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, entry: AuditEntry) -> bool:
        """Whether an entry is asked for."""
        return (
            self.by in {None, entry.by}
            and self.action in {None, entry.action}
            and self.target in {None, entry.target}
            and (self.since is None or self.since <= entry.at)
            and (self.until is None or entry.at <= self.until)
        )
