"""What the operators mean: each as a function of one stored value, None if it is absent.

Values are compared as they are: a number is never equal to a text, nor to true
or false, and letters' case counts. Of a list of texts, `contains` asks for one
of its texts, and `in` for any of several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

from shared.audience.segments.rules import instant

Matcher = Callable[[Any], bool]


def matcher_of(rule: Mapping[str, Any], now: datetime) -> Matcher:
    """The function for a comparison's `op` and `value`."""
    op = rule["op"]
    value = rule.get("value", True)
    if rule.get("field") == "address_domain":
        value = [one.lower() for one in value] if op == "in" else value.lower()
    if op in _ORDER:
        return _ordered(_ORDER[op], value)
    if op in _DATES:
        return _DATES[op](value, now)
    return _PLAIN[op](value)


def _eq(value: Any) -> Matcher:
    if isinstance(value, bool):
        return lambda found: found is value
    if isinstance(value, str):
        return lambda found: found == value
    return lambda found: found == value and found is not True and found is not False


def _ne(value: Any) -> Matcher:
    equal = _eq(value)
    return lambda found: not equal(found)


def _in(value: list[Any]) -> Matcher:
    texts = frozenset(one for one in value if isinstance(one, str))
    numbers = frozenset(one for one in value if not isinstance(one, str))

    def match(found: Any) -> bool:
        kind = type(found)
        if kind is str:
            return found in texts
        if kind is int or kind is float:
            return found in numbers
        return kind is list and not texts.isdisjoint(found)

    return match


def _contains(value: str) -> Matcher:
    def match(found: Any) -> bool:
        kind = type(found)
        return (kind is str or kind is list) and value in found

    return match


def _starts_with(value: str) -> Matcher:
    return lambda found: type(found) is str and found.startswith(value)


def _exists(value: bool) -> Matcher:
    return lambda found: (found is not None) is value


def _ordered(compare: Callable[[Any, Any], bool], value: Any) -> Matcher:
    if isinstance(value, str):
        return lambda found: type(found) is str and compare(found, value)

    def match(found: Any) -> bool:
        kind = type(found)
        return (kind is int or kind is float) and compare(found, value)

    return match


def _within(first: datetime, last: datetime) -> Matcher:
    """Between two instants, both included. It parses by itself: a call less is a fifth less."""
    read = datetime.fromisoformat

    def match(found: Any) -> bool:
        if type(found) is not str:
            return False
        try:
            moment = read(found)
        except ValueError:
            return False
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return first <= moment <= last

    return match


def _before(value: str, _now: datetime) -> Matcher:
    return _within(_FIRST, _moved(instant(value) or _FIRST, -_STEP))


def _after(value: str, _now: datetime) -> Matcher:
    return _within(_moved(instant(value) or _LAST, _STEP), _LAST)


def _last_days(value: int, now: datetime) -> Matcher:
    return _within(now - timedelta(days=value), now)


def _next_days(value: int, now: datetime) -> Matcher:
    return _within(now, now + timedelta(days=value))


def _days_ago(value: int, now: datetime) -> Matcher:
    return _within(_FIRST, now - timedelta(days=value) - _STEP)


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:  # at the ends of the calendar
        return moment


def _anniversary(value: int, now: datetime) -> Matcher:
    """Today or within that many days, by the calendar day that the text has.

    The 29th of February is kept on the 28th in years without one.
    """
    coming = [now + timedelta(days=ahead) for ahead in range(min(value, 366) + 1)]
    days = {day.strftime("%m-%d") for day in coming}
    if any(day.month == 2 and (day + timedelta(days=1)).month == 3 for day in coming):  # noqa: PLR2004  # February's last
        days.add("02-29")

    def match(found: Any) -> bool:
        return type(found) is str and found[5:10] in days and instant(found) is not None

    return match


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_STEP = timedelta.resolution
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {"lt": lt, "lte": le, "gt": gt, "gte": ge}
_DATES: Mapping[str, Callable[[Any, datetime], Matcher]] = {
    "before": _before,
    "after": _after,
    "within_last_days": _last_days,
    "within_next_days": _next_days,
    "more_than_days_ago": _days_ago,
    "anniversary_within_days": _anniversary,
}
_PLAIN: Mapping[str, Callable[[Any], Matcher]] = {
    "eq": _eq,
    "ne": _ne,
    "in": _in,
    "contains": _contains,
    "starts_with": _starts_with,
    "exists": _exists,
}
