"""The words of routing: what a choice rests on, what comes of it, and the reasons. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.delivery.health import Health
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules, Traits

_NAMED_AT_MOST = 60
"""Indexes in the evidence: it has to fit into the attempt's second kilobyte."""


class Reason(StrEnum):
    """Why a recipient goes through that provider."""

    WEIGHTS = "weights"
    """By the weights: nothing was learned, or the rule says so."""
    LEARNED = "learned"
    """It had the best score."""
    ORDER = "order"
    """The first in the rule's order."""
    ONLY = "only_provider"
    """No other may be used."""
    OVERFLOW = "overflow"
    """A better one had no room."""
    CANNOT_TAKE = "cannot_take"
    """A better one cannot take the address."""
    EXPLORED = "explored"
    """At random, to learn."""
    BREAKER_PROBE = "breaker_probe"
    QUARANTINE_PROBE = "quarantine_probe"
    LAST_RESORT = "last_resort"
    """Quarantined, as all the others are too."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """A recipient to be routed: place in the chunk, a stable key of theirs, and what rules ask."""

    index: int
    key: bytes
    address: str
    group: str
    band: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a choice rests on.

    `room` is how many messages each provider may take now (missing or None:
    as many as there are), `group_room` the same per provider and mailbox
    group. `excluded` maps providers that are out for this run to reason codes.
    """

    candidates: Sequence[Candidate]
    rules: DeliveryRules
    traits: Traits
    health: Health
    now: datetime
    room: Mapping[str, int | None] = field(default_factory=dict)
    group_room: Mapping[tuple[str, str], int] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Routed:
    """Recipients that go to one provider by one rule for one reason."""

    provider: str
    rule: str
    reason: Reason
    indexes: tuple[int, ...]


@dataclass(slots=True)
class Choices:
    """Who goes where.

    `waiting` have a provider in their rule, but none that may be used or has
    room now; `unroutable` have none that could ever take them. `probing` names
    the providers whose shares are probes: each must be claimed before posting.
    """

    shares: list[Routed] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    unroutable: list[int] = field(default_factory=list)
    probing: frozenset[str] = frozenset()
    excluded: dict[str, str] = field(default_factory=dict)

    def by_provider(self) -> dict[str, list[int]]:
        """Each provider's recipients, ascending."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for share in self.shares:
            found[share.provider] += share.indexes
        return {provider: sorted(indexes) for provider, indexes in found.items()}

    def evidence(self) -> dict[str, object]:
        """Why, for the attempt's record.

        Of each provider the largest share names no indexes: it is all that
        the others do not name.
        """
        choices: list[dict[str, object]] = []
        named, seen = 0, set()
        for share in sorted(self.shares, key=lambda s: (-len(s.indexes), s.provider, s.reason)):
            entry: dict[str, object] = {
                "provider": share.provider,
                "rule": share.rule,
                "reason": str(share.reason),
                "count": len(share.indexes),
            }
            if share.provider in seen and named + len(share.indexes) <= _NAMED_AT_MOST:
                entry["indexes"] = list(share.indexes)
                named += len(share.indexes)
            seen.add(share.provider)
            choices.append(entry)
        excluded = [{"provider": p, "because": why} for p, why in sorted(self.excluded.items())]
        return {"choices": choices, "excluded": excluded}
