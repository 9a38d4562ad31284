from __future__ import annotations

import pytest

from shared.delivery.guarding import SAMPLE, check_size, estimate
from shared.errors import ConfirmationRequired
from shared.ids import SubscriberIds
from tests.fakes import FakeMemberships

IDS = SubscriberIds(b"s" * 64)


def members(*sizes: int, overlap: int = 0) -> FakeMemberships:
    """Lists `l0`, `l1`, ... of those sizes, each sharing `overlap` people with the first."""
    found = FakeMemberships()
    for number, size in enumerate(sizes):
        own = [IDS.of("ws", f"p{number}.{n}@example.com") for n in range(size - overlap)]
        shared = [IDS.of("ws", f"p0.{n}@example.com") for n in range(overlap)]
        found.add("ws", f"l{number}", own + shared)
    return found


def test_small_lists_are_counted_and_nobody_twice() -> None:
    assert estimate(members(1000, 700, overlap=200), "ws", ["l0", "l1"]) == 800 + 500
    assert estimate(members(0), "ws", ["l0"]) == 0


def test_large_lists_are_estimated_from_a_sample() -> None:
    count = SAMPLE * 5
    assert estimate(members(count), "ws", ["l0"]) == pytest.approx(count, rel=0.06)


def test_a_small_launch_passes_and_a_large_one_asks() -> None:
    check_size(50, 50, None)
    with pytest.raises(ConfirmationRequired, match="about 51 people") as caught:
        check_size(51, 50, None)
    assert caught.value.recipients == 51


@pytest.mark.parametrize("confirmed", [900, 1000, 1100])
def test_a_confirmed_number_may_be_off_by_a_tenth(confirmed: int) -> None:
    check_size(1000, 50, confirmed)


@pytest.mark.parametrize("confirmed", [None, 0, 899, 1101])
def test_any_other_number_does_not_confirm(confirmed: int | None) -> None:
    with pytest.raises(ConfirmationRequired):
        check_size(1000, 50, confirmed)
