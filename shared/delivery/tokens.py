"""Taking and refunding a provider's tokens, whoever else does so at the same time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime

from shared.clock import Clock
from shared.delivery.ports import RateStore
from shared.delivery.rates import BucketState, Grant, Limits, refund, take
from shared.errors import DependencyUnavailable, StaleWrite

_TRIES = 40


class Tokens:
    """The token buckets of all providers of a deployment."""

    def __init__(
        self,
        rates: RateStore,
        limits: Mapping[str, Limits],
        clock: Clock,
        sleep: Callable[[float], None],
        jitter: random.Random,
    ) -> None:
        self._rates = rates
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def take(self, provider: str, want: int) -> Grant:
        """Takes up to `want` tokens, saved before this returns.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """
        limits = self._limits[provider]

        def step(state: BucketState) -> tuple[BucketState, Grant]:
            return take(state, limits, want, self._clock.now())

        return self._update(provider, step)

    def refund(self, provider: str, count: int, taken_at: datetime) -> None:
        """Gives back what was taken and surely not used.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """
        if count:
            nothing = Grant(0, taken_at)
            self._update(provider, lambda state: (refund(state, count, taken_at), nothing))

    def _update(
        self, provider: str, step: Callable[[BucketState], tuple[BucketState, Grant]]
    ) -> Grant:
        for attempt in range(_TRIES):
            state = self._rates.load(provider)
            after, grant = step(state)
            if after is state:
                return grant
            try:
                self._rates.save(provider, after)
            except StaleWrite:
                self._sleep(self._jitter.uniform(0, min(0.2, 0.005 * 2**attempt)))
                continue
            return grant
        raise DependencyUnavailable(
            f"the token item of provider {provider!r} was written by others {_TRIES} times in a"
            " row; the chunk is tried again"
        )
