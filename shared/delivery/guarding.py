"""The launch guard: how many people a launch would reach, and whether that was meant."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby

from shared.audience.ports import SHARDS, AudienceReader
from shared.errors import ConfirmationRequired
from shared.ids import ID_BYTES, to_bytes

SAMPLE = 4000
"""Members that are read at the most; the estimate is then off by 1.6 % (one sigma)."""

TOLERANCE = 0.1
"""How far a confirmed number may be from the estimate."""

_IDS_PER_BYTE: int = 256 ** (ID_BYTES - 1)
_BYTES_PER_SHARD = 256 // SHARDS


def estimate(audience: AudienceReader, workspace: str, list_ids: Sequence[str]) -> int:
    """How many people are on any of the lists. Exact up to SAMPLE, and beyond it an estimate.

    Ids are keyed hashes, so they are spread evenly over the shards and within
    each: how far the first SAMPLE of them reach says how many there are.
    """
    read = 0
    for shard in range(SHARDS):
        for member in _members(audience, workspace, list_ids, shard):
            read += 1
            if read == SAMPLE:
                return round(SAMPLE * SHARDS / (shard + _place(member)))
    return read


def check_size(recipients: int, ask_above: int, confirmed: int | None) -> None:
    """Lets a launch pass that is small enough, or confirmed for about that many.

    Raises:
        ConfirmationRequired: it is neither; the error has the number.
    """
    if recipients <= ask_above:
        return
    if confirmed is None or abs(confirmed - recipients) > TOLERANCE * recipients:
        raise ConfirmationRequired(recipients, ask_above)


def _members(
    audience: AudienceReader, workspace: str, list_ids: Sequence[str], shard: int
) -> Iterator[str]:
    """Everybody of a shard once, in the order of ids."""
    merged = heapq.merge(
        *(
            audience.members(workspace, list_id, shard, consistent=False)
            for list_id in dict.fromkeys(list_ids)
        )
    )
    return (member for member, _ in groupby(merged))


def _place(member: str) -> float:
    """How far into its shard an id is, above 0 and up to 1."""
    raw = to_bytes(member)
    behind = raw[0] // SHARDS * _IDS_PER_BYTE + int.from_bytes(raw[1:], "big") + 1
    return behind / (_IDS_PER_BYTE * _BYTES_PER_SHARD)
