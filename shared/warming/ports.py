"""What warming needs from the outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from shared.warming.model import Warmup


class WarmupStore(Protocol):
    """Keeps each provider's warm-up."""

    def get(self, provider: str) -> Warmup | None:
        """A consistent read."""
        ...

    def save(self, warmup: Warmup) -> Warmup:
        """Writes under its version (0: there is none). Raises StaleWrite."""
        ...


class QuotaStore(Protocol):
    """The provider's token item, of which warming owns the quota and nothing else."""

    def sent_by_day(self, provider: str) -> Mapping[date, int]:
        """Messages taken on the last days, as far as the token item remembers."""
        ...

    def set_quota(self, provider: str, quota: int | None) -> None:
        """Sets the daily quota; None lifts it. Setting it twice changes nothing."""
        ...
