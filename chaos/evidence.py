"""Gathers what the judge judges by: the sandbox's mailbox and the API's answers."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chaos.exposure import Chunk
from chaos.judge import STATES, Evidence, Limit, Mail, Recipient
from chaos.people import People
from local.client import ApiError, Client
from local.failure import Busy
from local.sandbox_client import SandboxClient
from shared.clock import Clock, from_iso
from shared.ids import CAMPAIGN, to_text

_CAMPAIGN, _CHUNK = slice(13, 25), slice(25, 29)  # of a message id's bytes; see shared/ids.py
_EVERY_S = 4.0
_PAGE = 200


def place_of(message: str) -> Chunk:
    """Campaign and chunk of a message, by its id."""
    raw = base64.b64decode(message, altchars=b"-_")
    return to_text(CAMPAIGN, raw[_CAMPAIGN]), int.from_bytes(raw[_CHUNK], "big")


def patiently(ask: Callable[[], Any], tries: int = 8) -> Any:
    """An answer of the API, asked again where there was none."""
    for left in reversed(range(tries)):
        try:
            return ask()
        except Busy:
            if not left:
                raise
            threading.Event().wait(0.5)
    raise AssertionError("the last try returns or raises")


class Watch:
    """Looks at the campaigns again and again while they run: who was ever in doubt."""

    def __init__(self, api: Client, clock: Clock) -> None:
        self.doubted: dict[str, Chunk] = {}
        self.planned_at: dict[str, datetime] = {}
        self.most_in_doubt = 0
        self.campaigns: list[str] = []
        self._api = api
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """One look at every campaign."""
        in_doubt = 0
        for campaign in tuple(self.campaigns):
            if campaign not in self.planned_at:
                state = self._api.get(f"/campaigns/{campaign}")["state"]
                if state in {"draft", "planning"}:
                    continue
                self.planned_at[campaign] = self._clock.now()
            items = self._api.items(
                f"/campaigns/{campaign}/recipients", state="in_doubt", limit=_PAGE
            )
            for one in items:
                in_doubt += 1
                self.doubted[one["message"]] = place_of(one["message"])
        self.most_in_doubt = max(self.most_in_doubt, in_doubt)

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            try:
                self.look()
            except (Busy, ApiError):
                continue  # the next look may be luckier


def gather(
    api: Client,
    sandbox: SandboxClient,
    people: People,
    watch: Watch,
    *,
    exposed: set[Chunk],
    limits: Mapping[str, Limit],
    dispatcher_timeout: timedelta,
) -> Evidence:
    """All evidence, when everything has settled."""
    address_of = {person: address for address, person in people.ids.items()}
    everybody = frozenset(people.ids)
    recipients: list[Recipient] = []
    states, reports, required = {}, {}, {}
    for campaign in watch.campaigns:
        recipients += patiently(partial(_recipients, api, campaign, address_of))
        states[campaign] = patiently(partial(api.get, f"/campaigns/{campaign}"))["state"]
        report = patiently(partial(api.get, f"/campaigns/{campaign}/report"))
        reports[campaign] = {word: report[word] for word in ("recipients", *STATES)}
        planned = watch.planned_at.get(campaign)
        gone = {a for a, at in people.asked_at.items() if planned is None or at <= planned}
        required[campaign] = everybody - gone
    return Evidence(
        mails=_mails(sandbox),
        recipients=recipients,
        required=required,
        possible=dict.fromkeys(watch.campaigns, everybody),
        states=states,
        reports=reports,
        departures=tuple(people.departures),
        dispatcher_timeout=dispatcher_timeout,
        doubted=dict(watch.doubted),
        faulted=frozenset(_doubtful(sandbox.faults()["faults"])),
        exposed=frozenset(exposed),
        limits=limits,
    )


def _recipients(api: Client, campaign: str, address_of: dict[str, str]) -> list[Recipient]:
    return [
        Recipient(
            campaign,
            one["message"],
            address_of.get(one["subscriber"], one["subscriber"]),
            one["state"],
            one["reason"],
        )
        for one in api.items(f"/campaigns/{campaign}/recipients", limit=_PAGE)
    ]


def _mails(sandbox: SandboxClient) -> list[Mail]:
    return [
        Mail(
            place_of(one["tidepost_id"])[0],
            one["tidepost_id"],
            one["to"],
            one["provider"],
            from_iso(one["accepted_at"]),
            one["state"] in {"dropped", "failed"},
        )
        for one in sandbox.messages()
    ]


def _doubtful(faults: Sequence[dict[str, Any]]) -> set[str]:
    kinds = {"error", "hang", "accept_then_drop"}
    return {key for one in faults if one["fault"] in kinds for key in one["keys"]}
