"""A change detector per provider and mailbox group, on what becomes of accepted mail. Pure.

A CUSUM of log-likelihood ratios (Page, 1954): each bad or silent message adds,
each good one subtracts, and the score never sinks below zero. At the threshold
the cell is quarantined: for some minutes only a few probes go through, then
more of them. Good probes end it, bad ones prolong it. What is normal for a cell
is what was learned of it, so that a group that is always slow raises no alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WHOLE = "*"
"""In place of a mailbox group: the provider over all groups."""

THRESHOLD = 8.0
QUARANTINE_S = 300.0
RELEASED_SCORE = 4.0
"""After those minutes a score below this ends the quarantine; before, only zero does."""

PROBE_SHARE = 0.02
LATER_PROBE_SHARE = 0.2
"""Of a quarantined cell's recipients, who go there in spite of it: in those minutes, and after."""

PROBES_AT_MOST = 3
"""Of a provider in one chunk: chunks that wait for room are routed again and again."""

_LOWEST_NORMAL, _HIGHEST_NORMAL = 0.02, 0.6
_ALARMING, _ALARMING_WHOLE = 0.5, 0.8
"""Bad share of the hypothesis "something broke". Higher for a whole provider: else the outage
of one of its groups would pass for one of all."""

_LEAST_RISE = 0.25


@dataclass(frozen=True, slots=True)
class Watch:
    """The detector of one cell. `until` is in unix seconds; 0 is no quarantine."""

    score: float = 0.0
    until: float = 0.0

    @property
    def shut(self) -> bool:
        """Whether only probes may go."""
        return self.until > 0

    def probe_share(self, moment: float) -> float:
        """Of the recipients; 1 if the cell is not quarantined."""
        if not self.shut:
            return 1.0
        return PROBE_SHARE if moment < self.until else LATER_PROBE_SHARE


def observe(
    watch: Watch, good: float, bad: float, normal: float, moment: float, *, whole: bool = False
) -> Watch:
    """The detector after outcomes that were heard by `moment`; the same object if none were.

    `normal` is the cell's usual bad share (silence included), `whole` says that
    the cell is a provider over all its groups.
    """
    if not good and not bad:
        return watch
    usual = min(max(normal, _LOWEST_NORMAL), _HIGHEST_NORMAL)
    alarming = max(_ALARMING_WHOLE if whole else _ALARMING, usual + _LEAST_RISE)
    step = bad * math.log(alarming / usual) + good * math.log((1 - alarming) / (1 - usual))
    score = min(max(0.0, watch.score + step), THRESHOLD)
    if not watch.shut:
        return Watch(score, moment + QUARANTINE_S if score >= THRESHOLD else 0.0)
    if moment < watch.until:
        return Watch(score, watch.until) if score else Watch()
    if step > 0:
        return Watch(THRESHOLD, moment + QUARANTINE_S)
    return Watch(score) if score < RELEASED_SCORE else Watch(score, watch.until)
