"""How long each kind of data is kept: a workspace's settings, and a cheap way to read them.

The time is written into each item as it is made (DynamoDB's `ttl`), so another
setting is true of new data and leaves old data as it is. What has no setting:
jobs (90 days), files (30 days, by the bucket's lifecycle), attempts and
outcomes of messages (60 days, they hold no personal data), a campaign's ledger
and the audit log's entries unless `audit_days` is set (kept for good).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput

CACHED_FOR = timedelta(minutes=5)
"""Until a change is in force everywhere."""

BOUNDS: Mapping[str, tuple[int, int]] = {
    "event_days": (30, 1_100),
    "engagement_days": (30, 400),
    "message_days": (3, 30),
    "pending_days": (7, 365),
    "erased_consent_days": (30, 3_660),
    "audit_days": (365, 3_660),
}
"""Least and most. A message is kept while its events may still come and its file lies there."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each kind of data is kept, with the defaults for a workspace that set none.

    `event_days` is of raw events, from when each happened. `engagement_days` is
    of a person's engagement state, from her last event. `message_days` is of a
    transactional message's addresses and content, from its time. `pending_days` is of
    an unconfirmed subscription, from when she was last asked.
    `erased_consent_days` is of consent records, from the person's erasure.
    `audit_days` is of the audit log's entries; None is for good.
    """

    event_days: int = 400
    engagement_days: int = 400
    message_days: int = 30
    pending_days: int = 30
    erased_consent_days: int = 1_095
    audit_days: int | None = None
    version: int = 0


class RetentionStore(Protocol):
    """Keeps each workspace's settings."""

    def get(self, workspace: str) -> Retention:
        """The defaults, at version 0, if there are none. May be a second old."""
        ...

    def save(self, workspace: str, retention: Retention) -> Retention:
        """Writes under its version (0: there is none yet). Raises StaleWrite."""
        ...


class RetentionService:
    """What the API does with them."""

    def __init__(self, store: RetentionStore) -> None:
        self._store = store

    def get(self, workspace: str) -> Retention:
        """The settings in force."""
        return self._store.get(workspace)

    def put(self, workspace: str, retention: Retention) -> Retention:
        """Replaces the settings, whatever their version was; for what is written from now on.

        Raises:
            InvalidInput: names each field that is out of bounds.
            StaleWrite: somebody else wrote them at the same moment.
        """
        problems = [
            FieldProblem(name, f"must be from {least} to {most}")
            for name, (least, most) in BOUNDS.items()
            if (days := getattr(retention, name)) is not None and not least <= days <= most
        ]
        if problems:
            raise InvalidInput(problems)
        present = self._store.get(workspace)
        return self._store.save(workspace, replace(retention, version=present.version))


KeptFor = Callable[[str], Retention]
"""A workspace's settings, as `CachedRetention.of` gives them."""


class CachedRetention:
    """Settings for the paths that write much: one read a workspace, container and `CACHED_FOR`."""

    def __init__(self, store: RetentionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[datetime, Retention]] = {}

    def of(self, workspace: str) -> Retention:
        """The settings, `CACHED_FOR` old at the most."""
        now = self._clock.now()
        read_at, retention = self._known.get(workspace, (None, None))
        if read_at is None or retention is None or now - read_at >= CACHED_FOR:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            retention = self._store.get(workspace)
            self._known[workspace] = now, retention
        return retention


def by_default(_workspace: str) -> Retention:
    """Where nothing was set."""
    return Retention()


_MOST_KNOWN = 10_000
DAYS = tuple(field.name for field in fields(Retention) if field.name != "version")
