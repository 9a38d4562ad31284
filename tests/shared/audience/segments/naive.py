"""A rule judged the slow and plain way, straight from the language's description.

It shares no code with the compiled one: engagement is read from the unpacked
state, and dates by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from shared.engagement import EngagementState
from shared.ids import to_bytes

EPOCH = date(1970, 1, 1)


def holds(rule: Mapping[str, Any], person: Mapping[str, Any], now: datetime) -> bool:  # noqa: PLR0911  # one case a form
    if "all" in rule:
        return all(holds(part, person, now) for part in rule["all"])
    if "any" in rule:
        return any(holds(part, person, now) for part in rule["any"])
    if "not" in rule:
        return not holds(rule["not"], person, now)
    if "attribute" in rule:
        return compares(rule, person.get("attributes", {}).get(rule["attribute"]), now)
    if "field" in rule:
        if rule["field"] == "address_domain":
            lowered = dict(rule)
            value = rule["value"]
            lowered["value"] = (
                [v.lower() for v in value] if isinstance(value, list) else value.lower()
            )
            return compares(lowered, person["address"].split("@")[-1], now)
        return compares(rule, person.get(rule["field"]), now)
    if "tag" in rule:
        return bool(rule["tag"] in person.get("tags", []))
    if "list" in rule:
        state = person.get("lists", {}).get(rule["list"])
        return bool(state == rule.get("state", "subscribed"))
    return engaged(rule, person, now)


def compares(rule: Mapping[str, Any], found: Any, now: datetime) -> bool:  # noqa: C901, PLR0911, PLR0912  # one case an operator
    op, value = rule["op"], rule.get("value", True)
    match op:
        case "exists":
            return bool((found is not None) == value)
        case "eq":
            return same(found, value)
        case "ne":
            return not same(found, value)
        case "in":
            if isinstance(found, list):
                return any(same(one, v) for one in found for v in value)
            return any(same(found, v) for v in value)
        case "contains":
            return isinstance(found, str | list) and value in found
        case "starts_with":
            return isinstance(found, str) and found[: len(value)] == value
        case "lt" | "lte" | "gt" | "gte":
            if isinstance(found, bool) or found is None or isinstance(found, list):
                return False
            if isinstance(found, str) != isinstance(value, str):
                return False
            return bool(
                {"lt": found < value, "lte": found <= value}.get(
                    op, found > value if op == "gt" else found >= value
                )
            )
    moment = instant(found)
    if moment is None:
        return False
    match op:
        case "before":
            limit = instant(value)
            return limit is not None and moment < limit
        case "after":
            limit = instant(value)
            return limit is not None and moment > limit
        case "within_last_days":
            return now - timedelta(days=value) <= moment <= now
        case "within_next_days":
            return now <= moment <= now + timedelta(days=value)
        case "more_than_days_ago":
            return moment < now - timedelta(days=value)
    return comes_round(date(*map(int, found[:10].split("-"))), now.date(), value)


def comes_round(day: date, today: date, ahead: int) -> bool:
    """Whether the day's anniversary is today or within `ahead` days."""
    for year in (today.year, today.year + 1):
        try:
            feast = day.replace(year=year)
        except ValueError:
            feast = date(year, 2, 28)
        if today <= feast <= today + timedelta(days=ahead):
            return True
    return False


def same(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    if isinstance(found, int | float) and isinstance(value, int | float):
        return found == value
    return isinstance(found, str) and isinstance(value, str) and found == value


def instant(found: Any) -> datetime | None:
    if not isinstance(found, str):
        return None
    try:
        if len(found) == len("2026-11-24"):
            return datetime.combine(date.fromisoformat(found), time(), UTC)
        return datetime.fromisoformat(found)
    except ValueError:
        return None


def engaged(rule: Mapping[str, Any], person: Mapping[str, Any], now: datetime) -> bool:
    word = rule["engagement"]
    if word.startswith("not_"):
        return not engaged({**rule, "engagement": word[4:]}, person, now)
    if "engagement" not in person:
        return False
    state = EngagementState.from_bytes(person["engagement"])
    place = ["sent", "opened", "clicked"].index(word)
    if "campaign" in rule:
        day = state.campaigns.get(to_bytes(rule["campaign"]), (0, 0, 0))[place]
    else:
        day = state.newest[place]
        if word == "sent" and not day:
            day = max(state.newest)
    if not day:
        return False
    if "within_days" not in rule:
        return True
    return EPOCH + timedelta(days=day) >= (now - timedelta(days=rule["within_days"])).date()
