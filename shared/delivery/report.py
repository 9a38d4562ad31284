"""A campaign's report: the sum of what became of every recipient, and of the events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from shared.delivery.model import ChunkOutcome
from shared.delivery.states import FINAL, RecipientState

_ACCOUNTED = ("accepted", "rejected", "failed", "skipped", "in_doubt")


def totals_of(outcomes: Iterable[ChunkOutcome]) -> dict[str, Any]:
    """Sums the outcomes: states, reasons, per provider and group, and settled chunks."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    settled = 0
    for outcome in outcomes:
        for state in RecipientState:
            states[state.word] += outcome.states.count(state)
        cells.update(outcome.counts)
        for code, indexes in outcome.reasons.items():
            reasons[code] += len(indexes)
        settled += all(RecipientState(byte) in FINAL for byte in set(outcome.states))
    return {
        "states": {word: states[word] for word in _ACCOUNTED},
        "reasons": dict(reasons),
        "cells": dict(cells),
        "settled_chunks": settled,
    }


def report(
    recipients: int,
    totals: Mapping[str, Any],
    events: Mapping[str, int],
    *,
    cancelled: bool = False,
) -> dict[str, Any]:
    """The report as the API gives it.

    `recipients` is always the sum of `accepted`, `rejected`, `failed`,
    `skipped`, `in_doubt` and `pending`. Of a cancelled campaign, whoever was
    not mailed counts as skipped with the reason `cancelled`. Event counts are of events, except
    `opened` and `clicked`, which count people once and leave machines out.
    """
    states = {word: int(totals.get("states", {}).get(word, 0)) for word in _ACCOUNTED}
    reasons = dict(totals.get("reasons", {}))
    pending = recipients - sum(states.values())
    if cancelled and pending:
        states["skipped"] += pending
        reasons["cancelled"] = pending
        pending = 0
    by_provider: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_group: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for cell, count in dict(totals.get("cells", {})).items():
        provider, group, word = cell.split("|")
        by_provider[provider][word] += count
        by_group[group][word] += count
    sums: Counter[str] = Counter()
    for cell, count in events.items():
        provider, group, word = cell.split("|")
        sums[word] += count
        by_provider[provider][_WORD.get(word, word)] += count
        by_group[group][_WORD.get(word, word)] += count
    return {
        "recipients": recipients,
        **states,
        "pending": pending,
        "delivered": sums["delivered"],
        "bounced": sums["bounced"],
        "opened": sums["opened_first"],
        "clicked": sums["clicked_first"],
        "complained": sums["complained"],
        "unsubscribed": sums["unsubscribed"],
        "events": dict(sorted(sums.items())),
        "reasons": dict(sorted(reasons.items())),
        "by_provider": {name: dict(sorted(words.items())) for name, words in by_provider.items()},
        "by_mailbox_group": {name: dict(sorted(ws.items())) for name, ws in by_group.items()},
    }


_WORD = {
    "opened": "open_events",
    "clicked": "click_events",
    "opened_first": "opened",
    "clicked_first": "clicked",
    "rejected": "rejected_events",
    "failed": "failed_events",
}
"""Event words whose plain name in a breakdown would say something else."""
