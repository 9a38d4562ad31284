"""Which provider a recipient goes through. Pure.

For now by weight alone: every recipient of a campaign has a fixed point on
the scale from 0 to 1, and the weights of the providers that may be used cut
the scale into shares. The same recipient gets the same provider as long as the
same providers may be used.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from shared.mail import UNLIMITED, Capacity

NO_ROUTE = "no_route"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that may be used now.

    `cannot_take` is the adapter's own check of an address, `capacity` what it
    takes in one message.
    """

    name: str
    weight: int
    cannot_take: Callable[[str], str]
    capacity: Capacity = UNLIMITED


class Router:
    """Routes the recipients of one chunk among the providers that may be used now."""

    def __init__(self, candidates: Sequence[Candidate], excluded: Mapping[str, str]) -> None:
        """`excluded` maps provider names to a reason code."""
        self._excluded = dict(excluded)
        self._usable = [c for c in candidates if c.name not in excluded and c.weight > 0]
        self._edges = list(accumulate(c.weight for c in self._usable))

    @property
    def has_providers(self) -> bool:
        """Whether anything can be routed at all just now."""
        return bool(self._usable)

    def choose(self, recipient: bytes, address: str) -> str | None:
        """The provider for a recipient, or None if none of those usable can take the address.

        `recipient` is what the point on the scale is computed from: campaign
        and subscriber id.
        """
        if not self._usable:
            return None
        point = zlib.crc32(recipient) % self._edges[-1]
        first = bisect_right(self._edges, point)
        candidate = self._usable[first]
        if not candidate.cannot_take(address):
            return candidate.name
        others = [c for c in self._usable if c is not candidate and not c.cannot_take(address)]
        return max(others, key=lambda c: c.weight).name if others else None

    def evidence(self) -> dict[str, object]:
        """Why, for the attempt's record."""
        return {
            "rule": "weights",
            "weights": {c.name: c.weight for c in self._usable},
            "excluded": [
                {"provider": name, "because": why} for name, why in sorted(self._excluded.items())
            ],
        }
