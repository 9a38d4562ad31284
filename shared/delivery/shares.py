"""How workspaces share what may be in flight: by turns, whoever has the largest campaign. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")


def fair_shares(budget: int, wants: Mapping[K, int]) -> dict[K, int]:
    """Each one's part of the budget: all it wants, or as much as anybody else gets.

    This is max-min fairness: what one does not want is spread over the others,
    and nobody gets more while another who wants it has less (but for one, where
    the budget does not divide evenly).
    """
    shares = dict.fromkeys(wants, 0)
    left = budget
    hungry = sorted(wants, key=wants.__getitem__)
    for place, name in enumerate(hungry):
        shares[name] = min(wants[name], left // (len(hungry) - place))
        left -= shares[name]
    return shares
