"""The rule language: what a segment's rule may be, and where one is wrong.

A rule is one JSON object, and each has one of these forms::

    {"all": [rule, ...]}   {"any": [rule, ...]}   {"not": rule}
    {"attribute": "plan", "op": "eq", "value": "pro"}
    {"field": "created_at", "op": "within_last_days", "value": 30}
    {"tag": "vip"}
    {"list": "lst_...", "state": "subscribed"}
    {"engagement": "not_opened", "campaign": "cmp_...", "within_days": 30}
    {"segment": "seg_..."}

A problem's `field` is a JSON pointer (RFC 6901) to the place in the rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

from shared.audience.fields import MAX_INTEGER, MAX_TAG, MAX_TEXT, is_attribute_name
from shared.audience.model import ListState, SuppressionReason
from shared.audience.settings import QualityFlag
from shared.errors import FieldProblem
from shared.ids import CAMPAIGN, LIST, SEGMENT, is_id

MAX_DEPTH = 8
"""Rules within rules, the outermost counted."""

MAX_CONDITIONS = 50
MAX_VALUES = 200
"""Of one `in`."""

MAX_BYTES = 16_000
"""UTF-8 bytes of all texts in a rule: it is stored, and read again at every step of a job."""

MAX_DAYS = 36_500
MAX_PROBLEMS = 20

DEEDS = ("sent", "opened", "clicked")
ENGAGEMENT = (*DEEDS, *(f"not_{deed}" for deed in DEEDS))


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field that every person has, or may have: its operators, type, and only values."""

    ops: tuple[str, ...]
    holds: Literal["text", "number", "date", "anything"]
    values: tuple[str, ...] = ()


_DATE_OPS = (
    "before", "after", "within_last_days", "more_than_days_ago", "within_next_days",
    "anniversary_within_days",
)  # fmt: skip
_ORDER_OPS = ("lt", "lte", "gt", "gte")
_TEXT_OPS = ("eq", "ne", "in", "starts_with", "exists")
OPS = ("eq", "ne", *_ORDER_OPS, "in", "contains", "starts_with", *_DATE_OPS, "exists")

FIELDS: Mapping[str, FieldSpec] = {
    "created_at": FieldSpec(_DATE_OPS, "date"),
    "updated_at": FieldSpec(_DATE_OPS, "date"),
    "locale": FieldSpec(_TEXT_OPS, "text"),
    "time_zone": FieldSpec(_TEXT_OPS, "text"),
    "address_domain": FieldSpec(("eq", "ne", "in"), "text"),
    "suppressed": FieldSpec(
        ("eq", "ne", "in", "exists"), "text", tuple(one.value for one in SuppressionReason)
    ),
    "quality": FieldSpec(("contains", "exists"), "text", tuple(one.value for one in QualityFlag)),
    "score": FieldSpec(("eq", "ne", *_ORDER_OPS, "exists"), "number"),
    "stage": FieldSpec(("eq", "ne", "in", "exists"), "text"),
}
"""`score` and `stage` are absent until something computes them: then no rule on them is true."""


def check_rule(rule: object, at: str = "") -> list[FieldProblem]:
    """All that is wrong with a rule, up to MAX_PROBLEMS; `at` is the pointer to the rule itself.

    Whether a list, a campaign or another segment exists is not asked here.
    """
    checker = _Checker()
    checker.rule(rule, at, 1)
    if checker.conditions > MAX_CONDITIONS:
        checker.say(at, f"has more than {MAX_CONDITIONS} conditions; make segments of its parts")
    if checker.size > MAX_BYTES:
        checker.say(at, f"has more than {MAX_BYTES} bytes of text; use a list or a tag instead")
    return checker.problems[:MAX_PROBLEMS]


