"""Providers that take mail and report nothing: their webhooks are broken. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.delivery.rates import BucketState, windows

PATIENCE = timedelta(minutes=15)
"""Between mail and its first events, at the most, and between events while mail goes out."""

_REMEMBERED = timedelta(hours=2)
_LEAST = 20
"""Messages in the hour of the newest: fewer may all be slow."""


def silent(
    states: Mapping[str, BucketState], heard: Mapping[str, datetime], now: datetime
) -> list[str]:
    """The providers that nothing was heard of for `PATIENCE`, though they were given mail.

    While mail has only just begun to go out this may say too much, so it means
    something only if it is said for `PATIENCE` on end. `heard` says when each
    one's newest event was seen.
    """
    found = []
    for provider, state in sorted(states.items()):
        taken = state.taken_at
        if taken is None or now - taken > _REMEMBERED or state.count(windows(taken)[0]) < _LEAST:
            continue
        last = heard.get(provider)
        quiet = last is None or now - last > PATIENCE
        answered = last is not None and last >= taken and now - taken > PATIENCE
        if quiet and not answered:
            found.append(provider)
    return found
