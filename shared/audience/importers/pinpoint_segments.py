"""Amazon Pinpoint's segments as rules of ours, and what of them cannot be one.

Source: Pinpoint's API reference, `SegmentResponse`. Dimensions of one group
are joined by its `Type`, groups by `Include`, and all values of one dimension
are alternatives. Names of attributes are made the same way as by the import of
endpoints, so that a rule finds what was imported.

What cannot be translated is listed with its place and left out of the rule. A
rule with something left out may be true of more or fewer people: look at it
before you mail anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.audience.importers.foreign import attribute_name
from shared.errors import FieldProblem, InvalidInput

Rule = dict[str, Any]

_JOINS = {"ALL": "all", "ANY": "any"}
_COMPARISONS = {
    "EQUAL": "eq",
    "GREATER_THAN": "gt",
    "GREATER_THAN_OR_EQUAL": "gte",
    "LESS_THAN": "lt",
    "LESS_THAN_OR_EQUAL": "lte",
}
_DAYS = {"HR_24": 1, "DAY_7": 7, "DAY_14": 14, "DAY_30": 30}


@dataclass(frozen=True, slots=True)
class TranslatedSegment:
    """A rule (None if nothing could be translated), and what is not in it, each with its place."""

    name: str
    rule: Rule | None
    unsupported: tuple[FieldProblem, ...]


def translate(segment: object) -> TranslatedSegment:
    """A segment as `get-segment` gives it, with or without `SegmentResponse` around it.

    Raises:
        InvalidInput: that is no segment.
    """
    if isinstance(segment, Mapping):
        segment = segment.get("SegmentResponse", segment)
    if not isinstance(segment, Mapping) or not {"SegmentGroups", "Dimensions"} & segment.keys():
        reason = "is no segment of Amazon Pinpoint's: it has neither SegmentGroups nor Dimensions"
        raise InvalidInput(FieldProblem("segment", reason))
    translation = _Translation()
    if segment.get("SegmentType") == "IMPORT" or segment.get("ImportDefinition"):
        translation.leave_out("ImportDefinition", _IMPORTED)
    rule = translation.groups(_object(segment.get("SegmentGroups")))
    if rule is None and not segment.get("SegmentGroups"):
        rule = translation.dimensions(_object(segment.get("Dimensions")), "all", "Dimensions")
    return TranslatedSegment(
        str(segment.get("Name", ""))[:100], rule, tuple(translation.unsupported)
    )


class _Translation:
    def __init__(self) -> None:
        self.unsupported: list[FieldProblem] = []

    def leave_out(self, place: str, reason: str) -> None:
        self.unsupported.append(FieldProblem(place, reason))

    def groups(self, groups: Mapping[str, Any]) -> Rule | None:
        include = str(groups.get("Include", "ALL")).upper()
        rules = []
        for index, group in enumerate(_list(groups.get("Groups"))):
            rule = self._group(_object(group), f"SegmentGroups.Groups.{index}")
            if rule:
                rules.append(rule)
        return _joined(rules, include)

    def _group(self, group: Mapping[str, Any], place: str) -> Rule | None:
        kind = str(group.get("Type", "ALL")).upper()
        rules = []
        for index, one in enumerate(_list(group.get("Dimensions"))):
            at = f"{place}.Dimensions.{index}"
            # Type joins what stands in the dimensions of a group.
            rule = self.dimensions(_object(one), _JOINS.get(kind, "any"), at)
            if rule:
                rules.append(rule)
        for index, source in enumerate(_list(group.get("SourceSegments"))):
            named = _object(source).get("Id", "")
            self.leave_out(f"{place}.SourceSegments.{index}", f"builds on segment {named}: {_BASE}")
        return _joined(rules, kind)

    def dimensions(self, dimensions: Mapping[str, Any], join: str, place: str) -> Rule | None:
        rules: list[Rule | None] = []
        for part in ("Attributes", "UserAttributes"):
            for name, dimension in _object(dimensions.get(part)).items():
                rules.append(self._attribute(name, _object(dimension), f"{place}.{part}.{name}"))
        for name, metric in _object(dimensions.get("Metrics")).items():
            rules.append(self._metric(name, _object(metric), f"{place}.Metrics.{name}"))
        location = _object(dimensions.get("Location"))
        if "Country" in location:
            country = _object(location["Country"])
            rules.append(self._set("country", country, f"{place}.Location.Country"))
        if "GPSPoint" in location:
            self.leave_out(f"{place}.Location.GPSPoint", "is a distance, which no rule can ask for")
        rules.append(self._recency(_object(dimensions.get("Behavior")), f"{place}.Behavior"))
        self._demographic(_object(dimensions.get("Demographic")), f"{place}.Demographic")
        good = [rule for rule in rules if rule]
        return _joined(good, join.upper())

    def _attribute(self, name: str, dimension: Mapping[str, Any], place: str) -> Rule | None:
        kind = str(dimension.get("AttributeType", "INCLUSIVE")).upper()
        values = [value for value in _list(dimension.get("Values")) if isinstance(value, str)]
        attribute = attribute_name(name)
        if not values:
            self.leave_out(place, "has no values")
            return None
        rule = _comparison(attribute, kind, values)
        if rule is None:
            self.leave_out(place, f"compares by {kind}, which no rule can")
        return rule

    def _metric(self, name: str, metric: Mapping[str, Any], place: str) -> Rule | None:
        op = _COMPARISONS.get(str(metric.get("ComparisonOperator", "")).upper())
        value = metric.get("Value")
        if op is None or not isinstance(value, int | float):
            self.leave_out(place, "has no comparison that is known")
            return None
        return {"attribute": attribute_name(name), "op": op, "value": value}

    def _set(self, attribute: str, dimension: Mapping[str, Any], place: str) -> Rule | None:
        values = [value for value in _list(dimension.get("Values")) if isinstance(value, str)]
        if not values:
            self.leave_out(place, "has no values")
            return None
        rule = _is_one_of(attribute, values)
        exclusive = str(dimension.get("DimensionType", "INCLUSIVE")).upper() == "EXCLUSIVE"
        return {"not": rule} if exclusive else rule

    def _recency(self, behavior: Mapping[str, Any], place: str) -> Rule | None:
        recency = _object(behavior.get("Recency"))
        if not recency:
            return None
        if recency.get("Duration") in _DAYS:
            days = _DAYS[recency["Duration"]]
            self.leave_out(
                f"{place}.Recency",
                f"asks for the use of an app in {days} days; the nearest is a rule such as"
                f' {{"engagement": "opened", "within_days": {days}}}',
            )
        else:
            self.leave_out(f"{place}.Recency", "has a duration that is not known")
        return None

    def _demographic(self, demographic: Mapping[str, Any], place: str) -> None:
        for name, dimension in demographic.items():
            values = _object(dimension).get("Values")
            if name == "Channel" and values == ["EMAIL"]:
                continue  # everybody here is
            self.leave_out(f"{place}.{name}", "is about devices, of which nothing is imported")


def _comparison(attribute: str, kind: str, values: Sequence[str]) -> Rule | None:
    """The rule of one attribute; None for a kind that there is no operator for."""

    def compared(op: str, value: str) -> Rule:
        return {"attribute": attribute, "op": op, "value": value}

    match kind:
        case "INCLUSIVE":
            return _is_one_of(attribute, values)
        case "EXCLUSIVE":
            return {"not": _is_one_of(attribute, values)}
        case "CONTAINS":
            return _joined([compared("contains", value) for value in values], "ANY")
        case "BEFORE" | "AFTER":
            return compared(kind.lower(), values[0])
        case "BETWEEN" if len(values) > 1:
            return {"all": [compared("after", values[0]), compared("before", values[1])]}
        case _:
            return None


def _joined(rules: Sequence[Rule], kind: str) -> Rule | None:
    if not rules:
        return None
    if kind == "NONE":
        return {"not": rules[0] if len(rules) == 1 else {"any": [*rules]}}
    return rules[0] if len(rules) == 1 else {_JOINS.get(kind, "all"): [*rules]}


def _is_one_of(attribute: str, values: Sequence[str]) -> Rule:
    """`in` holds of a text, and of a list that has one of the values."""
    return {"attribute": attribute, "op": "in", "value": [*values]}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


_IMPORTED = "the segment is a fixed list of endpoints: import its file onto a list, and use that"
_BASE = "translate that one too, and put both into one rule with all"
