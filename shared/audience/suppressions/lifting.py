"""The job that takes an address off the providers' lists once a workspace has let it go.

A provider's list holds for all workspaces. So nothing is taken off as long as
another workspace still has the address on its own list by that fact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from shared.audience.model import Suppression
from shared.audience.ports import SuppressionStore
from shared.audience.suppressions.ports import (
    FACTS,
    KnownAddress,
    KnownAddressStore,
    Workspaces,
)
from shared.audience.suppressions.syncing import Accounts, asked
from shared.ids import SubscriberIds
from shared.jobs import Job


class LiftStep:
    """`JobStep` of `LIFT_SUPPRESSION`, in one step.

    Progress: `lifted`, the providers it was taken off; `errors` by provider;
    `held_elsewhere`, whether another workspace still holds it.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        known: KnownAddressStore,
        suppressions: SuppressionStore,
        workspaces: Workspaces,
        ids: SubscriberIds,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accounts = accounts
        self._known = known
        self._suppressions = suppressions
        self._workspaces = workspaces
        self._ids = ids
        self._sleep = sleep

    def run(self, job: Job) -> Job:
        """Takes it off, as far as the providers answer; what stays is known to the next run."""
        own: bool = job.params["at_providers"]
        known = self._known.get_many([job.params["known"]]).get(job.params["known"])
        held = known is not None and bool(known.address) and self._is_held(known)
        lifted: list[str] = []
        errors: dict[str, str] = {}
        if known and known.address and not held:
            for name in sorted(known.placed | (known.found if own else frozenset())):
                if name not in self._accounts():
                    continue
                error = self._take_away(name, known.address, own=own)
                if error:
                    errors[name] = error
                else:
                    lifted.append(name)
            self._keep(known, frozenset(lifted), own=own)
        progress = {"lifted": lifted, "errors": errors, "held_elsewhere": held}
        return job.advanced(cursor={}, progress=progress, done=True)

    def _take_away(self, name: str, address: str, *, own: bool) -> str:
        _, error = asked(
            self._accounts()[name],
            lambda account: account.take_away([address], own=own),
            self._sleep,
        )
        return error

    def _keep(self, known: KnownAddress, lifted: frozenset[str], *, own: bool) -> None:
        """Forgets the fact, unless a provider has still got the address on its list."""
        found = known.found - lifted if own else known.found
        placed = known.placed - lifted
        if found or placed:
            self._known.put(replace(known, found=found, placed=placed))
        else:
            self._known.remove(known.id)

    def _is_held(self, known: KnownAddress) -> bool:
        for workspace in self._workspaces.ids():
            entry = self._suppressions.get(workspace, self._ids.of(workspace, known.address))
            if entry and _is_seen(entry):
                return True
        return False


def _is_seen(entry: Suppression) -> bool:
    """Whether a provider saw it happen; what a workspace says by itself binds nobody else."""
    return entry.reason in FACTS and entry.source.partition(":")[0] in {"webhook", "sync"}
