"""How fast rules are judged: CPU of the compiled rule alone, over people of about 1 KB.

What planning a campaign to a segment reads is in `plan`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Figure
from benchmarks.mail import NOW, people
from shared.audience.segments.compiling import Item, compile_rule
from shared.audience.segments.rules import check_rule
from shared.engagement import Deed, EngagementState, Fact, day_of
from shared.ids import SubscriberIds, to_bytes, to_text

CPU_GOAL = 200_000
PEOPLE = 20_000
REPEATS = 7

LIST = to_text("lst", b"list-000-001")
CAMPAIGN = to_text("cmp", b"campaign-001")

RULES: Mapping[str, Mapping[str, Any]] = {
    "all true": {
        "all": [
            {"list": LIST},
            {"attribute": "plan", "op": "in", "value": ["free", "team", "business"]},
            {"attribute": "last_order_at", "op": "within_last_days", "value": 365},
            {"not": {"tag": "internal"}},
            {"engagement": "sent", "campaign": CAMPAIGN},
        ]
    },
    "any, none true": {
        "any": [
            {"attribute": "city", "op": "eq", "value": "Paris"},
            {"attribute": "interests", "op": "contains", "value": "sailing"},
            {"field": "address_domain", "op": "eq", "value": "example.com"},
            {"engagement": "clicked", "within_days": 30},
            {"field": "created_at", "op": "more_than_days_ago", "value": 90},
        ]
    },
    "mixed": {
        "all": [
            {"any": [{"tag": "customer"}, {"attribute": "plan", "op": "ne", "value": "free"}]},
            {"attribute": "orders", "op": "gte", "value": 3},
            {"field": "locale", "op": "starts_with", "value": "en"},
            {"engagement": "not_opened", "within_days": 60},
        ]
    },
}
"""Of five conditions each. In the first two, every one of them is judged for everybody."""


def run() -> list[Figure]:
    """The slowest rule's figure."""
    return [_cpu()]


def items(count: int) -> list[dict[str, Any]]:
    """People as a walk hands them on: read from JSON, every second with an engagement state."""
    ids = SubscriberIds(b"bench" * 8)
    found = []
    for number, person in enumerate(people(count, "ws_bench", LIST, ids)):
        item: dict[str, Any] = json.loads(json.dumps(person.to_item()))
        item["engagement"] = state(number).to_bytes()
        found.append(item)
    return found


def state(number: int) -> EngagementState:
    """Of a person who was sent a campaign a week for a year, and opened every third of them."""
    today = day_of(NOW)
    facts = [
        Fact(week.to_bytes(12, "big"), deed, today - 7 * week)
        for week in range(1, 47)
        for deed in (Deed.SENT, Deed.OPENED)
        if deed is Deed.SENT or (week + number) % 3 == 0
    ]
    return EngagementState().heard([*facts, Fact(to_bytes(CAMPAIGN), Deed.SENT, today)])


def speed(rule: Mapping[str, Any], crowd: Sequence[Item], repeats: int) -> list[float]:
    """People judged in a second of CPU, of each repeat."""
    test = compile_rule(rule, NOW)
    speeds = []
    for _ in range(repeats):
        begun = time.process_time()
        for item in crowd:
            test(item)
        speeds.append(len(crowd) / (time.process_time() - begun))
    return speeds


def _cpu() -> Figure:
    crowd = items(PEOPLE)
    medians = {}
    for name, rule in RULES.items():
        if problems := check_rule(rule):
            raise ValueError(f"the benchmark's rule {name!r} is wrong: {problems}")
        medians[name] = statistics.median(speed(rule, crowd, REPEATS))
    slowest = min(medians.values())
    context = {
        "conditions": 5,
        "people": PEOPLE,
        "repeats": REPEATS,
        "by_rule": {name: round(value) for name, value in medians.items()},
    }
    return Figure(
        "segment.subscribers_per_cpu_s", slowest, "people", context, CPU_GOAL, at_least=True
    )
