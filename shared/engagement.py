"""What a person did with the mail she was sent, in less than 900 bytes.

Facts are days (UTC, counted from 1970-01-01): when a campaign's mail to her
was first known to be sent, when she last opened it and last clicked in it, and
when any of these happened last at all. Adding facts is idempotent and does not
depend on their order: each number is the least or the greatest of those heard.
The oldest campaigns are forgotten: beyond `MOST_CAMPAIGNS`, or `KEPT_DAYS`
behind the newest.

The bytes are what is stored, and what a segment's rule reads without unpacking
them: a version, the three newest days, and 18 bytes a campaign (its id's
twelve, and its three days).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Protocol

from shared.ids import ID_BYTES

MOST_CAMPAIGNS = 48
"""Keeps an item of one person within 1 KB, which is one write unit."""

KEPT_DAYS = 400
"""As long as the events themselves are kept: a season can be compared with the last."""


class Deed(IntEnum):
    """What happened. The number is the fact's place in the bytes."""

    SENT = 0
    OPENED = 1
    CLICKED = 2


@dataclass(frozen=True, slots=True)
class Fact:
    """A deed about one campaign's mail (the twelve bytes of its id) on a day."""

    campaign: bytes
    deed: Deed
    day: int


Days = tuple[int, int, int]
"""By `Deed`; 0 where it did not happen."""


@dataclass(frozen=True, slots=True)
class EngagementState:
    """All that is remembered of one person. `newest` has the last day of each deed."""

    newest: Days = (0, 0, 0)
    campaigns: Mapping[bytes, Days] = field(default_factory=dict)

    def heard(self, facts: Iterable[Fact]) -> EngagementState:
        """The state with more facts; those it knows change nothing.

        An open or a click proves that this campaign's mail was sent by that
        day; when any mail was last sent, only reports of sending say.
        """
        newest, campaigns = list(self.newest), dict(self.campaigns)
        for fact in facts:
            newest[fact.deed] = max(newest[fact.deed], fact.day)
            days = list(campaigns.get(fact.campaign, (0, 0, 0)))
            days[Deed.SENT] = min(days[Deed.SENT] or fact.day, fact.day)
            if fact.deed is not Deed.SENT:
                days[fact.deed] = max(days[fact.deed], fact.day)
            campaigns[fact.campaign] = (days[0], days[1], days[2])
        return EngagementState((newest[0], newest[1], newest[2]), _kept(campaigns))

    def joined(self, other: EngagementState) -> EngagementState:
        """All that either remembers: of two ids that turn out to be one person."""
        campaigns = dict(self.campaigns)
        for campaign, days in other.campaigns.items():
            mine = campaigns.get(campaign, days)
            first = min(mine[Deed.SENT] or days[Deed.SENT], days[Deed.SENT] or mine[Deed.SENT])
            campaigns[campaign] = (first, max(mine[1], days[1]), max(mine[2], days[2]))
        newest = [max(pair) for pair in zip(self.newest, other.newest, strict=True)]
        return EngagementState((newest[0], newest[1], newest[2]), _kept(campaigns))

    def to_bytes(self) -> bytes:
        """As stored; equal states give equal bytes."""
        return _HEAD.pack(_VERSION, *self.newest) + b"".join(
            _ENTRY.pack(campaign, *days) for campaign, days in sorted(self.campaigns.items())
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> EngagementState:
        """Reads what `to_bytes` wrote."""
        _, *newest = _HEAD.unpack_from(raw)
        entries = _ENTRY.iter_unpack(raw[_HEAD.size :])
        return cls(
            (newest[0], newest[1], newest[2]),
            {campaign: (sent, opened, clicked) for campaign, sent, opened, clicked in entries},
        )


@dataclass(frozen=True, slots=True)
class KeptState:
    """A state under the version it was stored with; 0 is not stored yet.

    `moved_to` is the id that a person has since she changed her address. What
    is heard of her then belongs there, and the state here is empty.
    """

    state: EngagementState
    version: int = 0
    moved_to: str = ""


class PersonStateStore(Protocol):
    """Keeps engagement states."""

    def load(self, workspace: str, subscribers: Sequence[str]) -> dict[str, KeptState]:
        """Those that are stored; consistent."""
        ...

    def save(self, workspace: str, states: Mapping[str, KeptState]) -> set[str]:
        """Writes each whose version is the stored one; gives those where another was first."""
        ...


def day_of(moment: datetime) -> int:
    """The UTC day of an instant, from 1970-01-01 on."""
    return moment.astimezone(UTC).toordinal() - _FIRST_DAY


def newest_day(raw: bytes, deed: int) -> int:
    """When a `Deed` was last done with any campaign; 0 for never.

    Where nothing was reported sent, the newest open or click proves that something was.
    """
    at = 1 + deed + deed
    day = raw[at] << 8 | raw[at + 1]
    return day or (0 if deed else max(_HEAD.unpack_from(raw)[1:]))


def day_with(raw: bytes, campaign: bytes, deed: int) -> int:
    """When a `Deed` was done with this campaign's mail; 0 for never."""
    at = raw.find(campaign, _HEAD_BYTES)
    while at != -1 and (at - _HEAD_BYTES) % _ENTRY_BYTES:  # what looks like it, across entries
        at = raw.find(campaign, at + 1)
    if at == -1:
        return 0
    at += ID_BYTES + deed + deed
    return raw[at] << 8 | raw[at + 1]


def _kept(campaigns: Mapping[bytes, Days]) -> dict[bytes, Days]:
    newest_first = sorted(campaigns, key=lambda one: (max(campaigns[one]), one), reverse=True)
    if not newest_first:
        return {}
    oldest = max(campaigns[newest_first[0]]) - KEPT_DAYS
    return {
        one: campaigns[one]
        for one in newest_first[:MOST_CAMPAIGNS]
        if max(campaigns[one]) >= oldest
    }


_VERSION = 1
_HEAD = struct.Struct(">BHHH")
_ENTRY = struct.Struct(">12sHHH")
_HEAD_BYTES, _ENTRY_BYTES = _HEAD.size, _ENTRY.size
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
