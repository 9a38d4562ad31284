"""Pages and cursors."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.paging import cut, decode_cursor, encode_cursor, resume

keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(st.sets(keys, max_size=40), st.integers(min_value=1, max_value=10))
def test_pages_put_together_are_the_whole_listing(names: set[str], limit: int) -> None:
    listing = sorted(names)
    seen: list[str] = []
    cursor = None
    for _ in range(len(listing) // limit + 1):
        after = resume(cursor) or ""
        page = cut((name for name in listing if name > after), limit, str)
        assert len(page.items) == limit or page.cursor is None
        seen += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert cursor is None
    assert seen == listing


def test_no_page_is_read_further_than_one_beyond() -> None:
    source = iter("abcdef")
    assert cut(source, 2, str).items == ("a", "b")
    assert next(source) == "d"


@given(st.text())
def test_text_that_no_listing_gave_out_is_invalid(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^cursor: "):
        resume(text)


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor({"after": ""}),
        encode_cursor({"after": "x" * 1025}),
        encode_cursor({"after": "é"}),
        encode_cursor({"after": None}),
        encode_cursor({"after": "a", "pk": "ws#other"}),
        base64.urlsafe_b64encode(b"[" * 6000).decode(),
    ],
)
def test_a_position_that_no_listing_gave_out_is_invalid(cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        resume(cursor)


def test_a_position_comes_back() -> None:
    position = {"chunk": 3, "after": "x"}
    assert decode_cursor(encode_cursor(position), frozenset(position)) == position
