import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience import addresses
from shared.audience.addresses import normalise
from shared.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Smith+News@Example.COM\t", "ann.smith+news@example.com"),
        ("ann@MÜNCHEN.de", "ann@xn--mnchen-3ya.de"),
        ("ann@xn--mnchen-3ya.de", "ann@xn--mnchen-3ya.de"),
        ("JÜRGEN@example.com", "jürgen@example.com"),
        (unicodedata.normalize("NFD", "Jürgen@münchen.de"), "jürgen@xn--mnchen-3ya.de"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("ann@faß.de", "ann@xn--fa-hia.de"),
        ("o'hara@sub.example.co.uk", "o'hara@sub.example.co.uk"),
    ],
)
def test_one_form_for_every_way_of_writing(text: str, stored: str) -> None:
    assert normalise(text) == stored


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("ann", "has no @"),
        ("ann@example.com\r\nBcc: bob@example.com", "line break"),
        ("ann\0@example.com", "control character"),
        ("ann\u202e@example.com", "invisible"),
        ("ann\ud800@example.com", "invisible"),
        ("ann@example.com, bob@example.com", "looks like several"),
        ("ann@example.com;bob@example.com", "looks like several"),
        ("ann@bob@example.com", "looks like several"),
        ("Ann <ann@example.com>", "bare address"),
        ('"ann b"@example.com', "bare address"),
        ("ann smith@example.com", "space"),
        ("ann@" + "a." * 130 + "com", "longer than 254"),
        ("a" * 65 + "@example.com", "before the @"),
        ("ann..b@example.com", "before the @"),
        ("@example.com", "before the @"),
        ("ann@", "after the @"),
        ("ann@localhost", "after the @"),
        ("ann@-example.com", "after the @"),
        ("ann@example..com", "after the @"),
        ("ann@foo.invalid", "after the @"),
        ("ann@[127.0.0.1]", "after the @"),
    ],
)
def test_what_is_no_single_address_is_refused_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalise(text)
    (problem,) = refused.value.problems
    assert problem.field == "email"
    assert reason in problem.reason
    assert "ann" not in problem.reason


@given(st.text(max_size=30), st.sampled_from(["example.com", "MÜNCHEN.de", "Faß.de", "a.b"]))
def test_normalising_twice_changes_nothing_and_only_refuses_by_invalid_input(
    local: str, domain: str
) -> None:
    try:
        once = normalise(f"{local}@{domain}")
    except InvalidInput:
        return
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.rpartition("@")[2].isascii()


@given(st.emails())
def test_case_makes_no_other_person(address: str) -> None:
    try:
        stored = normalise(address)
    except InvalidInput:
        return
    assert normalise(address.upper()) == normalise(address.swapcase()) == stored


_SIMPLE = st.text("abcZ09.-_+'@ ", max_size=30) | st.emails()


@given(_SIMPLE)
def test_the_short_cut_gives_what_the_grammar_gives(text: str) -> None:
    def outcome() -> str:
        try:
            return normalise(text)
        except InvalidInput as error:
            return f"refused: {error}"

    quick = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "_SIMPLE", re.compile("(?!)"))
        assert outcome() == quick


def test_limits_hold_on_the_short_cut_too() -> None:
    assert normalise(f"{'a' * 64}@example.com")
    for address in (
        f"{'a' * 65}@example.com",
        f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 80}.com",
    ):
        with pytest.raises(InvalidInput):
            normalise(address)
