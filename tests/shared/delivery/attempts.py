"""Attempts for tests that need no dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from shared.delivery.model import GROUPS, Attempt, ChunkKey
from shared.mail import MailboxGroup

LEASE = datetime(2026, 11, 24, 8, tzinfo=UTC)


def attempt(
    key: ChunkKey, number: int, size: int, tried: Mapping[int, tuple[str, MailboxGroup]]
) -> Attempt:
    """An attempt at `size` recipients. `tried` maps an index to provider and group.

    The provider `""` stands for somebody who was looked at and not mailed.
    """
    providers = tuple(dict.fromkeys(provider for provider, _ in tried.values() if provider))
    assigned = bytearray(size)
    groups = bytearray([GROUPS.index(MailboxGroup.OTHER)]) * size
    for index, (provider, group) in tried.items():
        assigned[index] = 1 + providers.index(provider) if provider else 0
        groups[index] = GROUPS.index(group)
    return Attempt(key, number, "worker", LEASE, providers, bytes(assigned), bytes(groups))
