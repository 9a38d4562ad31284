"""Kill switches: sending is off for a workspace, or for the whole deployment.

A switch is a small item that whoever sends or releases reads at every chunk and
between the batches of one; what was read is believed for a few seconds. So a
switch acts within `BELIEVED_FOR` and one call to an ESP. Nothing is lost by
it: what is not sent stays pending, and the scheduler brings it back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from shared.clock import Clock
from shared.delivery.ports import SwitchStore
from shared.delivery.workspace import Switch
from shared.errors import FieldProblem, InvalidInput

DEPLOYMENT = ""
"""In place of a workspace: the switch of the whole deployment."""

BELIEVED_FOR = timedelta(seconds=4)

_MAX_REASON = 200
_KEPT = 1000


class Switches:
    """The switches as one worker sees them."""

    def __init__(self, store: SwitchStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[datetime, bool]] = {}
        self._reading = Lock()

    def off(self, workspace: str) -> bool:
        """Whether nothing may be sent for this workspace now.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        with self._reading:  # shares are posted by several threads
            now = self._clock.now()
            known = self._known.get(workspace)
            if known and timedelta() <= now - known[0] < BELIEVED_FOR:
                return known[1]
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._store.get((DEPLOYMENT, workspace))
            off = not all(switch.enabled for switch in found.values())
            self._known[workspace] = now, off
            return off


class SwitchService:
    """What the API and operators do with switches."""

    def __init__(self, store: SwitchStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, workspace: str) -> tuple[Switch, Switch]:
        """A workspace's switch, and the deployment's."""
        found = self._store.get((workspace, DEPLOYMENT))
        return found[workspace], found[DEPLOYMENT]

    def put(self, workspace: str, *, enabled: bool, reason: str, by: str) -> Switch:
        """Turns sending on or off; `by` says who did, for the record.

        Raises:
            InvalidInput: sending is turned off without a reason, or with one too long.
        """
        if len(reason) > _MAX_REASON or not reason.isprintable():
            raise InvalidInput(
                FieldProblem("reason", f"must be one line of at most {_MAX_REASON} characters")
            )
        if not enabled and not reason.strip():
            raise InvalidInput(FieldProblem("reason", "must say why sending is turned off"))
        switch = Switch(enabled, reason, by, self._clock.now())
        self._store.put(workspace, switch)
        return switch
