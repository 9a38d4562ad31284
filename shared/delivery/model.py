"""What the delivery domain remembers: campaigns and the three items of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.audience.segments.model import Audience, Consent
from shared.delivery.schedule import ANY_TIME, Schedule
from shared.delivery.states import CampaignState, RecipientState
from shared.mail import Mailbox, MailboxGroup

CHUNK_SIZE = 500
"""Recipients a chunk: Postmark's batch, half of SendGrid's, ten of SES's."""

GROUPS: tuple[MailboxGroup, ...] = tuple(MailboxGroup)
"""The order in which attempts number mailbox groups: append only."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `template_version` is frozen at launch.

    `released` is the number of chunks that were handed to the queue so far,
    `chunks` and `recipients` are known once planning is done. `totals` is the
    final report, written when the campaign is `sent` or `cancelled`.
    `retry_job` is the job that has the newest retry in hand, and `retried_at`
    when it was asked for. `schedule` and `pace_per_hour` say when and how fast
    it may send. The members of `seed_list` get it first, and the rest no
    sooner than `rest_after`, which is set when the seeds go:
    `seed_wait_minutes` later, or when somebody resumes. `brake_base` are the
    counts from which the brake judges, moved on each time it trips.

    Whom it is for is said by `list_ids` or by `audience`, never both, and read
    from `whom` alone. `agreed` is which subscriptions let them be mailed,
    known once planning is done.
    """

    id: str
    workspace: str
    name: str
    sender: Mailbox
    template_id: str
    list_ids: tuple[str, ...]
    created_at: datetime
    reply_to: Mailbox | None = None
    tags: tuple[str, ...] = ()
    state: CampaignState = CampaignState.DRAFT
    state_reason: str = ""
    template_version: int = 0
    launched_at: datetime | None = None
    finished_at: datetime | None = None
    chunks: int = 0
    recipients: int = 0
    released: int = 0
    totals: Mapping[str, Any] = field(default_factory=dict)
    retry_job: str = ""
    retried_at: datetime | None = None
    schedule: Schedule = ANY_TIME
    pace_per_hour: int | None = None
    seed_list: str | None = None
    seed_wait_minutes: int = 30
    rest_after: datetime | None = None
    brake_base: Mapping[str, int] = field(default_factory=dict)
    audience: Audience | None = None
    agreed: Consent | None = None
    version: int = 0

    @property
    def whom(self) -> Audience:
        """Whom it is for."""
        return self.audience or Audience.of_lists(self.list_ids)

    @property
    def consent(self) -> Consent:
        """Which subscriptions let a recipient be mailed, seeds by theirs to the seed list too."""
        return self.agreed or Consent(self.list_ids)


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """Names a chunk. A transactional message is chunk TRANSACTIONAL_CHUNK of its own id."""

    workspace: str
    campaign: str
    chunk: int


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Item **P**: whom the chunk is for. Written once, never changed.

    `resume` is the planner's cursor after this chunk, so that planning can go
    on from the newest plan item. `message` holds a transactional message
    (plain JSON), else it is None. What is personal in it goes at `expires_at`.
    """

    key: ChunkKey
    subscribers: tuple[str, ...]
    resume: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Item **A**: one try at a chunk, recorded before anything is posted.

    `providers` names the accounts, and `assigned` has one byte a recipient of
    the chunk: 0 for not in this attempt, else 1 + the place in `providers`.
    `groups` has one byte a recipient too: the place of the mailbox group in
    `GROUPS`, `other` for who was not looked at. `posted_at` says for each of
    `providers` when its share will have been posted if it goes at its pace:
    the instant that outcomes are counted by. `routing` says why the providers
    were chosen. Number 1 is the first attempt.
    """

    key: ChunkKey
    number: int
    owner: str
    lease_until: datetime
    providers: tuple[str, ...]
    assigned: bytes
    groups: bytes
    posted_at: tuple[datetime, ...] = ()
    routing: Mapping[str, Any] = field(default_factory=dict)

    def provider_of(self, index: int) -> str | None:
        """The account that was to send to this recipient in this attempt."""
        if not 0 <= index < len(self.assigned) or self.assigned[index] == 0:
            return None
        return self.providers[self.assigned[index] - 1]

    def posted_at_of(self, index: int) -> datetime | None:
        """The instant by which this recipient's outcome is counted; None if not in this attempt."""
        if self.provider_of(index) is None or not self.posted_at:
            return None
        return self.posted_at[self.assigned[index] - 1]

    def group_of(self, index: int) -> MailboxGroup:
        """The mailbox group of a recipient in this attempt."""
        return GROUPS[self.groups[index]]

    def indexes(self) -> Iterator[int]:
        """The recipients in this attempt."""
        return (i for i, provider in enumerate(self.assigned) if provider)


def marker(key: ChunkKey, number: int, owner: str, now: datetime) -> Attempt:
    """An attempt at a chunk of one in which nothing is posted.

    It claims the chunk, so that no worker can be sending it meanwhile, and it
    stays as evidence of who did what.
    """
    other = GROUPS.index(MailboxGroup.OTHER)
    return Attempt(key, number, owner, now, (), bytes(1), bytes([other]))


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """Item **R**: one byte a recipient (a RecipientState), and why where it is not obvious.

    `reasons` maps a reason code to the indexes it holds for. `counts` maps
    `provider|mailbox group|state` to a number of recipients (`-` for no
    provider), so that a report never has to read plans or attempts; it is
    what `outcomes.counts_of` makes of states and attempts. `attempt` is the
    newest attempt whose outcome is in here. Until `not_before` nobody needs to
    look at what is pending: a window, a pace or an hour of the day is in the way.
    """

    key: ChunkKey
    states: bytes
    attempt: int
    reasons: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    not_before: datetime | None = None
    version: int = 0

    def state_of(self, index: int) -> RecipientState:
        """One recipient's state."""
        return RecipientState(self.states[index])

    def in_state(self, state: RecipientState) -> list[int]:
        """The indexes in a state, ascending."""
        return [i for i, byte in enumerate(self.states) if byte == state]

    def reason_of(self, index: int) -> str:
        """The reason code of one recipient, or nothing."""
        return next((code for code, indexes in self.reasons.items() if index in indexes), "")


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """All that is known of a chunk, from one read: plan, attempts in order, and outcome."""

    plan: ChunkPlan
    attempts: tuple[Attempt, ...] = ()
    outcome: ChunkOutcome | None = None

    @property
    def unrecorded(self) -> Attempt | None:
        """The newest attempt, if its outcome is not recorded yet."""
        recorded = self.outcome.attempt if self.outcome else 0
        return next((a for a in reversed(self.attempts) if a.number > recorded), None)

    def newest_attempt(self, index: int) -> Attempt | None:
        """The newest attempt that had this recipient in it."""
        return next((a for a in reversed(self.attempts) if a.provider_of(index)), None)


@dataclass(frozen=True, slots=True)
class DueItem:
    """Something the scheduler must look at, not before `at`."""

    at: datetime
    key: ChunkKey
