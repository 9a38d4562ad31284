"""The read units of `plan`: `python -m benchmarks.measure_reads <cloud> <others>`.

A workspace with a list of 1,000 and `others` beside it. It prints one JSON
object: for each audience, how many recipients were planned, and the read units
by table while the jobs function planned them.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.campaign import Pipeline, settings_kept
from benchmarks.deployment import deploy, populate
from benchmarks.mail import NOW, people
from benchmarks.plan import WITH_ENGAGEMENT
from benchmarks.segments import CAMPAIGN, state
from shared.audience.model import MailingList
from shared.audience.segments.model import Audience, Segment, Source, SourceKind
from shared.delivery.states import CampaignState
from shared.engagement import KeptState
from shared.ids import SubscriberIds, to_text
from shared.storage.lists import DynamoLists
from shared.storage.person_states import DynamoPersonStates
from shared.storage.segments import DynamoSegments
from shared.storage.subscribers import DynamoSubscribers

MEMBERS = 1_000
_TIMEOUT_S = 30


def main(cloud: str, others: int) -> dict[str, Any]:
    """Plans one campaign to each audience."""
    with contextlib.redirect_stdout(io.StringIO()), settings_kept():
        pipeline = Pipeline(deploy(cloud, cloud, "sendgrid"))
        where = populate(MEMBERS)
        elsewhere = to_text("lst", b"list-000-002")
        DynamoLists().create(MailingList(elsewhere, where.workspace, "Others", NOW))
        strangers = list(people(others, where.workspace, elsewhere, SubscriberIds(b"others" * 8)))
        DynamoSubscribers().put_many(strangers)
        for number, person in enumerate(strangers[:MEMBERS]):
            kept = {person.id: KeptState(state(number))}
            DynamoPersonStates().save(where.workspace, kept)

        def segment(number: int, *conditions: dict[str, Any]) -> Source:
            made = Segment(
                to_text("seg", number.to_bytes(12, "big")),
                where.workspace, "Segment", {"all": list(conditions)}, NOW, NOW,
            )  # fmt: skip
            DynamoSegments().create(made)
            return Source(SourceKind.SEGMENT, made.id)

        on_list = {"list": where.list_id}
        orders = {"attribute": "orders", "op": "gte", "value": 3}
        plan = {"attribute": "plan", "op": "in", "value": ["team", "business"]}
        unopened = {"engagement": "not_opened", "campaign": CAMPAIGN, "within_days": 30}
        whole = Source(SourceKind.LIST, where.list_id)
        audiences = {
            "a list of 1,000": Audience((whole,)),
            "a segment that is part of that list": Audience((segment(1, on_list, orders),)),
            WITH_ENGAGEMENT: Audience((segment(5, on_list, orders, unopened),)),
            "that list without a segment": Audience((whole,), (segment(2, plan, {"not": orders}),)),
            "a segment of everybody": Audience((segment(3, plan, orders),)),
            "a segment of everybody, with engagement": Audience((segment(4, plan, unopened),)),
        }
        found = {}
        for name, whom in audiences.items():
            campaign = pipeline.start(where, whom)
            _forget(cloud)
            pipeline.plan()
            units = _forget(cloud)["read_units"]
            done = pipeline.get(campaign)
            if done.state is not CampaignState.SENDING:
                raise RuntimeError(f"planning {name} ended as {done.state}: {done.state_reason}")
            found[name] = {"recipients": done.recipients, "units": units}
    return found


def _forget(url: str) -> dict[str, Any]:
    """What the cloud counted; it then begins anew."""
    request = Request(f"{url}/_counts", data=b"", method="POST")  # noqa: S310 - our own server
    with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        counted: dict[str, Any] = json.load(answer)
        return counted


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
