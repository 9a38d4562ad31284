import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience import fields as module
from shared.audience.fields import Fields, read_fields
from shared.errors import InvalidInput


def problems(**values: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_fields(**values)
    return {problem.field: problem.reason for problem in refused.value.problems}


def test_nothing_said_is_blank() -> None:
    assert read_fields() == read_fields({}, [], "", " ") == Fields()


def test_what_attributes_may_hold() -> None:
    attributes = {"name": "Ann\nSmith", "age": 41, "rate": 1.5, "vip": True, "likes": ["a", "b"]}
    assert read_fields(attributes).attributes == attributes


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 1001, "longer than 1000"),
        ("nul \0", "control character"),
        ("bell \a", "control character"),
        ("escape \x1b[2J", "control character"),
        ("Windows' \x93quotes\x94", "control character"),
        (["\x7f"], "control character"),
        ("half \ud800", "half of a character"),
        (float("nan"), "finite"),
        (float("-inf"), "finite"),
        (2**53 + 1, "2^53"),
        (10**400, "2^53"),
        (None, "must be a text"),
        ({"a": 1}, "must be a text"),
        (["a", 1], "something else"),
        (["a"] * 101, "more than 100"),
        (["x" * 1001], "longer than 1000"),
    ],
)
def test_what_attributes_may_not_hold(value: object, reason: str) -> None:
    assert reason in problems(attributes={"a": value})["attributes.a"]


@pytest.mark.parametrize("name", ["", "Name", "first name", "x" * 65, "a.b", "naïve", 3])
def test_names_of_attributes(name: object) -> None:
    assert "a-z" in problems(attributes={name: "x"})["attributes"]


def test_limits_on_the_whole() -> None:
    assert problems(attributes={f"a{i}": 1 for i in range(101)}) == {
        "attributes": "are more than 100"
    }
    assert (
        "100000 bytes"
        in problems(attributes={f"a{i}": "€" * 1000 for i in range(34)})["attributes"]
    )
    assert problems(tags=[str(i) for i in range(101)]) == {"tags": "are more than 100"}


def test_every_problem_is_named_at_once() -> None:
    assert problems(attributes=[], tags="vip", locale=3, time_zone="Mars/Olympus").keys() == {
        "attributes",
        "tags",
        "locale",
        "time_zone",
    }


def test_tags_are_trimmed_and_told_once() -> None:
    assert read_fields(tags=[" vip ", "new", "vip"]).tags == ("vip", "new")


@pytest.mark.parametrize("tags", [[""], ["a\nb"], ["x" * 101], [1], {"a": 1}, ["\ud800"]])
def test_wrong_tags(tags: object) -> None:
    assert problems(tags=tags).keys() == {"tags"}


@pytest.mark.parametrize(
    ("text", "stored"),
    [("de", "de"), ("DE_de", "de-DE"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")],
)
def test_locales_have_one_form(text: str, stored: str) -> None:
    assert read_fields(locale=text).locale == stored


@pytest.mark.parametrize("text", ["d", "german", "de-", "de DE", "de-" + "x" * 9])
def test_wrong_locales(text: str) -> None:
    assert problems(locale=text).keys() == {"locale"}


@pytest.mark.parametrize("text", ["Europe/Berlin", "America/Argentina/Ushuaia", "UTC"])
def test_time_zones(text: str) -> None:
    assert read_fields(time_zone=text).time_zone == text


@pytest.mark.parametrize("text", ["Berlin", "europe/berlin", "../../etc/passwd", "/UTC", "Europe"])
def test_wrong_time_zones(text: str) -> None:
    assert problems(time_zone=text).keys() == {"time_zone"}


def test_without_a_zone_database_the_form_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_zones", frozenset)
    assert read_fields(time_zone="Mars/Olympus").time_zone == "Mars/Olympus"
    assert problems(time_zone="../../etc/passwd").keys() == {"time_zone"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_json, _json, _json, _json)
def test_any_json_is_read_or_refused(
    attributes: object, tags: object, locale: object, time_zone: object
) -> None:
    with contextlib.suppress(InvalidInput):
        read_fields(attributes, tags, locale, time_zone)
