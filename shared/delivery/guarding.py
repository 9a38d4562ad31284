"""The launch guard: whether a launch to so many people was meant."""

from __future__ import annotations

from shared.errors import ConfirmationRequired

TOLERANCE = 0.1
"""How far a confirmed number may be from the estimate."""


def check_size(recipients: int, ask_above: int, confirmed: int | None) -> None:
    """Lets a launch pass that is small enough, or confirmed for about that many.

    Raises:
        ConfirmationRequired: it is neither; the error has the number.
    """
    if recipients <= ask_above:
        return
    if confirmed is None or abs(confirmed - recipients) > TOLERANCE * recipients:
        raise ConfirmationRequired(recipients, ask_above)
