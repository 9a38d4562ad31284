"""What delivery needs from the outside. `shared.storage` and `shared.providers` provide it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.delivery.frequency import Place, Taken
from shared.delivery.health import Counts, Health
from shared.delivery.model import (
    Attempt,
    Campaign,
    ChunkKey,
    ChunkOutcome,
    ChunkPlan,
    ChunkRecord,
    DueItem,
)
from shared.delivery.rates import BucketState
from shared.delivery.workspace import FrequencyCap, Switch, WorkspaceSettings
from shared.events import EventReport
from shared.mail import MailboxGroup, MessageKind, OutgoingBatch, SendOutcome
from shared.paging import Page


class EmailSender(Protocol):
    """One provider account. The adapter of each ESP implements it."""

    @property
    def provider(self) -> str:
        """The account's name in providers.json."""
        ...

    @property
    def max_batch(self) -> int:
        """How many recipients one `send` takes at the most."""
        ...

    def cannot_take(self, address: str) -> str:
        """A reason code if this ESP can never mail that address, else the empty string."""
        ...

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        """Posts the batch and gives one outcome per recipient, in the batch's order.

        Never raises for what an ESP or the network does: that is what the
        verdicts are for. Never posts the same recipient again after an answer
        that leaves doubt.
        """
        ...


class MessageSearch(Protocol):
    """Where one provider account says which messages it has taken. Not every ESP can be asked."""

    @property
    def provider(self) -> str:
        """The account's name in providers.json."""
        ...

    def has(self, kind: MessageKind, message_id: str) -> bool:
        """Whether the account has taken the message of that id, ours, not the ESP's.

        A message may be found only some time after it was taken.

        Raises:
            DependencyUnavailable: there was no answer that could be understood.
            ConfigurationError: the account's secret cannot be used.
        """
        ...


class MxStore(Protocol):
    """Keeps what MX records said, for all workers."""

    def get(self, domains: Sequence[str]) -> Mapping[str, MailboxGroup]:
        """Those of the domains that are known; some that are known no longer may be among them."""
        ...

    def put(self, domain: str, group: MailboxGroup, until: datetime) -> None:
        """Keeps one until then, or somewhat longer."""
        ...


class EventSource(Protocol):
    """The webhooks of one provider account. The adapter of each ESP implements it."""

    @property
    def provider(self) -> str:
        """The account's name in providers.json."""
        ...

    def verify_and_parse(self, headers: Mapping[str, str], body: bytes) -> EventReport:
        """Verifies the report and normalises its events. Header names are lower case.

        Raises:
            BadSignature: signature or credential is missing, malformed or wrong.
            BadPayload: the body is not what this ESP sends.
            ConfigurationError: the account's trust anchor or secret is unusable.
            DependencyUnavailable: what is needed to verify could not be had just now.
        """
        ...


class CampaignStore(Protocol):
    """Keeps campaigns."""

    def create(self, campaign: Campaign) -> None:
        """Raises AlreadyExists if there is one of that id."""
        ...

    def get(self, workspace: str, campaign_id: str) -> Campaign:
        """A consistent read. Raises NotFound."""
        ...

    def save(self, campaign: Campaign) -> Campaign:
        """Writes if `campaign.version` is the stored one; returns it with the next version.

        Raises:
            StaleWrite: another writer was first.
        """
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Campaign]:
        """The workspace's campaigns, newest first."""
        ...

    def active(self) -> Iterator[Campaign]:
        """Campaigns `scheduled`, `planning`, `sending` or `paused`, of all workspaces.

        A sparse index.
        """
        ...


class LedgerStore(Protocol):
    """Keeps plans, attempts and outcomes."""

    def put_plan(self, plan: ChunkPlan) -> ChunkPlan:
        """Writes the plan unless there is one for that chunk; returns what is stored now."""
        ...

    def plan(self, key: ChunkKey) -> ChunkPlan | None:
        """The plan alone, or None if the chunk was never planned; consistent."""
        ...

    def replace_plan(self, before: ChunkPlan, after: ChunkPlan) -> None:
        """Writes `after` if `before` is what is stored: for erasures, and for nothing else.

        Raises:
            StaleWrite: it is not.
        """
        ...

    def messages_to(self, workspace: str, subscriber: str) -> Iterator[ChunkKey]:
        """Transactional messages to a person, by an index that may lag behind by moments."""
        ...

    def record(self, key: ChunkKey) -> ChunkRecord:
        """The chunk from one consistent read. Raises NotFound if it was never planned."""
        ...

    def attempts(self, key: ChunkKey) -> tuple[Attempt, ...]:
        """The chunk's attempts, an eventually consistent read."""
        ...

    def begin(self, attempt: Attempt) -> bool:
        """Records an attempt before its POST. False if another owner has that number already."""
        ...

    def save_outcome(self, outcome: ChunkOutcome) -> ChunkOutcome:
        """Writes if `outcome.version` is the stored one (0: none); returns the next version.

        Writing the very same once more is no error.

        Raises:
            StaleWrite: another writer was first.
        """
        ...

    def outcomes(self, workspace: str, campaign_id: str) -> Iterator[ChunkOutcome]:
        """Every outcome of a campaign, in no particular order."""
        ...

    def outcomes_of(
        self, workspace: str, campaign_id: str, chunks: Sequence[int]
    ) -> Mapping[int, ChunkOutcome]:
        """The outcomes of some of a campaign's chunks that have one; consistent."""
        ...


