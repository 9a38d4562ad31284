"""The demo from import to counted opens, on a cloud that is up."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from local.client import Client
from local.demo.bars import bars
from local.demo.behaviour import BEHAVIOUR
from local.demo.leaving import some_leave, still_there
from local.demo.people import Fate, make_audience
from local.demo.preparing import Prepared, import_people, make_campaign, make_content, verify_domain
from local.demo.summary import Result, print_import
from local.demo.watching import Snapshot, differences, look, wait
from local.failure import LocalCloudError
from local.sandbox_client import SandboxClient
from local.steps import Steps

_LEAVERS = 5
_SEED = 20261030


@dataclass(frozen=True, slots=True)
class Show:
    """The demo with its tools. `domain` is the sender's."""

    api: Client
    sandbox: SandboxClient
    steps: Steps
    domain: str

    def prepare(self, rows: int) -> Prepared:
        """Sender domain, list, template, and the people.

        Raises:
            LocalCloudError: a step failed, or the import counts wrongly.
        """
        self.sandbox.forget()
        self.sandbox.behave(BEHAVIOUR)
        with self.steps.step(f"Verifying the sender domain {self.domain}"):
            verify_domain(self.api, self.sandbox, self.domain)
        with self.steps.step("Making a list and a template"):
            prepared = make_content(self.api, self.domain)
        audience = make_audience(rows, _SEED)
        with self.steps.step(f"Importing a CSV of {audience.rows} rows"):
            counted = import_people(self.api, prepared.list_id, audience)
        print_import(self.steps.console, audience, counted)
        wrong = [
            f"{fate.value}: {counted[fate.value]} instead of {audience.expected(fate)}"
            for fate in Fate
            if counted[fate.value] != audience.expected(fate)
        ]
        if wrong:
            raise LocalCloudError("the import does not count as the file was made: " + str(wrong))
        return prepared

    def send(self, prepared: Prepared, name: str = "December news") -> Result:
        """Launches a campaign and watches it until every event is counted.

        Raises:
            LocalCloudError: it stood still, or somebody who left is still there.
        """
        campaign = make_campaign(self.api, prepared, name)
        self.steps.say(f"\nLaunching campaign {campaign}")
        began = time.monotonic()
        self.api.post(f"/campaigns/{campaign}/launch")
        leaving: list[Future[list[str]]] = []

        def look_again() -> Snapshot:
            seen = look(self.api, self.sandbox, campaign)
            if not leaving and seen.report["accepted"] > 0:
                leaving.append(aside.submit(some_leave, self.sandbox, _LEAVERS, _SEED))
            return seen

        with ThreadPoolExecutor(1) as aside, bars(self.steps.console) as shown:
            wait(look_again, lambda s: s.all_accounted, shown.show, "sending")
            accounted = time.monotonic() - began
            snapshot = wait(look_again, lambda s: s.settled, shown.show, "counting the events")
            settled = time.monotonic() - began
            left = [address for one in leaving for address in one.result()]
        if there := still_there(self.api, prepared.list_id, left):
            raise LocalCloudError(f"{len(there)} who left by one click are still subscribed")
        return Result(snapshot, accounted, settled, left)

    @staticmethod
    def problems(result: Result) -> list[str]:
        """What does not add up; empty if all is well."""
        return differences(result.snapshot)
