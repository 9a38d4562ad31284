"""Engagement bands of recipients, read when they are mailed and only if a rule asks for bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.clock import Clock
from shared.delivery.rules import DeliveryRules
from shared.engagement import Band, band_of, day_of


class StateReader(Protocol):
    """What people did with their mail, as bytes of `shared.engagement`."""

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> Mapping[str, bytes]:
        """The states of those that have one."""
        ...


class Bands:
    """Knows the bands. Half a read unit a person if a rule asks for bands, else nothing."""

    def __init__(self, states: StateReader, rules: DeliveryRules, clock: Clock) -> None:
        self._states = states
        self._asked = rules.ask_for_bands
        self._clock = clock

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> Mapping[str, Band]:
        """Everybody's band; nobody's if no rule asks.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        if not self._asked:
            return {}
        found = self._states.of(workspace, subscriber_ids)
        today = day_of(self._clock.now())
        return {one: band_of(found.get(one), today) for one in subscriber_ids}
