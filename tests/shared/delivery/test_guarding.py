from __future__ import annotations

import pytest

from shared.delivery.guarding import check_size
from shared.errors import ConfirmationRequired


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
