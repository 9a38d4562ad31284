"""What is remembered of a person's mail: whatever order facts come in, however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.engagement import (
    KEPT_DAYS,
    MOST_CAMPAIGNS,
    Deed,
    EngagementState,
    Fact,
    day_of,
    day_with,
    newest_day,
)

A, B = b"a" * 12, b"b" * 12
FACTS = st.builds(
    Fact,
    st.binary(min_size=12, max_size=12).map(lambda raw: bytes(b % 3 for b in raw)),
    st.sampled_from(list(Deed)),
    st.integers(20_000, 20_050),
)


@given(st.lists(FACTS, max_size=20), st.randoms(use_true_random=False), st.integers(0, 20))
def test_order_repeats_and_cuts_change_nothing(facts: list[Fact], random: object, cut: int) -> None:
    once = EngagementState().heard(facts)
    shuffled = [*facts, *facts[:5]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    again = EngagementState().heard(shuffled[:cut]).heard(shuffled[cut:])
    assert again == once
    assert again.to_bytes() == once.to_bytes()
    assert EngagementState.from_bytes(once.to_bytes()) == once


@given(st.lists(FACTS, max_size=20), st.integers(0, 20))
def test_two_states_joined_are_all_their_facts(facts: list[Fact], cut: int) -> None:
    one, other = EngagementState().heard(facts[:cut]), EngagementState().heard(facts[cut:])
    assert one.joined(other) == other.joined(one) == EngagementState().heard(facts)
    assert one.joined(one) == one


@given(st.lists(FACTS, max_size=20))
def test_reading_the_bytes_is_reading_the_state(facts: list[Fact]) -> None:
    state = EngagementState().heard(facts)
    raw = state.to_bytes()
    for deed in Deed:
        for campaign in {fact.campaign for fact in facts} | {b"\0" * 12, A}:
            assert day_with(raw, campaign, deed) == state.campaigns.get(campaign, (0, 0, 0))[deed]
    assert newest_day(raw, Deed.OPENED) == state.newest[Deed.OPENED]


def test_bytes_that_only_look_like_a_campaign_are_not_one() -> None:
    first = EngagementState().heard([Fact(b"\0" * 6 + b"x" * 6, Deed.SENT, 0x7878)])
    raw = first.to_bytes()
    assert raw.find(b"x" * 8) > 0
    assert day_with(raw, b"x" * 8 + b"\0" * 4, Deed.SENT) == 0


def test_sent_is_when_it_was_first_known_and_open_and_click_the_last_time() -> None:
    facts = [Fact(A, Deed.OPENED, 12), Fact(A, Deed.OPENED, 15), Fact(A, Deed.SENT, 10)]
    state = EngagementState().heard(facts)
    assert state.campaigns[A] == (10, 15, 0)
    assert state.newest == (10, 15, 0)


def test_an_open_alone_proves_the_sending() -> None:
    state = EngagementState().heard([Fact(A, Deed.OPENED, 12)])
    assert state.campaigns[A] == (12, 12, 0)
    assert newest_day(state.to_bytes(), Deed.SENT) == 12


def test_the_oldest_campaigns_are_forgotten_and_the_item_stays_within_a_write_unit() -> None:
    facts = [Fact(n.to_bytes(12, "big"), Deed.SENT, 20_000 + n) for n in range(60)]
    state = EngagementState().heard(facts)
    assert len(state.campaigns) == MOST_CAMPAIGNS
    assert (59).to_bytes(12, "big") in state.campaigns
    assert len(state.to_bytes()) < 900
    late = state.heard([Fact(B, Deed.CLICKED, 20_059 + KEPT_DAYS)])
    assert set(late.campaigns) == {B, (59).to_bytes(12, "big")}


def test_days_are_utc() -> None:
    assert day_of(datetime(1970, 1, 2, tzinfo=UTC)) == 1
    assert day_of(datetime.fromisoformat("2026-11-24T01:00:00+02:00")) == day_of(
        datetime(2026, 11, 24, tzinfo=UTC) - timedelta(days=1)
    )
