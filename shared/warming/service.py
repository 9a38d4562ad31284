"""Advancing every warming provider, once a day."""

from __future__ import annotations

from collections.abc import Sequence

from shared.clock import Clock
from shared.warming.model import Schedule
from shared.warming.policy import Step, check
from shared.warming.ports import QuotaStore, WarmupStore


class WarmingService:
    """Runs the policy for each provider and writes the quotas, nothing else."""

    def __init__(
        self, warmups: WarmupStore, quotas: QuotaStore, schedule: Schedule, clock: Clock
    ) -> None:
        self._warmups = warmups
        self._quotas = quotas
        self._schedule = schedule
        self._clock = clock

    def advance(self, warming: Sequence[str], others: Sequence[str]) -> list[Step]:
        """Checks the providers that are warming; lifts the quota of the others.

        May be run again at any time: the quota is written even when the step
        was taken before, in case the first run died between the two writes.

        Raises:
            StaleWrite: another run was at it; its result stands.
        """
        today = self._clock.now().date()
        steps = []
        for provider in warming:
            warmup = self._warmups.get(provider)
            sent = self._quotas.sent_by_day(provider)
            step = check(warmup, self._schedule, sent, today, provider)
            if step.warmup != warmup:
                self._warmups.save(step.warmup)
            self._quotas.set_quota(provider, step.quota)
            steps.append(step)
        for provider in others:
            self._quotas.set_quota(provider, None)
        return steps
