"""Who of a chunk may be mailed now, as far as the campaign itself has a say in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.delivery.mailing import Mailing, Person
from shared.delivery.model import ChunkKey
from shared.delivery.rates import Grant
from shared.delivery.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may go now. The others wait, the first of them until `retry_at`."""

    ready: list[int]
    retry_at: datetime | None = None
    pace: Grant | None = None


class Admission:
    """Asks the hours of the recipients first and then the campaign's pace."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    def admit(self, mailing: Mailing, key: ChunkKey, people: Mapping[int, Person]) -> Admitted:
        """Who of them may go; those to be skipped are none of it.

        Raises:
            DependencyUnavailable: the campaign's token item could not be written.
        """
        ready, retry_at = self._at_this_hour(mailing, people)
        if mailing.pace_per_hour is None or not ready:
            return Admitted(ready, retry_at)
        grant = self._tokens.take_paced(
            key.workspace, key.campaign, mailing.pace_per_hour, len(ready)
        )
        instants = [at for at in (retry_at, grant.retry_at) if at]
        return Admitted(ready[: grant.granted], min(instants, default=None), grant)

    def give_back(self, key: ChunkKey, admitted: Admitted, count: int) -> None:
        """Gives back to the campaign's pace what was surely not sent.

        Raises:
            DependencyUnavailable: the campaign's token item could not be written.
        """
        if admitted.pace is not None:
            self._tokens.refund_paced(key.workspace, key.campaign, count, admitted.pace)

    def _at_this_hour(
        self, mailing: Mailing, people: Mapping[int, Person]
    ) -> tuple[list[int], datetime | None]:
        """Whose hour it is, and when it is the next one's."""
        ready = [i for i, person in people.items() if not person.skip]
        if not mailing.schedule.by_recipient:
            return ready, None
        now = self._clock.now()
        zones = {people[i].time_zone for i in ready}
        opens = {zone: mailing.schedule.opens(zone, now) for zone in zones}
        later = [at for at in opens.values() if at > now]
        return [i for i in ready if opens[people[i].time_zone] <= now], min(later, default=None)
