"""Who may touch what: the grants table of ARCHITECTURE.md as data.

`infra/roles.py` turns it into policies and tests/infra holds it against the
document. Letters: R GetItem, BatchGetItem, Query; W PutItem, UpdateItem;
D DeleteItem; B BatchWriteItem; Q Query alone; P PutItem alone. B stands apart
because BatchWriteItem deletes as well as it puts: whoever has it can delete.
"""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, Mapping[str, str]] = {
    "workspaces": {
        "api": "RWD",
        "jobs": "RW",
        "scheduler": "R",
        "dispatcher": "R",
        "public": "R",
        "webhooks": "R",
        "aggregator": "R",
    },
    "api-keys": {"api": "RW", "jobs": "W"},
    "subscribers": {
        "api": "RW",
        "jobs": "RWDB",
        "dispatcher": "R",
        "aggregator": "RW",
        "public": "RW",
    },
    "memberships": {"api": "RWDB", "jobs": "RWDB", "aggregator": "RWDB", "public": "RWDB"},
    "suppressions": {
        "api": "RWD",
        "jobs": "RWD",
        "dispatcher": "R",
        "aggregator": "RW",
        "public": "RWD",
    },
    "consents": {"api": "QP", "jobs": "QP", "aggregator": "P", "public": "P"},
    "erasures": {"api": "P", "jobs": "Q"},
    "signups": {"api": "RW", "jobs": "QD", "public": "RW"},
    "campaigns": {"api": "RW", "jobs": "RW", "scheduler": "RW", "dispatcher": "RW"},
    "ledger": {
        "api": "RW",
        "jobs": "RW",
        "scheduler": "RW",
        "dispatcher": "RW",
        "webhooks": "R",
        "public": "RW",
    },
    "due": {
        "api": "WB",
        "jobs": "WB",
        "scheduler": "RWDB",
        "dispatcher": "WB",
        "public": "WB",
    },
    "rates": {
        "api": "R",
        "jobs": "RW",
        "scheduler": "R",
        "dispatcher": "RW",
        "aggregator": "W",
        "warming_cron": "RW",
    },
    "frequency": {"dispatcher": "W", "jobs": "D"},
    "engagements": {
        "api": "R",
        "jobs": "QD",
        "scheduler": "R",
        "webhooks": "WB",
        "aggregator": "D",
    },
    "counters": {"api": "R", "scheduler": "R", "aggregator": "RWB"},
    "jobs": {"api": "RW", "jobs": "RW", "scheduler": "R"},
    "idempotency": {"api": "RWD"},
    "audit": {"api": "QP", "jobs": "P"},
}

# (table, index) pairs that a function may query.
INDEXES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "api": (
        ("api-keys", "by_workspace"),
        ("ledger", "by_person"),
        ("engagements", "by_subscriber"),
    ),
    "jobs": (("ledger", "by_person"), ("engagements", "by_subscriber")),
    "scheduler": (("campaigns", "active"),),
}

SENDS: Mapping[str, tuple[str, ...]] = {
    "api": ("transactional", "jobs"),
    "jobs": ("bulk", "jobs"),
    "scheduler": ("bulk", "transactional", "jobs"),
    "dispatcher": ("bulk", "transactional"),
    "public": ("transactional",),
}

CONSUMES: Mapping[str, tuple[str, ...]] = {
    "jobs": ("jobs",),
    "scheduler": ("bulk-dlq", "transactional-dlq"),
    "dispatcher": ("bulk", "transactional"),
    "webhooks": ("ses-events",),
}

# GetObject, PutObject and ListBucket: without the last, S3 says AccessDenied of a
# file that is not there.
FILES: tuple[str, ...] = ("api", "jobs")

# DeleteObject: for erasures.
FILE_DELETERS: tuple[str, ...] = ("jobs",)

# GetObject of what transactional messages keep there, and ListBucket.
MESSAGE_FILES: tuple[str, ...] = ("dispatcher",)

SECRETS: Mapping[str, tuple[str, ...]] = {
    "api": ("subscriber-id-key", "message-id-key", "link-keys"),
    "jobs": ("subscriber-id-key",),
    "scheduler": ("message-id-key",),
    "dispatcher": ("message-id-key", "link-keys"),
    "webhooks": ("message-id-key",),
    "public": ("subscriber-id-key", "message-id-key", "link-keys"),
}

PROVIDER_SECRETS: tuple[str, ...] = ("jobs", "scheduler", "dispatcher", "webhooks")

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "api": ("deployment", "providers", "delivery_rules"),
    "jobs": ("deployment", "providers"),
    "scheduler": ("providers", "deployment"),
    "dispatcher": ("providers", "deployment", "delivery_rules"),
    "webhooks": ("providers",),
    "public": ("deployment", "providers"),
    "warming_cron": ("providers", "deployment", "warming_schedule"),
}

SES_SENDERS: tuple[str, ...] = ("dispatcher",)

# List, put and delete on the account's suppression list.
SES_SUPPRESSORS: tuple[str, ...] = ("jobs",)

TOPIC_CONFIRMERS: tuple[str, ...] = ("webhooks",)

# Where an event source puts what a function could not take in.
ON_FAILURE: Mapping[str, str] = {"aggregator": "aggregator-dlq"}

STREAM_READERS: Mapping[str, str] = {"aggregator": "engagements"}

TABLE_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "R": ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"),
    "W": ("dynamodb:PutItem", "dynamodb:UpdateItem"),
    "D": ("dynamodb:DeleteItem",),
    "B": ("dynamodb:BatchWriteItem",),
    "Q": ("dynamodb:Query",),
    "P": ("dynamodb:PutItem",),
}
