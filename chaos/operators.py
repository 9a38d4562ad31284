"""Hasty operators: launch, pause and resume at once, over and over."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from chaos.faults import Dice
from local.client import ApiError, Client
from local.failure import Busy

_BOTH = (("launch", "launch"), ("pause", "resume"), ("pause", "pause"), ("resume", "resume"))


class Operators:
    """What they did is counted in `did`, by word and answer."""

    def __init__(self, api: Client, dice: Dice) -> None:
        self.did: Counter[str] = Counter()
        self._api = api
        self._dice = dice
        self._lock = threading.Lock()

    def launch(self, campaigns: list[str]) -> None:
        """All of them at once, each by two people."""
        with ThreadPoolExecutor(8) as hands:
            for campaign in campaigns * 2:
                hands.submit(self.call, campaign, "launch")

    def meddle(self, campaigns: list[str]) -> None:
        """Two do something to one campaign at the same moment."""
        campaign = campaigns[self._dice.pick("meddle", len(campaigns))]
        first, second = _BOTH[self._dice.pick("meddling", len(_BOTH))]
        with ThreadPoolExecutor(2) as hands:
            hands.submit(self.call, campaign, first)
            hands.submit(self.call, campaign, second)

    def resume(self, campaigns: list[str]) -> None:
        """Whatever is paused goes on."""
        for campaign in tuple(campaigns):
            self.call(campaign, "resume")

    def call(self, campaign: str, word: str) -> None:
        """One call; a refusal is as good an answer as any."""
        try:
            self._api.post(f"/campaigns/{campaign}/{word}")
            answer = "done"
        except (ApiError, Busy) as error:
            answer = getattr(error, "code", "busy")
        with self._lock:
            self.did[f"{word}: {answer}"] += 1
