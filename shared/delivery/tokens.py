"""Taking and refunding tokens of providers and campaigns, whoever else does so at the same time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime

from shared.clock import Clock
from shared.delivery.pacing import refund_paced, take_paced
from shared.delivery.ports import RateStore
from shared.delivery.rates import BucketState, Grant, Limits, Room, refund, room, take
from shared.errors import DependencyUnavailable, StaleWrite

_TRIES = 40


def campaign_bucket(workspace: str, campaign: str) -> str:
    """The name of a campaign's own bucket; no provider can be called so."""
    return f"campaign#{workspace}#{campaign}"


class Tokens:
    """The token buckets of a deployment: its providers', and those of campaigns with a pace."""

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
        self._looked: dict[str, BucketState] = {}

    def room(self, provider: str, *, express: bool = False) -> Room:
        """What could be taken now; nothing is booked, so a take may give less.

        The next take begins from what was read here. If another worker has
        taken since, its save is refused as stale, and it reads again.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        state = self._looked[provider] = self._rates.load(provider)
        return room(state, self._limits[provider], self._clock.now(), express=express)

    def take(
        self,
        provider: str,
        want: int,
        *,
        by_group: Mapping[str, int] | None = None,
        express: bool = False,
    ) -> Grant:
        """Takes up to `want` tokens, saved before this returns; see `rates.take`.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """
        limits = self._limits[provider]

        def step(state: BucketState) -> tuple[BucketState, Grant]:
            now = self._clock.now()
            return take(state, limits, want, now, by_group=by_group, express=express)

        return self._update(provider, step)

    def refund(
        self,
        provider: str,
        count: int,
        taken_at: datetime,
        by_group: Mapping[str, int] | None = None,
    ) -> None:
        """Gives back what was taken and surely not used.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """
        if count:
            nothing = Grant(0, taken_at)
            self._update(
                provider, lambda state: (refund(state, count, taken_at, by_group), nothing)
            )

    def take_paced(self, workspace: str, campaign: str, per_hour: int, want: int) -> Grant:
        """Takes up to `want` of a campaign's own pace, saved before this returns.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """

        def step(state: BucketState) -> tuple[BucketState, Grant]:
            return take_paced(state, per_hour, want, self._clock.now())

        return self._update(campaign_bucket(workspace, campaign), step)

    def refund_paced(self, workspace: str, campaign: str, count: int, grant: Grant) -> None:
        """Gives back what of a campaign's pace was surely not used.

        Raises:
            DependencyUnavailable: too many other workers were always first.
        """
        if count:
            self._update(
                campaign_bucket(workspace, campaign),
                lambda state: (refund_paced(state, count, grant.start), grant),
            )

    def _update(
        self, bucket: str, step: Callable[[BucketState], tuple[BucketState, Grant]]
    ) -> Grant:
        looked = self._looked.pop(bucket, None)
        for attempt in range(_TRIES):
            state = looked or self._rates.load(bucket)
            looked = None
            after, grant = step(state)
            if after is state:
                return grant
            try:
                self._rates.save(bucket, after)
            except StaleWrite:
                self._sleep(self._jitter.uniform(0, min(0.2, 0.005 * 2**attempt)))
                continue
            return grant
        raise DependencyUnavailable(
            f"the token item of {bucket!r} was written by others {_TRIES} times in a"
            " row; the chunk is tried again"
        )
