"""Keeping the providers' health: reading it before a choice, and reporting what came of it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.analytics.model import Engagement
from shared.clock import Clock
from shared.delivery.breaker import BatchResult, Breaker, claim, restore, result_of, settle
from shared.delivery.health import (
    Count,
    Health,
    Heard,
    changed_quarantines,
    first_unfolded,
    fold,
    heard_of,
    slot_of,
    slot_of_heard,
)
from shared.delivery.ports import HealthStore
from shared.delivery.posting import AFTER_FAILURE, OUT_OF_TIME
from shared.errors import DependencyUnavailable, NotFound, StaleWrite
from shared.mail import SendOutcome, Verdict

FRESH_FOR = timedelta(seconds=5)
"""How long a worker goes on with what it has read. A breaker that opens elsewhere is seen then."""

SAVED_EVERY_SLOTS = 6
"""Folded slots after which the value is saved though no alarm came of them: once a minute."""

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Posted:
    """One recipient's outcome, with where it came from."""

    provider: str
    group: str
    outcome: SendOutcome


class HealthMonitor:
    """The health of the deployment's providers, as one worker sees it."""

    def __init__(self, store: HealthStore, clock: Clock, jitter: random.Random) -> None:
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._health: Health | None = None
        self._read_at = datetime.min.replace(tzinfo=clock.now().tzinfo)

    def current(self) -> Health:
        """The health now, at most FRESH_FOR old. Saves what everybody should know.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        now = self._clock.now()
        if self._health is None or now - self._read_at >= FRESH_FOR:
            self._health, self._read_at = self._read(now), now
        return self._health

    def claim(self, providers: Iterable[str]) -> bool:
        """Claims the probes of these providers; False if another worker was first: choose again.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        health = self.current()
        now = self._clock.now()
        for provider in providers:
            health = health.with_breaker(provider, claim(health.breaker(provider), now))
        try:
            self._health = self._store.save(health)
        except StaleWrite:
            self._health = None
            return False
        return True

    def posted(
        self, answers: Iterable[Posted], posted_at: Mapping[str, datetime], probing: frozenset[str]
    ) -> None:
        """Reports a round: moves breakers and counts what was accepted.

        `posted_at` says, by provider, with which instant the events of this
        round will be reported; `probing` names the providers whose share is a
        claimed probe. A probe of which nothing was posted is free again.

        Raises:
            DependencyUnavailable: the store did not answer, or others were
                always first.
        """
        by_provider: dict[str, list[SendOutcome]] = {provider: [] for provider in probing}
        accepted: Counter[tuple[str, str]] = Counter()
        for one in answers:
            by_provider.setdefault(one.provider, []).append(one.outcome)
            if one.outcome.verdict is Verdict.ACCEPTED:
                accepted[one.provider, one.group] += 1
        for provider, outcomes in by_provider.items():
            result, code, retry_after = result_of(
                outcomes, after_failure=AFTER_FAILURE, out_of_time=OUT_OF_TIME
            )
            if result is BatchResult.SUCCEEDED and provider not in probing:
                continue  # it can only close what a probe has opened

            def settled(
                breaker: Breaker,
                provider: str = provider,
                result: BatchResult = result,
                code: str = code,
                retry_after: float | None = retry_after,
            ) -> Breaker:
                return settle(
                    breaker,
                    result,
                    self._clock.now(),
                    self._jitter,
                    code=code,
                    probed=provider in probing,
                    retry_after=retry_after,
                )

            self._update(provider, settled)
        slots: defaultdict[int, Counter[Count]] = defaultdict(Counter)
        for (provider, group), count in accepted.items():
            slots[slot_of(posted_at[provider])][provider, group, Heard.ACCEPTED] = count
        if slots:
            self._store.add(slots)

    def heard(self, engagements: Iterable[Engagement]) -> None:
        """Counts a batch of events that are new. Twice is twice, and does little harm.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        now = self._clock.now()
        slots: defaultdict[int, Counter[Count]] = defaultdict(Counter)
        for one in engagements:
            kind, posted_at = heard_of(one.event), one.posted_at
            found = slot_of_heard(posted_at, now, kind) if kind and posted_at else None
            if found:
                slot, heard = found
                slots[slot][one.event.provider, one.group, heard] += 1
        if slots:
            self._store.add(slots)

    def restore(self, provider: str) -> Breaker:
        """An operator says that the provider's account is in order again.

        Raises:
            NotFound: nothing is wrong with a provider of that name.
            DependencyUnavailable: the store did not answer, or others were
                always first.
        """
        if provider not in self._store.load().breakers:
            raise NotFound("open breaker of provider", provider)
        return self._update(provider, lambda breaker: restore(breaker, self._clock.now()))

    def _read(self, now: datetime) -> Health:
        stored = self._store.load()
        slots = self._store.slots(first_unfolded(stored, now), slot_of(now))
        health = fold(stored, slots, now)
        alarming = changed_quarantines(stored, health)
        if alarming or (slots and health.folded - stored.folded >= SAVED_EVERY_SLOTS):
            try:
                health = self._store.save(health)
            except StaleWrite:  # somebody else has folded, claimed or settled: theirs is as good
                return fold(self._store.load(), slots, now)
        return health

    def _update(self, provider: str, step: Callable[[Breaker], Breaker]) -> Breaker:
        for _ in range(_TRIES):
            health = self._store.load()
            before = health.breaker(provider)
            after = step(before)
            try:
                if after is not before:
                    health = self._store.save(health.with_breaker(provider, after))
            except StaleWrite:
                continue
            if self._health is not None:
                self._health = replace(
                    self._health, version=health.version, breakers=health.breakers
                )
            return after
        raise DependencyUnavailable(
            f"the providers' health was written by others {_TRIES} times in a row while the"
            f" breaker of {provider!r} changed; the next failure reports it again"
        )
