"""The states of a recipient and of a campaign, and every change that is allowed.

Nothing else in Tidepost changes a state. Both machines are tables: read them
here and you know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TypeVar

from shared.errors import WrongState


class RecipientState(IntEnum):
    """Where one recipient of a campaign stands; the number is the byte in the ledger."""

    PENDING = 0
    CLAIMED = 1
    ACCEPTED = 2
    REJECTED = 3
    FAILED = 4
    SKIPPED = 5
    IN_DOUBT = 6

    @property
    def word(self) -> str:
        """The state's name in the API and in counters."""
        return self.name.lower()


RECIPIENT_CHANGES: Mapping[RecipientState, frozenset[RecipientState]] = {
    RecipientState.PENDING: frozenset({RecipientState.CLAIMED, RecipientState.SKIPPED}),
    RecipientState.CLAIMED: frozenset(
        {
            RecipientState.ACCEPTED,
            RecipientState.REJECTED,
            RecipientState.FAILED,
            RecipientState.SKIPPED,
            RecipientState.IN_DOUBT,
            RecipientState.PENDING,  # surely not accepted: throttled, refused, out of service
        }
    ),
    RecipientState.IN_DOUBT: frozenset(
        {RecipientState.ACCEPTED, RecipientState.REJECTED, RecipientState.FAILED}
    ),
    RecipientState.FAILED: frozenset(
        {
            RecipientState.PENDING,  # an explicit retry
            RecipientState.ACCEPTED,  # presumed not accepted, and then an event came
        }
    ),
    RecipientState.ACCEPTED: frozenset(),
    RecipientState.REJECTED: frozenset(),
    RecipientState.SKIPPED: frozenset(),
}

RESEND_CHANGES: Mapping[RecipientState, frozenset[RecipientState]] = {
    **dict.fromkeys(RecipientState, frozenset[RecipientState]()),
    RecipientState.IN_DOUBT: frozenset({RecipientState.PENDING}),
}
"""One more change, for transactional messages with `on_doubt: resend` and nothing else.

Whoever asks for it would rather have the message arrive twice than not at all.
See `outcomes.resent`, the only place that makes it.
"""

FINAL = frozenset(
    {
        RecipientState.ACCEPTED,
        RecipientState.REJECTED,
        RecipientState.FAILED,
        RecipientState.SKIPPED,
    }
)
"""States in which a recipient is accounted for."""


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PLANNING = "planning"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"


CAMPAIGN_CHANGES: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.DRAFT: frozenset(
        {CampaignState.PLANNING, CampaignState.SCHEDULED, CampaignState.CANCELLED}
    ),
    CampaignState.SCHEDULED: frozenset(
        {CampaignState.PLANNING, CampaignState.DRAFT, CampaignState.CANCELLED}
    ),
    CampaignState.PLANNING: frozenset(
        {CampaignState.SENDING, CampaignState.FAILED, CampaignState.CANCELLED}
    ),
    CampaignState.SENDING: frozenset(
        {CampaignState.PAUSED, CampaignState.SENT, CampaignState.CANCELLED}
    ),
    CampaignState.PAUSED: frozenset({CampaignState.SENDING, CampaignState.CANCELLED}),
    CampaignState.SENT: frozenset({CampaignState.SENDING}),  # an explicit retry
    CampaignState.CANCELLED: frozenset(),
    CampaignState.FAILED: frozenset(),
}

S = TypeVar("S", RecipientState, CampaignState)


def change(table: Mapping[S, frozenset[S]], old: S, new: S) -> S:
    """The new state.

    Raises:
        WrongState: the table does not allow this change.
    """
    if new not in table[old]:
        allowed = ", ".join(sorted(s.name.lower() for s in table[old])) or "nothing, it is final"
        raise WrongState(
            f"{old.name.lower()} cannot become {new.name.lower()}; it can become: {allowed}"
        )
    return new
