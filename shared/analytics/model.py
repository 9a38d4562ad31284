"""Stored events and the counters made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.events import Event
from shared.ids import MessageRef
from shared.mail import MailboxGroup


@dataclass(frozen=True, slots=True)
class Engagement:
    """An event that was found to be about one of our messages, as kept.

    It holds no receive time and no address: the same report always makes the
    same item, so storing it again changes nothing. `posted_at` is the instant by
    which outcomes of its message are counted (`Attempt.posted_at`).
    """

    event: Event
    ref: MessageRef
    subscriber: str
    group: MailboxGroup
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CounterDelta:
    """What one batch of a stream shard adds to one campaign.

    `counts` maps `provider|mailbox group|event type` to a number; type words
    are those of EventType, plus `machine_opened`, `machine_clicked`,
    `hard_bounced`, `soft_bounced` and, for the first by each person,
    `opened_first` and `clicked_first`.
    """

    workspace: str
    campaign: str
    stream_shard: str
    sequence: str
    counts: Mapping[str, int]