def conditions(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The conditions of a rule, without what joins them."""
    for part in parts_of(rule):
        yield from conditions(part)
    if not joins(rule):
        yield rule


def parts_of(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rules that a rule joins; none for a condition."""
    parts: list[Mapping[str, Any]] = rule.get("all") or rule.get("any") or []
    return [rule["not"]] if "not" in rule else parts


def joins(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is `all`, `any` or `not`."""
    return not _JOINS.isdisjoint(rule)


class _Checker:
    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []
        self.conditions = 0
        self.size = 0

    def say(self, at: str, reason: str) -> None:
        self.problems.append(FieldProblem(at or "/", reason))

    def rule(self, rule: object, at: str, depth: int) -> None:
        if len(self.problems) >= MAX_PROBLEMS or self.conditions > MAX_CONDITIONS:
            return
        if not isinstance(rule, Mapping):
            self.say(at, "must be an object, one rule")
            return
        kinds = [kind for kind in _KINDS if kind in rule]
        if len(kinds) != 1:
            self.say(at, f"must have exactly one of {', '.join(_KINDS)}")
            return
        kind = kinds[0]
        takes, check = _KINDS[kind]
        for name in rule:
            if name != kind and name not in takes:
                self.say(f"{at}/{_escaped(name)}", f"is not known beside {kind}; leave it out")
        if kind in _JOINS:
            self.joined(kind, rule[kind], f"{at}/{kind}", depth)
            return
        self.conditions += 1
        check(self, rule, at)

    def joined(self, kind: str, parts: object, at: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self.say(at, f"is rule within rule more than {MAX_DEPTH} deep; make a segment of it")
        elif kind == "not":
            self.rule(parts, at, depth + 1)
        elif not isinstance(parts, list) or not parts:
            self.say(at, "must be a list of at least one rule")
        else:
            for place, part in enumerate(parts):
                self.rule(part, f"{at}/{place}", depth + 1)

    def attribute(self, rule: Mapping[str, Any], at: str) -> None:
        name = rule["attribute"]
        if not isinstance(name, str) or not is_attribute_name(name):
            self.say(f"{at}/attribute", "must be an attribute's name: 1 to 64 of a-z, 0-9 and _")
        self.comparison(rule, at, FieldSpec(OPS, "anything"))

    def field(self, rule: Mapping[str, Any], at: str) -> None:
        name = rule["field"]
        spec = FIELDS.get(name) if isinstance(name, str) else None
        if spec is None:
            known = ", ".join(FIELDS)
            self.say(f"{at}/field", f"is no field; there are {known}; others are attributes")
            return
        self.comparison(rule, at, spec)

    def comparison(self, rule: Mapping[str, Any], at: str, spec: FieldSpec) -> None:
        op = rule.get("op")
        if op not in spec.ops:
            self.say(f"{at}/op", f"must be one of {', '.join(spec.ops)}")
            return
        value = rule.get("value", True if op == "exists" else None)
        reason = self.value(op, value)
        if not reason and op != "exists":
            reason = _misfit(value, spec)
        if reason:
            self.say(f"{at}/value", reason)

    def value(self, op: str, value: object) -> str:
        """What is wrong with an operator's value; empty if nothing."""
        if op == "in":
            return self.values(value)
        if op in {"contains", "starts_with"}:
            return self.text(value)
        if op in _SIMPLE:
            good, reason = _SIMPLE[op]
            return "" if good(value) else reason
        if _is_number(value):
            return _number(value)
        orders = op in _ORDER_OPS
        if isinstance(value, bool) and not orders:
            return ""
        reason = self.text(value)
        return reason and f"{reason} or a number{'' if orders else ', or true or false'}"

    def values(self, value: object) -> str:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
            return f"must be a list of 1 to {MAX_VALUES} texts or numbers"
        reasons = (_number(one) if _is_number(one) else self.text(one) for one in value)
        return next(filter(None, reasons), "")

    def text(self, value: object) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
            return f"must be a text of 1 to {MAX_TEXT} characters"
        self.size += len(value.encode("utf-8", "replace"))
        return ""

    def tag(self, rule: Mapping[str, Any], at: str) -> None:
        if not isinstance(rule["tag"], str) or not 0 < len(rule["tag"]) <= MAX_TAG:
            self.say(f"{at}/tag", f"must be a tag of 1 to {MAX_TAG} characters")

    def list(self, rule: Mapping[str, Any], at: str) -> None:
        self.identifier(rule, at, "list", LIST)
        if rule.get("state", "subscribed") not in _STATES:
            self.say(f"{at}/state", f"must be one of {', '.join(_STATES)}")

    def segment(self, rule: Mapping[str, Any], at: str) -> None:
        self.identifier(rule, at, "segment", SEGMENT)

    def engagement(self, rule: Mapping[str, Any], at: str) -> None:
        if rule["engagement"] not in ENGAGEMENT:
            self.say(f"{at}/engagement", f"must be one of {', '.join(ENGAGEMENT)}")
        if "campaign" in rule:
            self.identifier(rule, at, "campaign", CAMPAIGN)
        if "within_days" in rule and not _is_days(rule["within_days"]):
            self.say(f"{at}/within_days", f"must be a whole number, 1 to {MAX_DAYS}")

    def identifier(self, rule: Mapping[str, Any], at: str, name: str, prefix: str) -> None:
        if not isinstance(rule[name], str) or not is_id(prefix, rule[name]):
            self.say(f"{at}/{name}", f"must be the id of a {name}, {prefix}_...")


def instant(text: str) -> datetime | None:
    """The instant that a text names: a date is its midnight, UTC where there is no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _misfit(value: object, spec: FieldSpec) -> str:
    """Why a good value is none for this field; empty if it is one."""
    wanted = value if isinstance(value, list) else [value]
    if spec.holds == "text" and not all(isinstance(one, str) for one in wanted):
        return "must be a text, as the field is"
    if spec.holds == "number" and not all(map(_is_number, wanted)):
        return "must be a number, as the field is"
    if spec.values and not set(wanted) <= set(spec.values):
        return f"must be of {', '.join(spec.values)}"
    return ""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: float) -> str:
    good = math.isfinite(value) and abs(value) <= MAX_INTEGER
    return "" if good else "must be a number within 2^53"


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_DAYS


def _is_instant(value: object) -> bool:
    return isinstance(value, str) and instant(value) is not None


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_A_DATE = "must be a date such as 2026-11-24 or 2026-11-24T08:15:00Z"
_SOME_DAYS = f"must be a whole number of days, 1 to {MAX_DAYS}"
_SIMPLE: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "exists": (_is_bool, "must be true or false"),
    **dict.fromkeys(_DATE_OPS, (_is_days, _SOME_DAYS)),
    "before": (_is_instant, _A_DATE),
    "after": (_is_instant, _A_DATE),
}


def _escaped(name: object) -> str:
    return str(name)[:100].replace("~", "~0").replace("/", "~1")


def _nothing(_checker: _Checker, _rule: Mapping[str, Any], _at: str) -> None:
    """Of what joins rules, all is checked in `joined`."""


_Check = Callable[[_Checker, Mapping[str, Any], str], None]
_COMPARED = frozenset({"op", "value"})
_KINDS: Mapping[str, tuple[frozenset[str], _Check]] = {
    "all": (frozenset(), _nothing),
    "any": (frozenset(), _nothing),
    "not": (frozenset(), _nothing),
    "attribute": (_COMPARED, _Checker.attribute),
    "field": (_COMPARED, _Checker.field),
    "tag": (frozenset(), _Checker.tag),
    "list": (frozenset({"state"}), _Checker.list),
    "engagement": (frozenset({"campaign", "within_days"}), _Checker.engagement),
    "segment": (frozenset(), _Checker.segment),
}
_JOINS = frozenset({"all", "any", "not"})
_STATES = tuple(state.value for state in ListState)
