from datetime import UTC, datetime
from typing import Any

import pytest

from shared.audience.importers.pinpoint_segments import translate
from shared.audience.segments.compiling import any_of
from shared.audience.segments.rules import check_rule
from shared.errors import InvalidInput


def segment(*groups: dict[str, Any], include: str = "ALL") -> dict[str, Any]:
    return {
        "SegmentResponse": {
            "Name": "Gold",
            "Id": "s1",
            "SegmentType": "DIMENSIONAL",
            "SegmentGroups": {"Include": include, "Groups": list(groups)},
        }
    }


def group(*dimensions: dict[str, Any], kind: str = "ALL") -> dict[str, Any]:
    return {
        "Type": kind,
        "SourceType": "ALL",
        "SourceSegments": [],
        "Dimensions": list(dimensions),
    }


def attribute(name: str, *values: str, kind: str = "INCLUSIVE") -> dict[str, Any]:
    return {"Attributes": {name: {"AttributeType": kind, "Values": list(values)}}}


def test_a_segment_becomes_a_rule_that_says_the_same() -> None:
    translated = translate(
        segment(
            group(
                attribute("Interests", "music", "travel"),
                {
                    "UserAttributes": {"Plan": {"AttributeType": "EXCLUSIVE", "Values": ["free"]}},
                    "Metrics": {"purchases": {"ComparisonOperator": "GREATER_THAN", "Value": 2.0}},
                    "Demographic": {"Channel": {"DimensionType": "INCLUSIVE", "Values": ["EMAIL"]}},
                },
            ),
            group(
                {"Location": {"Country": {"DimensionType": "INCLUSIVE", "Values": ["DE", "AT"]}}}
            ),
        )
    )
    assert translated.name == "Gold"
    assert translated.unsupported == ()
    assert translated.rule is not None
    assert check_rule(translated.rule) == []
    holds = any_of((translated.rule,), datetime(2026, 11, 24, tzinfo=UTC))
    fits = {"interests": ["x", "music"], "plan": "pro", "purchases": 3, "country": "DE"}
    assert holds({"attributes": fits})
    for name, value in {
        "interests": ["x"], "plan": "free", "purchases": 2, "country": "FR",
    }.items():  # fmt: skip
        assert not holds({"attributes": {**fits, name: value}}), name


@pytest.mark.parametrize(
    ("kind", "op"), [("BEFORE", "before"), ("AFTER", "after"), ("CONTAINS", "contains")]
)
def test_other_comparisons(kind: str, op: str) -> None:
    rule = translate(segment(group(attribute("Born", "2026-01-01", kind=kind)))).rule
    assert rule == {"attribute": "born", "op": op, "value": "2026-01-01"}
    assert check_rule(rule) == []


def test_a_range_any_and_none() -> None:
    between = attribute("Born", "2026-01-01", "2026-02-01", kind="BETWEEN")
    rule = translate(segment(group(between, kind="NONE"), group(attribute("A", "x")))).rule
    assert rule == {
        "all": [
            {
                "not": {
                    "all": [
                        {"attribute": "born", "op": "after", "value": "2026-01-01"},
                        {"attribute": "born", "op": "before", "value": "2026-02-01"},
                    ]
                }
            },
            {"attribute": "a", "op": "in", "value": ["x"]},
        ]
    }
    either = translate(
        segment(group(attribute("A", "x")), group(attribute("B", "y")), include="ANY")
    ).rule
    assert either is not None
    assert list(either) == ["any"]


def test_what_cannot_be_said_is_listed_with_its_place() -> None:
    one = {
        "Demographic": {"Platform": {"DimensionType": "INCLUSIVE", "Values": ["ios"]}},
        "Behavior": {"Recency": {"Duration": "DAY_30", "RecencyType": "ACTIVE"}},
        "Location": {"GPSPoint": {"Coordinates": {}, "RangeInKilometers": 5}},
        **attribute("Born", "2026-01-01", kind="ON"),
        "Metrics": {"m": {"ComparisonOperator": "ODD", "Value": 1}},
    }
    built = {**group(one), "SourceSegments": [{"Id": "base", "Version": 1}]}
    translated = translate(segment(built))
    assert translated.rule is None
    places = [problem.field for problem in translated.unsupported]
    at = "SegmentGroups.Groups.0.Dimensions.0"
    assert sorted(places) == sorted(
        [
            f"{at}.Demographic.Platform",
            f"{at}.Behavior.Recency",
            f"{at}.Location.GPSPoint",
            f"{at}.Attributes.Born",
            f"{at}.Metrics.m",
            "SegmentGroups.Groups.0.SourceSegments.0",
        ]
    )


def test_old_segments_and_imported_ones() -> None:
    old = translate({"Name": "Old", "Dimensions": attribute("A", "x")})
    assert old.rule == {"attribute": "a", "op": "in", "value": ["x"]}
    imported = translate({"Dimensions": {}, "SegmentType": "IMPORT", "ImportDefinition": {}})
    assert imported.rule is None
    assert imported.unsupported[0].field == "ImportDefinition"


@pytest.mark.parametrize("text", [None, [], "x", {}, {"SegmentResponse": 3}])
def test_what_is_no_segment_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="no segment"):
        translate(text)
