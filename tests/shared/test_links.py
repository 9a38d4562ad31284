"""Tokens of the sign-up form and of the confirmation link."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ForgedToken
from shared.ids import LIST, SUBSCRIBER, WORKSPACE, LinkKeys, to_text
from shared.links import ConfirmRef, ConfirmTokens, FormRef, FormTokens

KEYS = LinkKeys({"k1": b"link key"}, "k1")
CONFIRM, FORM = ConfirmTokens(KEYS), FormTokens(KEYS)

raws = st.binary(min_size=12, max_size=12)
form_refs = st.builds(
    FormRef,
    workspace=raws.map(lambda raw: to_text(WORKSPACE, raw)),
    list_id=raws.map(lambda raw: to_text(LIST, raw)),
)
confirm_refs = st.builds(
    ConfirmRef,
    workspace=raws.map(lambda raw: to_text(WORKSPACE, raw)),
    subscriber=raws.map(lambda raw: to_text(SUBSCRIBER, raw)),
    list_id=raws.map(lambda raw: to_text(LIST, raw)),
    asked_at=st.integers(0, 2**37).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


@given(form_refs, confirm_refs)
def test_tokens_come_back_after_a_rotation_too(form: FormRef, confirm: ConfirmRef) -> None:
    rotated = LinkKeys({"k1": b"link key", "k2": b"newer key"}, "k2")
    assert FormTokens(rotated).parse(FORM.make(form)) == form
    assert ConfirmTokens(rotated).parse(CONFIRM.make(confirm)) == confirm
    assert FormTokens(rotated).make(form).startswith("k2.")
    withdrawn = LinkKeys({"k2": b"newer key"}, "k2")
    for parse, token in (
        (FormTokens(withdrawn).parse, FORM.make(form)),
        (ConfirmTokens(withdrawn).parse, CONFIRM.make(confirm)),
    ):
        with pytest.raises(ForgedToken):
            parse(token)


@given(confirm_refs, st.data())
def test_one_bit_more_or_less_is_a_forgery(ref: ConfirmRef, data: st.DataObject) -> None:
    text = bytearray(CONFIRM.make(ref), "ascii")
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(ForgedToken):
        assert CONFIRM.parse(text.decode("latin-1")) == ref


@given(st.text(max_size=200))
def test_text_is_no_token(text: str) -> None:
    for parse in (CONFIRM.parse, FORM.parse):
        with pytest.raises(ForgedToken):
            parse(text)


def test_purposes_of_one_size_are_kept_apart() -> None:
    body = b"x" * 24
    token = KEYS.signer(b"one\n")(body)
    assert KEYS.open(b"one\n", token, 24) == body
    with pytest.raises(ForgedToken):
        KEYS.open(b"two\n", token, 24)
    assert KEYS.signer(b"one\n", body[:10])(body[10:]) == token


def test_a_fingerprint_depends_on_text_and_key() -> None:
    other = LinkKeys({"k1": b"another key"}, "k1")
    prints = {KEYS.fingerprint("192.0.2.1"), KEYS.fingerprint("192.0.2.2")}
    assert len(prints | {other.fingerprint("192.0.2.1")}) == 3
    assert KEYS.fingerprint("192.0.2.1") in prints
