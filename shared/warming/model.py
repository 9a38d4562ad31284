"""A provider's warm-up: where it stands in the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Schedule:
    """Messages a day, one number per day on which mail was sent. It never falls."""

    name: str
    per_day: tuple[int, ...]
    idle_days_until_restart: int = 30


@dataclass(frozen=True, slots=True)
class Warmup:
    """`day` counts from 1; past the schedule's end the provider is warm (`done`)."""

    provider: str
    started_on: date
    day: int
    checked_on: date
    last_sent_on: date | None = None
    done: bool = False
    version: int = 0
