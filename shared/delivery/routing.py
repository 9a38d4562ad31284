"""What routing must know of a provider account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.mail import UNLIMITED, Capacity

NO_ROUTE = "no_route"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that may be used now.

    `cannot_take` is the adapter's own check of an address, `capacity` what it
    takes in one message.
    """

    name: str
    weight: int
    cannot_take: Callable[[str], str]
    capacity: Capacity = UNLIMITED
