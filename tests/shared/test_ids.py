"""Ids and tokens: they come back as they were, and nothing else does."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.errors import ConfigurationError, ForgedToken
from shared.ids import (
    CAMPAIGN,
    LIST,
    SUBSCRIBER,
    TRANSACTIONAL_CHUNK,
    WORKSPACE,
    Ids,
    MessageIds,
    MessageRef,
    SubscriberIds,
    UnsubscribeRef,
    UnsubscribeTokens,
    is_id,
    to_bytes,
    to_text,
)
from tests.fakes import FakeClock, seeded_bytes

raws = st.binary(min_size=12, max_size=12)
prefixes = st.sampled_from([WORKSPACE, CAMPAIGN, SUBSCRIBER, LIST])
MESSAGES = MessageIds(b"message key")
LINKS = UnsubscribeTokens({"k1": b"link key"}, "k1")

message_refs = st.builds(
    MessageRef,
    workspace=raws.map(lambda raw: to_text(WORKSPACE, raw)),
    campaign=raws.map(lambda raw: to_text(CAMPAIGN, raw)),
    chunk=st.integers(0, TRANSACTIONAL_CHUNK),
    index=st.integers(0, 2**16 - 1),
)
unsubscribe_refs = st.builds(
    UnsubscribeRef,
    workspace=raws.map(lambda raw: to_text(WORKSPACE, raw)),
    subscriber=raws.map(lambda raw: to_text(SUBSCRIBER, raw)),
    campaign=raws.map(lambda raw: to_text(CAMPAIGN, raw)),
    list_id=st.none() | raws.filter(any).map(lambda raw: to_text(LIST, raw)),
)


@given(prefixes, raws)
def test_an_id_comes_back(prefix: str, raw: bytes) -> None:
    text = to_text(prefix, raw)
    assert to_bytes(text) == raw
    assert is_id(prefix, text)
    assert len(text) == len(prefix) + 21


@given(raws, raws)
def test_ids_sort_as_their_bytes(one: bytes, other: bytes) -> None:
    assert (to_text("x", one) < to_text("x", other)) == (one < other)


@given(st.text(max_size=30) | st.from_regex(r"\A[a-z]{0,3}_[0-9a-v]{18,22}\Z"))
def test_any_text_is_one_id_or_none(text: str) -> None:
    try:
        raw = to_bytes(text)
    except ForgedToken:
        assert not is_id("x", text)
    else:
        assert to_text(text.partition("_")[0], raw) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sub_",
        "sub",
        "sub_0000000000000000000G",
        "sub_00000000000000000001",
        "sub_" + "0" * 16,
        "sub_" + "ß" * 20,
        "sub_000000000000000000==",
        " sub_00000000000000000000",
    ],
)
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert not is_id(SUBSCRIBER, text)


def test_new_ids_sort_by_time() -> None:
    clock = FakeClock()
    made = []
    maker = Ids(clock, seeded_bytes())
    for _ in range(20):
        made.append(maker.new(CAMPAIGN))
        clock.set(clock.now() + timedelta(milliseconds=1))
    assert made == sorted(set(made))


def test_a_subscriber_id_depends_on_key_workspace_and_address_alone() -> None:
    made = {
        SubscriberIds(key).of(workspace, address)
        for key in (b"a", b"b")
        for workspace in ("ws_1", "ws_2")
        for address in ("ann@example.com", "bob@example.com")
    }
    assert len(made) == 8
    ann = SubscriberIds(b"a").of("ws_1", "ann@example.com")
    assert ann == SubscriberIds(b"a").of("ws_1", "ann@example.com")
    assert is_id(SUBSCRIBER, ann)


@given(message_refs)
def test_a_message_id_comes_back(ref: MessageRef) -> None:
    text = MESSAGES.make(ref)
    assert MESSAGES.parse(text) == ref
    assert len(text) == 56
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert ref.transactional == (ref.chunk == TRANSACTIONAL_CHUNK)


@given(message_refs, st.data())
def test_any_bit_flipped_in_a_message_id_is_refused(ref: MessageRef, data: st.DataObject) -> None:
    text = bytearray(MESSAGES.make(ref), "ascii")
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ForgedToken):
        MESSAGES.parse(text.decode("latin-1"))


@given(message_refs)
def test_a_message_id_of_another_key_is_refused(ref: MessageRef) -> None:
    with pytest.raises(ForgedToken):
        MessageIds(b"another key").parse(MESSAGES.make(ref))


def test_a_message_id_of_a_later_version_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = MessageRef(to_text(WORKSPACE, bytes(12)), to_text(CAMPAIGN, bytes(12)), 1, 2)
    with monkeypatch.context() as later:
        later.setattr(ids, "_MESSAGE_VERSION", 2)
        text = MESSAGES.make(ref)
    with pytest.raises(ForgedToken, match="version"):
        MESSAGES.parse(text)


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(ForgedToken):
        MESSAGES.parse(text)
    for token in (text, f"k1.{text}"):
        with pytest.raises(ForgedToken):
            LINKS.parse(token)


@given(unsubscribe_refs)
def test_an_unsubscribe_token_comes_back(ref: UnsubscribeRef) -> None:
    assert LINKS.parse(LINKS.make(ref)) == ref


@given(unsubscribe_refs)
def test_a_token_says_nothing_of_the_address_and_fits_into_a_url(ref: UnsubscribeRef) -> None:
    token = LINKS.make(ref)
    assert token.startswith("k1.")
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.")


@given(unsubscribe_refs, st.integers(0, 64 * 8 - 1))
def test_any_bit_flipped_in_a_token_is_refused(ref: UnsubscribeRef, bit: int) -> None:
    kid, _, text = LINKS.make(ref).partition(".")
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ForgedToken):
        LINKS.parse(f"{kid}.{base64.urlsafe_b64encode(raw).decode()}")


@given(unsubscribe_refs, st.data())
def test_a_token_changed_in_transit_is_refused_or_still_the_same_persons(
    ref: UnsubscribeRef, data: st.DataObject
) -> None:
    text = bytearray(LINKS.make(ref), "ascii")
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(ForgedToken):
        assert LINKS.parse(text.decode("latin-1")) == ref


@given(unsubscribe_refs, unsubscribe_refs)
def test_two_tokens_cannot_be_made_into_a_third(one: UnsubscribeRef, other: UnsubscribeRef) -> None:
    bodies = [base64.urlsafe_b64decode(LINKS.make(ref).partition(".")[2]) for ref in (one, other)]
    spliced = bodies[0][:48] + bodies[1][48:]
    if spliced in bodies:
        return
    with pytest.raises(ForgedToken):
        LINKS.parse(f"k1.{base64.urlsafe_b64encode(spliced).decode()}")


@given(unsubscribe_refs)
def test_links_outlive_the_rotation_of_their_key(ref: UnsubscribeRef) -> None:
    old = LINKS.make(ref)
    rotated = UnsubscribeTokens({"k1": b"link key", "k2": b"newer key"}, "k2")
    assert rotated.parse(old) == ref
    assert rotated.make(ref).startswith("k2.")
    assert rotated.parse(rotated.make(ref)) == ref
    withdrawn = UnsubscribeTokens({"k2": b"newer key"}, "k2")
    for token in (old, old.replace("k1.", "k2.")):
        with pytest.raises(ForgedToken):
            withdrawn.parse(token)


@given(message_refs)
def test_a_message_id_is_no_unsubscribe_token(ref: MessageRef) -> None:
    same_key = UnsubscribeTokens({"k1": b"message key"}, "k1")
    with pytest.raises(ForgedToken):
        same_key.parse(f"k1.{MESSAGES.make(ref)}")


@pytest.mark.parametrize(
    ("keys", "current"),
    [({"k1": b"x"}, "k2"), ({}, "k1"), ({"2026.11": b"x"}, "2026.11"), ({"": b"x"}, ""),
     ({"k1": b"x", "a/b": b"y"}, "k1"), ({"k 1": b"x"}, "k 1")],
)  # fmt: skip
def test_key_ids_that_no_link_could_carry_are_refused(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ConfigurationError, match="link"):
        UnsubscribeTokens(keys, current)
