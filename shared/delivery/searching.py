"""Asking providers for what is in doubt: few enough questions, and none that holds others up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.model import ChunkKey, ChunkRecord
from shared.delivery.ports import MessageSearch
from shared.errors import TidepostError
from shared.ids import MessageIds, MessageRef
from shared.mail import MessageKind

MOST = 200
"""Questions a minute, all providers together. Postmark publishes no limit of its API's."""

TIME = timedelta(seconds=15)
"""Of a minute, after which nothing more is asked; the last question may take ten seconds more."""

AGAIN = timedelta(minutes=10)
"""Between two questions for the same message, unless its answer is needed now."""


class DoubtSearch:
    """Asks those providers that can be asked, by their names in `searches`.

    Within one minute it asks a provider nothing more once a question failed.
    `errors` says why, by provider.
    """

    def __init__(
        self, searches: Mapping[str, MessageSearch], message_ids: MessageIds, clock: Clock
    ) -> None:
        self._searches = searches
        self._message_ids = message_ids
        self._clock = clock
        self._missed: dict[tuple[str, ChunkKey, int], datetime] = {}
        self.begin()

    def begin(self) -> None:
        """A new minute: what may be asked is counted anew."""
        now = self._clock.now()
        self.errors: dict[str, str] = {}
        self._left = MOST
        self._until = now + TIME
        self._missed = {asked: at for asked, at in self._missed.items() if now - at < AGAIN}

    def can_ask(self, provider: str | None) -> bool:
        """Whether that provider has a search at all."""
        return provider in self._searches

    def has(self, provider: str, record: ChunkRecord, index: int, *, now: bool) -> bool | None:
        """Whether the provider has taken the message of this recipient; None if nobody knows.

        With `now` it is asked even if it said no within the last ten minutes.
        """
        asked = (provider, record.plan.key, index)
        closed = provider in self.errors or not self._left or self._clock.now() >= self._until
        if closed or (not now and asked in self._missed):
            return None
        self._left -= 1
        key = record.plan.key
        ref = MessageRef(key.workspace, key.campaign, key.chunk, index)
        kind = MessageKind.TRANSACTIONAL if ref.transactional else MessageKind.CAMPAIGN
        try:
            found = self._searches[provider].has(kind, self._message_ids.make(ref))
        except TidepostError as error:  # an account's trouble is not the others'
            self.errors[provider] = str(error)
            return None
        if not found:
            self._missed[asked] = self._clock.now()
        return found
