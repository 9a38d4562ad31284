"""Segments within segments, and what a rule says of lists."""

from __future__ import annotations

from typing import Any

import pytest

from shared.audience.segments.references import (
    MAX_REFERENCES,
    MAX_SEGMENTS,
    Lookup,
    asks_for_engagement,
    implied_lists,
    in_full,
    segments_in,
    supposing,
)
from shared.errors import InvalidInput, NotFound

TAG: dict[str, Any] = {"tag": "vip"}
A, B = {"list": "lst_a"}, {"list": "lst_b"}


def lookup(**rules: dict[str, Any]) -> Lookup:
    def look(segment: str) -> dict[str, Any]:
        if segment not in rules:
            raise NotFound("segment", segment)
        return rules[segment]

    return look


def test_every_segment_is_replaced_by_its_rule() -> None:
    rule = {"all": [{"segment": "one"}, {"not": {"segment": "two"}}, TAG]}
    known = lookup(one={"any": [A, {"segment": "two"}]}, two=B)
    assert in_full(rule, known) == {"all": [{"any": [A, B]}, {"not": B}, TAG]}
    assert list(segments_in(rule)) == ["one", "two"]


@pytest.mark.parametrize(
    ("rule", "rules", "place", "says"),
    [
        ({"all": [TAG, {"segment": "x"}]}, {}, "/rule/all/1/segment", "there is no segment x"),
        ({"segment": "own"}, {"own": TAG}, "/rule/segment", "leads back to itself"),
        (
            {"all": [{"not": {"segment": "one"}}]},
            {"one": {"any": [TAG, {"segment": "two"}]}, "two": {"segment": "own"}},
            "/rule/all/0/not/segment",
            r"leads back to itself \(own -> one -> two -> own\)",
        ),
        (
            {"segment": "one"},
            {"one": {"not": {"segment": "gone"}}},
            "/rule/segment",
            "no segment gone",
        ),
        (
            {"segment": "0"},
            {str(n): {"segment": str(n + 1)} for n in range(MAX_REFERENCES + 1)},
            "/rule/segment",
            "deep",
        ),
        (
            {"segment": "0"},
            {
                **{str(n): {"all": [{"segment": str(n + 1)}] * 50} for n in range(4)},
                "4": {"all": [TAG] * 50},
            },
            "/rule",
            "more than 200 conditions",
        ),
        (
            {"any": [{"segment": f"s{n}"} for n in range(50)]},
            {f"s{n}": {"segment": f"t{n}"} for n in range(50)} | {f"t{n}": TAG for n in range(50)},
            f"/rule/any/{MAX_SEGMENTS // 2}/segment",
            "more than 50 segments",
        ),
    ],
)
def test_a_reference_that_cannot_be_followed_is_refused(
    rule: dict[str, Any], rules: dict[str, Any], place: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        in_full(rule, lookup(**rules), at="/rule", own="own")
    assert caught.value.problems[0].field == place


@pytest.mark.parametrize(
    ("rule", "lists"),
    [
        (A, ("lst_a",)),
        ({**A, "state": "subscribed"}, ("lst_a",)),
        ({**A, "state": "unsubscribed"}, None),
        (TAG, None),
        ({"not": A}, None),
        ({"all": [TAG, A]}, ("lst_a",)),
        ({"all": [TAG, {"any": [A, B]}]}, ("lst_a", "lst_b")),
        ({"all": [{"any": [A, B]}, B]}, ("lst_b",)),
        ({"any": [A, TAG]}, None),
        ({"any": [A, {"all": [B, TAG]}, A]}, ("lst_a", "lst_b")),
    ],
)
def test_the_lists_that_a_rule_implies(rule: dict[str, Any], lists: object) -> None:
    assert implied_lists(rule) == lists


def test_whether_a_rule_asks_for_engagement() -> None:
    assert asks_for_engagement({"all": [TAG, {"not": {"engagement": "sent"}}]})
    assert not asks_for_engagement({"all": [TAG, {"not": A}]})


def test_a_rule_with_engagement_taken_for_whatever_speaks_for_it_or_against_it() -> None:
    clicked: dict[str, Any] = {"engagement": "clicked"}
    rule = {"all": [A, {"any": [TAG, clicked]}, {"not": {"all": [B, clicked]}}]}
    true: dict[str, Any] = {"all": []}
    false: dict[str, Any] = {"any": []}
    assert supposing(rule, happened=True) == {
        "all": [A, {"any": [TAG, true]}, {"not": {"all": [B, false]}}]
    }
    assert supposing(rule, happened=False) == {
        "all": [A, {"any": [TAG, false]}, {"not": {"all": [B, true]}}]
    }
