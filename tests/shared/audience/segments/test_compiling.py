"""The compiled rule says what the naive one says; and what single conditions mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience.segments.compiling import compile_rule
from shared.audience.segments.rules import FIELDS, check_rule
from shared.engagement import Deed, EngagementState, Fact, day_of
from shared.ids import to_bytes, to_text
from tests.shared.audience.segments.naive import holds

NOW = datetime(2026, 11, 24, 8, 15, tzinfo=UTC)
LISTS = [to_text("lst", bytes([n]) * 12) for n in range(3)]
CAMPAIGNS = [to_text("cmp", bytes([n]) * 12) for n in range(3)]
TEXTS = st.sampled_from(["pro", "free", "Pro", "de", "de-CH", "2026-11-20", "p", ""])
NUMBERS = st.sampled_from([0, 1, 1.0, 2.5, -3, 10**6])
DATES = st.one_of(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(str),
    st.datetimes(datetime(2026, 10, 1), datetime(2027, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  # the zone is added
        datetime.isoformat
    ),
    st.just("2026-11-24T08:15:00+00:00"),
    st.just("2024-02-29"),
)
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), DATES, st.lists(TEXTS, max_size=3))
NAMES = st.sampled_from(["plan", "visits", "vip", "born", "likes"])


def states() -> st.SearchStrategy[bytes]:
    facts = st.builds(
        Fact,
        st.sampled_from([to_bytes(one) for one in CAMPAIGNS]),
        st.sampled_from(list(Deed)),
        st.integers(day_of(NOW) - 60, day_of(NOW) + 1),
    )
    return st.lists(facts, max_size=6).map(lambda some: EngagementState().heard(some).to_bytes())


PEOPLE = st.fixed_dictionaries(
    {
        "id": st.just("sub_x"),
        "address": st.sampled_from(["a@gmail.com", "b@example.org"]),
        "created_at": DATES,
    },
    optional={
        "attributes": st.dictionaries(NAMES, VALUES, max_size=5),
        "tags": st.lists(st.sampled_from(["vip", "new"]), max_size=2),
        "lists": st.dictionaries(
            st.sampled_from(LISTS), st.sampled_from(["pending", "subscribed", "unsubscribed"])
        ),
        "locale": TEXTS,
        "suppressed": st.sampled_from(["complaint", "manual"]),
        "score": st.floats(0, 1),
        "engagement": states(),
    },
)


def op(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"op": st.sampled_from(names), "value": values})


NON_EMPTY = TEXTS.filter(bool)
COMPARISONS = st.one_of(
    op(["eq", "ne"], st.one_of(NON_EMPTY, NUMBERS, st.booleans())),
    op(["lt", "lte", "gt", "gte"], st.one_of(NON_EMPTY, NUMBERS)),
    op(["in"], st.lists(st.one_of(NON_EMPTY, NUMBERS), min_size=1, max_size=4)),
    op(["contains", "starts_with"], NON_EMPTY),
    op(["exists"], st.booleans()),
    st.just({"op": "exists"}),
    op(["before", "after"], DATES),
    op(
        [
            "within_last_days",
            "within_next_days",
            "more_than_days_ago",
            "anniversary_within_days",
        ],
        st.integers(1, 400),
    ),
)


def join(head: dict[str, Any], tail: dict[str, Any]) -> dict[str, Any]:
    return head | tail


ATTRIBUTES = st.builds(join, NAMES.map(lambda name: {"attribute": name}), COMPARISONS)
FIELD_RULES = st.builds(
    join, st.sampled_from(sorted(FIELDS)).map(lambda name: {"field": name}), COMPARISONS
).filter(lambda rule: not check_rule(rule))
ENGAGEMENT = st.fixed_dictionaries(
    {
        "engagement": st.sampled_from(
            ["sent", "opened", "clicked", "not_sent", "not_opened", "not_clicked"]
        )
    },
    optional={"campaign": st.sampled_from(CAMPAIGNS), "within_days": st.integers(1, 70)},
)
LEAVES = st.one_of(
    ATTRIBUTES,
    FIELD_RULES,
    ENGAGEMENT,
    st.sampled_from(["vip", "new", "old"]).map(lambda tag: {"tag": tag}),
    st.fixed_dictionaries(
        {"list": st.sampled_from(LISTS)},
        optional={"state": st.sampled_from(["pending", "subscribed", "unsubscribed"])},
    ),
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)


@given(RULES, PEOPLE)
def test_the_compiled_rule_says_what_the_naive_one_says(
    rule: dict[str, Any], person: dict[str, Any]
) -> None:
    if check_rule(rule):  # deeper than is allowed
        return
    assert compile_rule(rule, NOW)(person) is holds(rule, person, NOW)


@given(LEAVES, st.lists(PEOPLE, min_size=5, max_size=5))
def test_single_conditions_too(rule: dict[str, Any], people: list[dict[str, Any]]) -> None:
    assert check_rule(rule) == []
    test = compile_rule(rule, NOW)
    for person in people:
        assert test(person) is holds(rule, person, NOW)


@pytest.mark.parametrize(
    ("rule", "attributes", "expected"),
    [
        ({"op": "eq", "value": 1}, {"x": True}, False),
        ({"op": "eq", "value": 1}, {"x": "1"}, False),
        ({"op": "eq", "value": 1}, {"x": 1.0}, True),
        ({"op": "eq", "value": True}, {"x": 1}, False),
        ({"op": "ne", "value": "a"}, {}, True),
        ({"op": "lt", "value": 5}, {}, False),
        ({"op": "in", "value": [1, "a"]}, {"x": True}, False),
        ({"op": "in", "value": ["a", "b"]}, {"x": ["c", "b"]}, True),
        ({"op": "contains", "value": "b"}, {"x": ["abc"]}, False),
        ({"op": "contains", "value": "b"}, {"x": "abc"}, True),
        ({"op": "exists", "value": False}, {}, True),
        ({"op": "within_last_days", "value": 1}, {"x": "not a date"}, False),
        ({"op": "within_last_days", "value": 1}, {"x": "2026-11-24"}, True),
        ({"op": "within_next_days", "value": 1}, {"x": "2026-11-25"}, True),
        ({"op": "anniversary_within_days", "value": 1}, {"x": "1990-11-25"}, True),
        ({"op": "anniversary_within_days", "value": 1}, {"x": "1990-11-26"}, False),
    ],
)
def test_what_a_comparison_means(
    rule: dict[str, Any], attributes: dict[str, Any], expected: bool
) -> None:
    test = compile_rule({"attribute": "x", **rule}, NOW)
    assert test({"address": "a@b.c", "attributes": attributes}) is expected


def test_a_leap_day_is_kept_in_years_without_one() -> None:
    rule = {"attribute": "born", "op": "anniversary_within_days", "value": 1}
    person = {"attributes": {"born": "1996-02-29"}}
    for now, expected in ((datetime(2027, 2, 27, tzinfo=UTC), True), (NOW, False)):
        assert compile_rule(rule, now)(person) is expected


def test_a_rule_on_what_nothing_computes_is_true_of_nobody() -> None:
    for rule in ({"field": "score", "op": "gt", "value": 0}, {"field": "stage", "op": "exists"}):
        assert compile_rule(rule, NOW)({"address": "a@b.c"}) is False


def test_not_opened_within_days() -> None:
    day = day_of(NOW - timedelta(days=30))
    facts = [Fact(to_bytes(CAMPAIGNS[0]), deed, day) for deed in (Deed.SENT, Deed.OPENED)]
    person = {"engagement": EngagementState().heard(facts).to_bytes()}
    rule = {"engagement": "not_opened", "campaign": CAMPAIGNS[0]}
    assert not compile_rule(rule, NOW)(person)
    assert not compile_rule({**rule, "within_days": 30}, NOW)(person)
    assert compile_rule({**rule, "within_days": 29}, NOW)(person)
    assert compile_rule({**rule, "campaign": CAMPAIGNS[1]}, NOW)(person)
    assert compile_rule(rule, NOW)({})
