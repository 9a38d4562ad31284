"""A rule as one function of a person's item, made once and called very often.

The item is what is stored (`Subscriber.to_item`), with `engagement` added where
the person has a state (`shared.engagement`), and `score` and `stage` once
something computes them. What an item lacks is absent: only `ne`, `exists` with
false, `not` and the `not_` engagements are true of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.audience.segments.matching import Matcher, matcher_of
from shared.audience.segments.model import Rule
from shared.engagement import Deed, day_of, day_with, newest_day
from shared.ids import to_bytes

Item = Mapping[str, Any]
Predicate = Callable[[Item], bool]


def compile_rule(rule: Rule, now: datetime) -> Predicate:
    """The function that says whether a rule is true of a person.

    `rule` has passed `check_rule` and names no other segment any more
    (`references.in_full`). Days are counted back and forth from `now`.
    """
    for kind, make in _KINDS.items():
        if kind in rule:
            return make(rule, now)
    raise AssertionError("the rule was checked, and has no segments in it")


def any_of(rules: Sequence[Rule], now: datetime) -> Predicate:
    """Whether any of these rules is true; of none, none is."""
    return _any([compile_rule(rule, now) for rule in rules])


def _joined_all(rule: Rule, now: datetime) -> Predicate:
    return _all([compile_rule(part, now) for part in rule["all"]])


def _joined_any(rule: Rule, now: datetime) -> Predicate:
    return any_of(rule["any"], now)


def _negated(rule: Rule, now: datetime) -> Predicate:
    test = compile_rule(rule["not"], now)
    return lambda item: not test(item)


def _all(tests: Sequence[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]

    def every(item: Item) -> bool:
        for test in tests:  # noqa: SIM110  # all() with a generator takes twice as long
            if not test(item):
                return False
        return True

    return every


def _any(tests: Sequence[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]

    def some(item: Item) -> bool:
        for test in tests:  # noqa: SIM110  # any() with a generator takes twice as long
            if test(item):
                return True
        return False

    return some


def _attribute(rule: Rule, now: datetime) -> Predicate:
    name = rule["attribute"]
    match = matcher_of(rule, now)
    absent = match(None)

    def test(item: Item) -> bool:
        attributes = item.get("attributes")
        return absent if attributes is None else match(attributes.get(name))

    return test


def _field(rule: Rule, now: datetime) -> Predicate:
    name = rule["field"]
    match = matcher_of(rule, now)
    if name == "address_domain":
        return _domain(match)
    return lambda item: match(item.get(name))


def _domain(match: Matcher) -> Predicate:
    return lambda item: match(item["address"].rpartition("@")[2])


def _tag(rule: Rule, _now: datetime) -> Predicate:
    tag = rule["tag"]
    return lambda item: tag in item.get("tags", ())


def _list(rule: Rule, _now: datetime) -> Predicate:
    list_id, state = rule["list"], rule.get("state", "subscribed")

    def test(item: Item) -> bool:
        lists = item.get("lists")
        return lists is not None and lists.get(list_id) == state

    return test


def _engagement(rule: Rule, now: datetime) -> Predicate:
    word, days = rule["engagement"], rule.get("within_days")
    negative = word.startswith("not_")
    deed = int(Deed[word.removeprefix("not_").upper()])  # an enum's members are slower
    since = day_of(now - timedelta(days=days)) if days else 1
    if "campaign" in rule:
        happened = _with_campaign(to_bytes(rule["campaign"]), deed, since)
    else:
        happened = _with_any(deed, since)
    return (lambda item: not happened(item)) if negative else happened


def _with_campaign(campaign: bytes, deed: int, since: int) -> Predicate:
    def test(item: Item) -> bool:
        state = item.get("engagement")
        return state is not None and day_with(state, campaign, deed) >= since

    return test


def _with_any(deed: int, since: int) -> Predicate:
    def test(item: Item) -> bool:
        state = item.get("engagement")
        return state is not None and newest_day(state, deed) >= since

    return test


_KINDS: Mapping[str, Callable[[Rule, datetime], Predicate]] = {
    "all": _joined_all,
    "any": _joined_any,
    "not": _negated,
    "attribute": _attribute,
    "field": _field,
    "tag": _tag,
    "list": _list,
    "engagement": _engagement,
}
