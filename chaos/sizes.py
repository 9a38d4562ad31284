"""How much of it: the full run, and the small one of the test suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaos.faults import Fault
from chaos.judge import Limit

AT_ESP = "esp_"
"""Stands before the sandbox's own faults in the tally."""

KINDS = frozenset(
    {
        *(fault.value for fault in Fault),
        *(
            f"{AT_ESP}{name}"
            for name in ("error", "hang", "accept_then_drop", "rate_limited", "rejected", "invalid")
        ),
    }
)
"""Every kind there is: a full run without one of them has not tried what it promises to."""

Faults = Mapping[tuple[str, str], int]
"""How many, by kind and by whom they met."""


@dataclass(frozen=True, slots=True)
class Size:
    """`people` on the list, and `campaigns` to all of them at a time, in waves.

    The storm ends when there were `faults`, `at_esps` of them at the ESPs, and
    all of `kinds`; or after `most_s` at the latest. The plan jobs of the first
    wave are killed `plan_steps` times.
    """

    people: int
    campaigns: int
    faults: int
    at_esps: int
    most_s: float
    plan_steps: int
    limits: Mapping[str, Limit]
    kinds: frozenset[str] = frozenset()

    def lacking(self, faults: Faults) -> list[str]:
        """What there was too little of, in words; empty if it was enough."""
        lacks = []
        total = sum(faults.values())
        if total < self.faults:
            lacks.append(f"{total} faults, fewer than {self.faults}")
        esps = sum(count for (kind, _), count in faults.items() if kind.startswith(AT_ESP))
        if esps < self.at_esps:
            lacks.append(f"{esps} faults at the ESPs, fewer than {self.at_esps}")
        missing = sorted(self.kinds.difference(kind for kind, _ in faults))
        if missing:
            lacks.append(f"none of {', '.join(missing)}")
        return lacks


SMALL = Size(
    people=60,
    campaigns=12,
    faults=100,
    at_esps=5,
    most_s=120,
    plan_steps=3,
    limits={"sendgrid": Limit(10), "ses": Limit(10), "postmark": Limit(8, per_hour=100)},
)
FULL = Size(
    people=600,
    campaigns=10,
    faults=600,
    at_esps=50,
    most_s=900,
    plan_steps=4,
    limits={"sendgrid": Limit(15), "ses": Limit(15), "postmark": Limit(10, per_hour=600)},
    kinds=KINDS,
)
