"""Time-out and memory of each function, in one place: queues take theirs from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Time-out in seconds, memory in MB (which also buys CPU)."""

    seconds: int
    megabytes: int


API = Limits(29, 1024)  # API Gateway gives up after 29 s
JOBS = Limits(300, 512)
SCHEDULER = Limits(55, 512)  # ends before the next minute's run
DISPATCHER = Limits(120, 1024)
WEBHOOKS = Limits(15, 512)
AGGREGATOR = Limits(60, 512)
PUBLIC = Limits(10, 1024)  # a cold start keeps somebody waiting who wants to leave
WARMING_CRON = Limits(60, 512)
