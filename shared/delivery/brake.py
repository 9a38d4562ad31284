"""The brake: whether a campaign bounces or is complained of too much to go on. Pure.

A rate is judged by what chance alone could do: the brake trips if that many
bad ones would come of mail *at* the threshold with a probability below
`DOUBT`. This is the exact one-sided binomial test, and the same as asking that
the lower Clopper-Pearson bound of the rate is at the threshold. So one complaint among
fifty stops nothing, and three thousand bounces among ten thousand stop at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from shared.delivery.workspace import WorkspaceSettings

DOUBT = 0.01
"""How improbable chance has to be. It is asked every minute, so it should be small."""

_NEGLIGIBLE = 1e-12

ACCEPTED, HARD_BOUNCED, COMPLAINED = "accepted", "hard_bounced", "complained"


def standing(totals: Mapping[str, Any], events: Mapping[str, int]) -> dict[str, int]:
    """What the brake looks at: accepted, hard bounced and complained, so far.

    `totals` are `report.totals_of` the ledger, `events` the campaign's counters.
    """
    counts = {ACCEPTED: int(totals["states"][ACCEPTED]), HARD_BOUNCED: 0, COMPLAINED: 0}
    for cell, count in events.items():
        word = cell.rpartition("|")[2]
        if word in (HARD_BOUNCED, COMPLAINED):
            counts[word] += count
    return counts


def tripped(now: Mapping[str, int], base: Mapping[str, int], settings: WorkspaceSettings) -> str:
    """Why the campaign must stop, with the figures; the empty string if it need not.

    `base` is the standing at which the brake tripped before: what came since
    is judged by itself, so that a campaign that was resumed can go on.
    """
    counts = {word: count - base.get(word, 0) for word, count in now.items()}
    accepted = counts[ACCEPTED]
    if accepted < settings.brake_after:
        return ""
    for word, name, most in (
        (HARD_BOUNCED, "hard bounces", settings.max_hard_bounce_rate),
        (COMPLAINED, "complaints", settings.max_complaint_rate),
    ):
        if chance(min(counts[word], accepted), accepted, most) < DOUBT:
            return (
                f"the brake stopped it: {counts[word]} {name} of {accepted} accepted messages"
                f" ({counts[word] / accepted:.2%}) are above {most:.2%}"
            )
    return ""


def chance(bad: int, of: int, rate: float) -> float:
    """The probability of at least `bad` among `of` if each is bad with probability `rate`.

    1.0 where `bad` is no more than the rate would have: nobody asks by how much.
    """
    if bad <= of * rate or rate >= 1:
        return 1.0
    term = math.exp(
        math.lgamma(of + 1)
        - math.lgamma(bad + 1)
        - math.lgamma(of - bad + 1)
        + bad * math.log(rate)
        + (of - bad) * math.log1p(-rate)
    )
    total = 0.0
    # Beyond the mean each term is smaller than the one before.
    for more in range(bad, of + 1):
        total += term
        term *= (of - more) / (more + 1) * rate / (1 - rate)
        if term < _NEGLIGIBLE:
            break
    return total
