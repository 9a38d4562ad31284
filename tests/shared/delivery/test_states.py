"""The two tables of states are whole, and nothing but them allows a change."""

from __future__ import annotations

import itertools

import pytest

from shared.delivery.states import (
    CAMPAIGN_CHANGES,
    FINAL,
    RECIPIENT_CHANGES,
    RESEND_CHANGES,
    CampaignState,
    RecipientState,
    change,
)
from shared.errors import WrongState


def test_every_state_stands_in_its_table() -> None:
    assert set(RECIPIENT_CHANGES) == set(RecipientState)
    assert set(CAMPAIGN_CHANGES) == set(CampaignState)


def test_bytes_in_the_ledger_keep_their_meaning() -> None:
    assert {state.word: int(state) for state in RecipientState} == {
        "pending": 0,
        "claimed": 1,
        "accepted": 2,
        "rejected": 3,
        "failed": 4,
        "skipped": 5,
        "in_doubt": 6,
    }


@pytest.mark.parametrize(("old", "new"), list(itertools.product(RecipientState, repeat=2)))
def test_a_recipient_changes_as_the_table_says(old: RecipientState, new: RecipientState) -> None:
    if new in RECIPIENT_CHANGES[old]:
        assert change(RECIPIENT_CHANGES, old, new) is new
    else:
        with pytest.raises(WrongState, match=f"{old.word} cannot become {new.word}"):
            change(RECIPIENT_CHANGES, old, new)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(CampaignState, repeat=2)))
def test_a_campaign_changes_as_the_table_says(old: CampaignState, new: CampaignState) -> None:
    if new in CAMPAIGN_CHANGES[old]:
        assert change(CAMPAIGN_CHANGES, old, new) is new
    else:
        with pytest.raises(WrongState, match="cannot become"):
            change(CAMPAIGN_CHANGES, old, new)


def test_an_accepted_recipient_is_never_mailed_again() -> None:
    assert RECIPIENT_CHANGES[RecipientState.ACCEPTED] == frozenset()
    assert RecipientState.PENDING not in RECIPIENT_CHANGES[RecipientState.IN_DOUBT]
    assert {s for s in FINAL if RECIPIENT_CHANGES[s]} == {RecipientState.FAILED}


def test_everybody_can_come_to_an_end() -> None:
    for start in RecipientState:
        reached = {start}
        while more := {n for s in reached for n in RECIPIENT_CHANGES[s]} - reached:
            reached |= more
        assert reached & FINAL


def test_what_a_final_state_says() -> None:
    with pytest.raises(WrongState, match="nothing, it is final"):
        change(CAMPAIGN_CHANGES, CampaignState.CANCELLED, CampaignState.SENDING)


def test_a_resend_is_the_one_change_beside_the_table() -> None:
    assert set(RESEND_CHANGES) == set(RecipientState)
    found = {(old, new) for old, news in RESEND_CHANGES.items() for new in news}
    assert found == {(RecipientState.IN_DOUBT, RecipientState.PENDING)}
    assert RecipientState.PENDING not in RECIPIENT_CHANGES[RecipientState.IN_DOUBT]
