from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.shares import fair_shares


def test_who_wants_little_gets_it_and_the_others_share_the_rest() -> None:
    assert fair_shares(200, {"a": 5000, "b": 4, "c": 5000}) == {"a": 98, "b": 4, "c": 98}


@given(st.integers(0, 300), st.dictionaries(st.text(max_size=3), st.integers(0, 400), max_size=9))
def test_shares_are_fair_and_nothing_is_wasted(budget: int, wants: dict[str, int]) -> None:
    shares = fair_shares(budget, wants)
    assert sum(shares.values()) == min(budget, sum(wants.values()))
    for one, share in shares.items():
        assert 0 <= share <= wants[one]
        if share < wants[one]:
            assert all(other <= share + 1 for other in shares.values())
