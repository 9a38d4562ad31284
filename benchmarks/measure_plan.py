"""The measured process of `plan`: `python -m benchmarks.measure_plan RECIPIENTS`.

It prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from benchmarks.mail import NOW, SENDER_DOMAIN
from shared.audience.model import MailingList
from shared.audience.ports import SHARDS
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.walking import AudienceWalk
from shared.delivery.model import Campaign
from shared.delivery.planning import PlanStep
from shared.delivery.release import Releaser
from shared.delivery.states import CampaignState
from shared.delivery.switches import Switches
from shared.ids import ID_BYTES, SUBSCRIBER, to_bytes, to_text
from shared.jobs import Job, JobKind, JobState
from shared.mail import Mailbox
from shared.storage import tables
from shared.storage.ledger import DynamoLedger
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.subscribers import DynamoSubscribers
from tests.fakes import (
    FakeCampaigns,
    FakeChunkQueue,
    FakeClock,
    FakeDue,
    FakeLists,
    FakeSegments,
    FakeSnapshots,
    FakeSwitches,
)

if TYPE_CHECKING:
    from shared.storage.lean import LeanClient

_WORKSPACE = to_text("ws", b"workspace-01")
_CAMPAIGN = to_text("cmp", b"campaign-001")
_LIST = to_text("lst", b"list-000-001")
_BLOCKS = 256 // SHARDS
"""First bytes of ids that fall into one shard."""


class Table:
    """What PynamoDB calls of a client: a list of `recipients` members, and plans put."""

    def __init__(self, recipients: int) -> None:
        self._in_shard = recipients // SHARDS
        self.members = self.plans = self.queries = 0

    def _make_api_call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "PutItem":
            self.plans += 1
            return {}
        self.queries += 1
        values = {next(iter(value.values())) for value in arguments["ExpressionAttributeValues"]
                  .values()}  # fmt: skip
        pk = next(value for value in values if value.startswith("ws#"))
        after = next((value for value in values if not value.startswith("ws#")), None)
        if start := arguments.get("ExclusiveStartKey"):
            after = start["sk"]["S"]
        shard = int(pk.rpartition("#")[2])
        first = self._place(after) + 1 if after else 0
        last = min(first + arguments["Limit"], self._in_shard)
        items = [{"pk": {"S": pk}, "sk": {"S": self._id(shard, i)}} for i in range(first, last)]
        self.members += len(items)
        answer: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        return answer | ({"LastEvaluatedKey": items[-1]} if last < self._in_shard else {})

    def _id(self, shard: int, place: int) -> str:
        """The ids of a shard ascend with their place, and spread over its first bytes."""
        head = place * _BLOCKS // self._in_shard * SHARDS + shard
        return to_text(SUBSCRIBER, bytes([head]) + place.to_bytes(ID_BYTES - 1, "big"))

    @staticmethod
    def _place(subscriber: str) -> int:
        return int.from_bytes(to_bytes(subscriber)[1:], "big")


def plan(recipients: int) -> dict[str, Any]:
    """Plans one campaign from its first step to its last."""
    table = Table(recipients)
    client = cast("LeanClient", table)  # what PynamoDB calls of it
    tables.bind("tidepost-bench", "us-east-1", "http://127.0.0.1:9", client=client)
    clock, campaigns = FakeClock(), FakeCampaigns()
    campaigns.create(
        Campaign(
            id=_CAMPAIGN,
            workspace=_WORKSPACE,
            name="A million",
            sender=Mailbox(f"hello@{SENDER_DOMAIN}"),
            template_id=to_text("tpl", b"template-001"),
            template_version=1,
            list_ids=(_LIST,),
            created_at=NOW,
            state=CampaignState.PLANNING,
        )
    )
    switches = Switches(FakeSwitches(), clock)
    releaser = Releaser(campaigns, FakeChunkQueue(), FakeDue(), switches, clock)
    lists = FakeLists()
    lists.create(MailingList(_LIST, _WORKSPACE, "Everybody", NOW))
    audiences = Audiences(
        lists=lists,
        segments=FakeSegments(),
        snapshots=FakeSnapshots(),
        walk=AudienceWalk(DynamoMemberships(), DynamoSubscribers(), DynamoPersonStates()),
        clock=clock,
    )
    step = PlanStep(campaigns, DynamoLedger(clock), audiences, releaser)
    job = Job("job_plan", _WORKSPACE, JobKind.PLAN_CAMPAIGN, NOW, {"campaign": _CAMPAIGN})
    steps, wall, cpu = 0, time.perf_counter(), time.process_time()
    while job.state is not JobState.DONE:
        job = step.run(job)
        steps += 1
    seconds, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    planned = campaigns.get(_WORKSPACE, _CAMPAIGN)
    if planned.recipients != recipients or planned.chunks != table.plans:
        raise RuntimeError(f"{planned.recipients} of {recipients} were planned")
    return {
        "recipients": recipients,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "steps": steps,
        "queries": table.queries,
        "members_read_per_recipient": table.members / recipients,
        "measured": "PlanStep, DynamoMemberships, DynamoLedger; peak RSS of a fresh process",
    }


if __name__ == "__main__":
    print(json.dumps(plan(int(sys.argv[1]))))