class DueStore(Protocol):
    """Chunks that the scheduler must look at later."""

    def add(self, items: Iterable[DueItem]) -> None:
        """Adding an item twice changes nothing."""
        ...

    def due(self, now: datetime, *, limit: int) -> list[DueItem]:
        """Items whose time has come, oldest first within each of the store's shards."""
        ...

    def remove(self, item: DueItem) -> None:
        """Removing an item that is gone changes nothing."""
        ...


class RateStore(Protocol):
    """One token item per bucket: all windows, all groups, and the warm-up quota.

    A bucket is a provider's, under its name, or that of a campaign with a pace
    of its own (`tokens.campaign_bucket`).
    """

    def load(self, bucket: str) -> BucketState:
        """A consistent read; an empty state if nothing was ever taken."""
        ...

    def save(self, bucket: str, state: BucketState) -> None:
        """Writes if `state.version` is the stored one, and increments it.

        Raises:
            StaleWrite: another worker was first.
        """
        ...


class HealthStore(Protocol):
    """What routing has learned, of the whole deployment: one value, and the slots not yet in it.

    Costs: reading is one GetItem and one Query. `add` is one write unit a
    slot: for the dispatcher one for each round of a chunk, for the aggregator
    one for each ten seconds of posting that a batch of events is about.
    `save` is one or two write units, on a change of a breaker or quarantine
    and else once a minute.
    """

    def load(self) -> Health:
        """A consistent read; an empty value if nothing was ever saved."""
        ...

    def save(self, health: Health) -> Health:
        """Writes if `health.version` is the stored one; gives it with its new version.

        Raises:
            StaleWrite: another worker was first.
        """
        ...

    def slots(self, first: int, last: int) -> Mapping[int, Counts]:
        """The counts of the slots from `first` to `last` that have any; consistent."""
        ...

    def add(self, slots: Mapping[int, Counts]) -> None:
        """Adds to the counts of slots. Not idempotent: what is added twice counts twice."""
        ...


class SettingsStore(Protocol):
    """Keeps what workspaces have set for their sending."""

    def get(self, workspace: str) -> WorkspaceSettings:
        """A consistent read; the defaults, at version 0, if nothing was ever set."""
        ...

    def save(self, workspace: str, settings: WorkspaceSettings) -> WorkspaceSettings:
        """Writes if `settings.version` is the stored one; returns the next version.

        Raises:
            StaleWrite: another writer was first.
        """
        ...


class FrequencyStore(Protocol):
    """Keeps what a person has got lately, an item a person and kind of message.

    Costs: a place is one write unit, also one that is refused. A second one is
    needed to give it back, and where a write finds other than it expected:
    a place that a dead worker left for the same message, or another write at
    the same moment. Items go by themselves when the newest place counts no
    more. What a lower cap had no use for, a higher one may not know.
    """

    def take(
        self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place, now: datetime
    ) -> Taken:
        """As `frequency.take` decides, whoever else takes places at the same moment.

        Raises:
            DependencyUnavailable: the store did not answer, or others were always first.
        """
        ...

    def give_back(self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place) -> None:
        """Frees this very place; one that was moved by now, or is gone, stays as it is.

        Raises:
            DependencyUnavailable: the store did not answer, or others were always first.
        """
        ...

    def forget(self, workspace: str, subscriber: str) -> None:
        """Removes all that is kept of a person, of every kind of message; for an erasure."""
        ...


class SwitchStore(Protocol):
    """Keeps kill switches; the empty string names the whole deployment."""

    def get(self, workspaces: Sequence[str]) -> Mapping[str, Switch]:
        """The switch of each that is asked for, in one consistent read; on by default."""
        ...

    def put(self, workspace: str, switch: Switch) -> None:
        """Replaces a switch."""
        ...


class ChunkQueue(Protocol):
    """The queue of chunks that may go now."""

    def send(self, keys: Sequence[ChunkKey], *, delay_s: int = 0) -> None:
        """Hands chunks to the dispatcher, in as few requests as can be. At least once."""
        ...


class RecipientReader(Protocol):
    """The people of a chunk, read again at the moment of sending."""

    def recipients(
        self, workspace: str, subscriber_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, object]]:
        """Subscriber id to the stored item as plain JSON; erased people are missing.

        Of a former address the item is `deleted` and has `moved_to`. Strongly
        consistent. The fields are those of `shared.audience.model.Subscriber.to_item`.
        """
        ...


class SenderCheck(Protocol):
    """Whether a workspace may send from an address."""

    def check_sender(self, workspace: str, address: str) -> None:
        """Raises InvalidInput unless the workspace has verified the address's domain."""
        ...

    def check_not_foreign(self, workspace: str, address: str) -> None:
        """Raises InvalidInput if another workspace has verified the address's domain."""
        ...
