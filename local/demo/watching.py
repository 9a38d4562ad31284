"""Watching a campaign: the API's report beside what the sandbox itself counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.client import Client
from local.failure import Busy, LocalCloudError
from local.sandbox_client import SandboxClient

PROVIDERS = ("sendgrid", "ses", "postmark")
FATES = ("accepted", "rejected", "failed", "skipped", "in_doubt")
EVENTS = ("delivered", "bounced", "opened", "clicked", "complained", "unsubscribed")
"""What both sides count once per message. `opened` is by people, `bounced` hard or soft."""

_POLL_S = 1.0
_PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both sides at about the same moment."""

    report: Mapping[str, Any]
    stats: Mapping[str, Any]

    @property
    def recipients(self) -> int:
        """Known once planning is done, else 0."""
        return int(self.report["recipients"])

    @property
    def accounted(self) -> int:
        """Recipients whose fate is certain."""
        return sum(int(self.report[fate]) for fate in FATES) - int(self.report["in_doubt"])

    @property
    def all_accounted(self) -> bool:
        """Whether every recipient's fate is certain."""
        return 0 < self.recipients == self.accounted

    @property
    def on_the_way(self) -> int:
        """Events that the sandbox has still to report."""
        return sum(int(hooks["pending"]) for hooks in self.stats["webhooks"].values())

    @property
    def settled(self) -> bool:
        """Whether all events are reported and counted."""
        return self.all_accounted and self.on_the_way == 0 and not differences(self)


def look(api: Client, sandbox: SandboxClient, campaign: str) -> Snapshot:
    """The report first: then it cannot know more than the sandbox says."""
    report = api.get(f"/campaigns/{campaign}/report")
    return Snapshot(report, sandbox.stats())


def differences(snapshot: Snapshot) -> list[str]:
    """Where the report and the sandbox disagree, and sums that do not add up."""
    report, stats = snapshot.report, snapshot.stats
    found = []

    def compare(what: str, ours: int, theirs: int) -> None:
        if ours != theirs:
            found.append(f"{what}: the report says {ours}, the sandbox {theirs}")

    total = sum(int(report[fate]) for fate in FATES)
    if total != snapshot.recipients:
        found.append(f"the fates sum to {total}, but there are {snapshot.recipients} recipients")
    by_provider = report["by_provider"]
    for name in PROVIDERS:
        ours = by_provider.get(name, {})
        compare(f"accepted by {name}", ours.get("accepted", 0), stats["accepted"][name])
        for event in EVENTS:
            compare(f"{event} at {name}", ours.get(event, 0), stats["events"][name][event])
    compare("accepted", report["accepted"], stats["accepted_total"])
    for event in EVENTS:
        theirs = sum(stats["events"][name][event] for name in PROVIDERS)
        compare(event, report[event], theirs)
    if stats["duplicates"]:
        found.append(f"the sandbox saw {stats['duplicates']} messages twice")
    failed = sum(hooks["failed"] for hooks in stats["webhooks"].values())
    if failed:
        found.append(f"{failed} events could not be delivered to the webhooks")
    return found


def wait(
    look_again: Callable[[], Snapshot],
    done: Callable[[Snapshot], bool],
    show: Callable[[Snapshot], None],
    what: str,
    patience_s: float = _PATIENCE_S,
) -> Snapshot:
    """Looks every second until it is done. A look without an answer is one that saw no change.

    Raises:
        LocalCloudError: nothing changed for `patience_s` seconds.
    """
    seen: Snapshot | None = None
    moved, trouble = time.monotonic(), ""
    while time.monotonic() - moved <= patience_s:
        try:
            now = look_again()
        except Busy as error:
            trouble = str(error)
        else:
            if now != seen:
                moved, trouble = time.monotonic(), ""
            seen = now
            show(seen)
            if done(seen):
                return seen
        time.sleep(_POLL_S)
    told = differences(seen) if seen else []
    raise LocalCloudError(
        "\n".join([f"{what}: nothing has moved for {patience_s:.0f} s.", trouble, *told])
    )
