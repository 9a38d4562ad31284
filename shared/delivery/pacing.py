"""A campaign's own pace: so many messages an hour, evenly, and not one more. Pure.

The hour is cut into slices, and each slice has its part of the hour's messages;
what a slice leaves is not carried over. So no UTC hour gets more than the pace,
and no slice a burst. A small pace has fewer slices, so that a chunk does not
come back for a handful of messages each time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.delivery.rates import BucketState, Grant

SLOWEST, FASTEST = 10, 10_000_000
"""Messages an hour. Slower would take more than a chunk's attempts for its 500 recipients."""

LIMITED_BY = "campaign_pace"

_SLICES = ((600, 12), (200, 4), (0, 1))
"""From that pace on, that many slices an hour: about fifty messages each at the least."""


def take_paced(
    state: BucketState, per_hour: int, want: int, now: datetime
) -> tuple[BucketState, Grant]:
    """Takes up to `want` of what the present slice still has; `start` names the slice.

    The state returned has to be saved before anything is posted.
    """
    slices = _slices(per_hour)
    minutes = 60 // slices
    moment = now.astimezone(UTC)
    own = moment.replace(minute=moment.minute // minutes * minutes, second=0, microsecond=0)
    # Never older than what another worker has opened already, whose clock may be ahead.
    start = max([own, *(_start_of(window) for window in state.used or {})])
    place = start.minute // minutes
    limit = per_hour * (place + 1) // slices - per_hour * place // slices
    window = _window(start)
    left = max(0, limit - state.count(window))
    granted = min(want, left)
    grant = Grant(granted, start)
    if granted < want:
        retry_at = start + timedelta(minutes=minutes)
        grant = replace(grant, retry_at=retry_at, limited_by=LIMITED_BY)
    if granted == 0:
        return state, grant
    return replace(state, used={window: state.count(window) + granted}), grant


def slice_size(per_hour: int) -> int:
    """The most that one slice gives."""
    return -(-per_hour // _slices(per_hour))


def refund_paced(state: BucketState, count: int, start: datetime) -> BucketState:
    """Gives back what was not used. `start` is that of the grant."""
    used = {w: n - count if w == _window(start) else n for w, n in (state.used or {}).items()}
    return replace(state, used=used)


def _slices(per_hour: int) -> int:
    return next(count for least, count in _SLICES if per_hour >= least)


def _window(start: datetime) -> str:
    return start.strftime("m%Y-%m-%dT%H:%M")


def _start_of(window: str) -> datetime:
    return datetime.strptime(window, "m%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
