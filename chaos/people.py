"""People who leave while the campaigns run: one click, the API, and complaints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chaos.faults import Dice
from chaos.judge import Departure
from local.client import Client
from local.demo.leaving import leave
from local.failure import LocalCloudError
from local.sandbox_client import SandboxClient
from shared.clock import Clock

_WAYS = ("click", "click", "click", "click", "api", "api", "api", "api", "complaint")


class People:
    """The members of one list, of whom some leave. `ids` maps addresses to subscriber ids.

    `asked_at` says when somebody first tried to leave; `departures` are those
    whom the product has told yes. `trouble` counts the others.
    """

    def __init__(
        self,
        api: Client,
        sandbox: SandboxClient,
        list_id: str,
        ids: Mapping[str, str],
        *,
        dice: Dice,
        clock: Clock,
    ) -> None:
        self.ids = ids
        self.departures: list[Departure] = []
        self.asked_at: dict[str, datetime] = {}
        self.trouble = 0
        self._api = api
        self._sandbox = sandbox
        self._list = list_id
        self._dice = dice
        self._clock = clock

    def one_leaves(self) -> None:
        """Somebody who is still there leaves, by one of three ways."""
        way = _WAYS[self._dice.pick("leaving", len(_WAYS))]
        if way == "api":
            self._by_the_api()
            return
        mail = self._somebodys_mail()
        if mail is None:
            return
        if way == "click":
            self._ask(mail["to"], lambda: leave(mail))
        else:  # nobody answers a complaint: it only makes the suppression race the campaign
            self.asked_at[mail["to"]] = self._clock.now()
            self._sandbox.report({"message_id": mail["id"], "type": "complained"})

    def _by_the_api(self) -> None:
        staying = [one for one in self.ids if one not in self.asked_at]
        if not staying:
            return
        address = staying[self._dice.pick("who", len(staying))]
        path, body = f"/subscribers/{self.ids[address]}", {"lists": {self._list: "unsubscribed"}}
        self._ask(address, lambda: self._api.call("PATCH", path, body=body))

    def _somebodys_mail(self) -> dict[str, Any] | None:
        count = self._sandbox.stats()["accepted_total"]
        mail = self._sandbox.message_at(self._dice.pick("whose", count)) if count else None
        return mail if mail and mail["to"] not in self.asked_at else None

    def _ask(self, address: str, ask: Callable[[], object]) -> None:
        self.asked_at[address] = self._clock.now()
        try:
            ask()
        except LocalCloudError:
            self.trouble += 1  # no yes was said, so nothing is promised
            return
        self.departures.append(Departure(address, self._clock.now()))
