"""The 30-day warm-up: which day a provider is on, and what it may send that day. Pure.

A day counts once mail was sent on it: a provider that nobody used does not
advance. After a month without mail its reputation has gone and it starts again
(SendGrid's advice: warm again after 30 idle days).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from shared.warming.model import Schedule, Warmup


@dataclass(frozen=True, slots=True)
class Step:
    """The warm-up after a check, what it may send a day (None: as much as it likes), and why."""

    warmup: Warmup
    quota: int | None
    decision: str


def check(
    warmup: Warmup | None,
    schedule: Schedule,
    sent_by_day: Mapping[date, int],
    today: date,
    provider: str,
) -> Step:
    """The state for `today`. Checking twice on a day, or late, gives the same state.

    `sent_by_day` counts the messages of recent days; days before the last
    check are not looked at again, so a missed check loses nothing as long as
    the counts of its days are still there.
    """
    if warmup is None:
        started = Warmup(provider=provider, started_on=today, day=1, checked_on=today)
        return Step(started, schedule.per_day[0], "started")
    if today <= warmup.checked_on:
        return Step(warmup, _quota(warmup, schedule), "checked already")
    sent = sorted(
        day for day, count in sent_by_day.items() if warmup.checked_on <= day < today and count
    )
    last_sent = sent[-1] if sent else warmup.last_sent_on
    idle = (today - (last_sent or warmup.started_on)).days
    if idle >= schedule.idle_days_until_restart:
        again = replace(
            warmup, started_on=today, day=1, checked_on=today, last_sent_on=None, done=False
        )
        return Step(again, schedule.per_day[0], f"restarted after {idle} days without mail")
    day = warmup.day + len(sent)
    after = replace(
        warmup,
        day=min(day, len(schedule.per_day) + 1),
        checked_on=today,
        last_sent_on=last_sent,
        done=day > len(schedule.per_day),
    )
    if after.done:
        decision = "done" if not warmup.done else "warm"
    else:
        decision = "advanced" if sent else "held: no mail was sent"
    return Step(after, _quota(after, schedule), decision)


def _quota(warmup: Warmup, schedule: Schedule) -> int | None:
    return None if warmup.done else schedule.per_day[warmup.day - 1]
