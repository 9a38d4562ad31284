"""A rule that is wrong is refused with the place and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience.segments.rules import (
    MAX_BYTES,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_PROBLEMS,
    MAX_VALUES,
    check_rule,
    conditions,
)
from shared.ids import to_text

TAG = {"tag": "vip"}
LIST, SEGMENT, CAMPAIGN = (to_text(kind, bytes(12)) for kind in ("lst", "seg", "cmp"))


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = TAG
    for _ in range(depth - 1):
        rule = {"not": rule}
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        TAG,
        {"all": [TAG, {"any": [TAG, {"not": TAG}]}]},
        {"attribute": "plan", "op": "eq", "value": "pro"},
        {"attribute": "plan", "op": "in", "value": ["pro", 3]},
        {"attribute": "vip", "op": "eq", "value": True},
        {"attribute": "vip", "op": "exists"},
        {"attribute": "born", "op": "before", "value": "2000-01-01"},
        {"field": "created_at", "op": "within_last_days", "value": 30},
        {"field": "address_domain", "op": "in", "value": ["gmail.com"]},
        {"field": "suppressed", "op": "eq", "value": "complaint"},
        {"field": "score", "op": "gte", "value": 0.5},
        {"field": "stage", "op": "in", "value": ["at_risk", "dormant"]},
        {"list": LIST},
        {"list": LIST, "state": "pending"},
        {"segment": SEGMENT},
        {"engagement": "sent"},
        {"engagement": "not_opened", "campaign": CAMPAIGN, "within_days": 30},
        nested(MAX_DEPTH),
        {"any": [TAG] * MAX_CONDITIONS},
    ],
)
def test_a_good_rule_passes(rule: dict[str, Any]) -> None:
    assert check_rule(rule) == []


@pytest.mark.parametrize(
    ("rule", "place", "says"),
    [
        ("vip", "/", "must be an object"),
        (None, "/", "must be an object"),
        ({}, "/", "exactly one of all, any, not"),
        ({"all": [TAG], "any": [TAG]}, "/", "exactly one"),
        ({"adress": "x"}, "/", "exactly one"),
        ({"all": []}, "/all", "at least one"),
        ({"all": TAG}, "/all", "list"),
        ({"all": [TAG, 5]}, "/all/1", "object"),
        ({"any": [{"not": [TAG]}]}, "/any/0/not", "object"),
        ({"tag": "vip", "a/b~": 1}, "/a~1b~0", "not known beside tag"),
        ({"tag": ""}, "/tag", "1 to 100"),
        ({"field": "email", "op": "eq", "value": "x"}, "/field", "is no field"),
        ({"field": ["locale"], "op": "eq", "value": "x"}, "/field", "is no field"),
        ({"field": "locale", "op": "lt", "value": "x"}, "/op", "must be one of eq, ne"),
        ({"field": "locale", "op": "eq", "value": 5}, "/value", "a text, as the field is"),
        ({"field": "score", "op": "gt", "value": "x"}, "/value", "a number, as the field is"),
        ({"field": "suppressed", "op": "eq", "value": "x"}, "/value", "must be of hard_bounce"),
        ({"attribute": "Ünfit", "op": "exists"}, "/attribute", "a-z, 0-9 and _"),
        ({"attribute": "plan"}, "/op", "must be one of"),
        ({"attribute": "plan", "op": ["eq"], "value": 1}, "/op", "must be one of"),
        ({"attribute": "plan", "op": "eq"}, "/value", "text"),
        ({"attribute": "plan", "op": "eq", "value": None}, "/value", "text"),
        ({"attribute": "plan", "op": "eq", "value": "x" * 1001}, "/value", "1 to 1000"),
        ({"attribute": "plan", "op": "lt", "value": True}, "/value", "text"),
        ({"attribute": "plan", "op": "lt", "value": 2**60}, "/value", "2^53"),
        ({"attribute": "plan", "op": "lt", "value": float("nan")}, "/value", "2^53"),
        ({"attribute": "plan", "op": "in", "value": []}, "/value", f"1 to {MAX_VALUES}"),
        ({"attribute": "plan", "op": "in", "value": [1] * 201}, "/value", f"1 to {MAX_VALUES}"),
        ({"attribute": "plan", "op": "in", "value": [True]}, "/value", "text"),
        ({"attribute": "plan", "op": "exists", "value": 1}, "/value", "true or false"),
        ({"attribute": "born", "op": "before", "value": "soon"}, "/value", "2026-11-24"),
        ({"attribute": "born", "op": "within_last_days", "value": 0}, "/value", "days"),
        ({"attribute": "born", "op": "within_last_days", "value": True}, "/value", "days"),
        ({"list": "lst_x"}, "/list", "id of a list"),
        ({"list": LIST, "state": "gone"}, "/state", "pending, subscribed"),
        ({"segment": LIST}, "/segment", "seg_"),
        ({"engagement": "read"}, "/engagement", "sent, opened"),
        ({"engagement": "sent", "campaign": "x"}, "/campaign", "id of a campaign"),
        ({"engagement": "sent", "within_days": 1.5}, "/within_days", "whole number"),
        ({"engagement": ["sent"]}, "/engagement", "sent, opened"),
        (nested(MAX_DEPTH + 1), "/not" * MAX_DEPTH, "deep"),
        ({"any": [TAG] * (MAX_CONDITIONS + 1)}, "/", "more than 50 conditions"),
        (
            {"all": [{"attribute": "a", "op": "in", "value": ["x" * 1000] * 17}]},
            "/",
            f"more than {MAX_BYTES}",
        ),
    ],
)
def test_a_bad_rule_is_refused_with_the_place(rule: object, place: str, says: str) -> None:
    [problem] = check_rule(rule)
    assert problem.field == place
    assert says in problem.reason


def test_the_place_begins_where_the_rule_stands() -> None:
    rule = {"all": [TAG, {"attribute": "age", "op": "gt", "value": []}]}
    assert [one.field for one in check_rule(rule, "/rule")] == ["/rule/all/1/value"]


def test_all_problems_are_named_up_to_a_number() -> None:
    bad = {"tag": ""}
    assert [one.field for one in check_rule({"all": [bad, TAG, bad]})] == [
        "/all/0/tag",
        "/all/2/tag",
    ]
    assert len(check_rule({"all": [bad] * 50})) == MAX_PROBLEMS


def test_conditions_are_what_is_joined() -> None:
    rule = {"all": [TAG, {"not": {"any": [{"list": LIST}, TAG]}}]}
    assert list(conditions(rule)) == [TAG, {"list": LIST}, TAG]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["all", "any", "not", "tag", "attribute", "op", "value", "field"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_breaks_the_check(rule: object) -> None:
    for problem in check_rule(rule):
        assert problem.field.startswith("/")
        assert problem.reason
