"""Who of a campaign is in which state, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.delivery.model import Campaign, ChunkKey, ChunkOutcome, ChunkRecord
from shared.delivery.ports import CampaignStore, LedgerStore
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import InvalidInput
from shared.ids import MessageIds
from shared.paging import BAD_CURSOR, Page, decode_cursor, encode_cursor

OUTCOMES_PER_PAGE = 200
"""Chunks whose outcome is looked at for one page; 1 KB each."""

RECORDS_PER_PAGE = 10
"""Chunks that are read whole for one page; about 10 KB each."""

_CURSOR = frozenset({"chunk", "index"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a campaign.

    `provider`, `attempt` and `routing` are of the newest attempt that had the
    recipient in it: None, 0 and empty if there was none.
    """

    subscriber: str
    message: str
    state: RecipientState
    reason: str
    provider: str | None
    attempt: int
    routing: Mapping[str, Any]


class RecipientListing:
    """Lists the recipients of a campaign from its ledger."""

    def __init__(
        self, campaigns: CampaignStore, ledger: LedgerStore, message_ids: MessageIds
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._message_ids = message_ids

    def page(
        self,
        workspace: str,
        campaign_id: str,
        *,
        state: RecipientState | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Recipient]:
        """Recipients in the order of the plan, in one state or in all.

        The reads of a page are bounded, so that it may be short, or empty, and
        not be the last. Whoever a cancelled campaign did not mail is skipped,
        as in its report.

        Raises:
            NotFound: no such campaign.
            InvalidInput: the cursor is not one of this listing.
        """
        campaign = self._campaigns.get(workspace, campaign_id)
        first, index = _position(cursor)
        end = min(first + OUTCOMES_PER_PAGE, campaign.chunks)
        wanted = _wanted(campaign, state)
        outcomes = self._ledger.outcomes_of(workspace, campaign_id, range(first, end))
        found: list[Recipient] = []
        records = 0
        for number in range(first, end):
            start = index if number == first else 0
            if not _has(outcomes.get(number), wanted):
                continue
            if records == RECORDS_PER_PAGE:
                return Page(tuple(found), encode_cursor({"chunk": number, "index": start}))
            records += 1
            record = self._ledger.record(ChunkKey(workspace, campaign_id, number))
            size = len(record.plan.subscribers)
            states = record.outcome.states if record.outcome else bytes(size)
            for i in range(start, size):
                if states[i] not in wanted:
                    continue
                if len(found) == limit:
                    return Page(tuple(found), encode_cursor({"chunk": number, "index": i}))
                found.append(self._recipient(campaign, record, i))
        more = encode_cursor({"chunk": end, "index": 0}) if end < campaign.chunks else None
        return Page(tuple(found), more)

    def _recipient(self, campaign: Campaign, record: ChunkRecord, index: int) -> Recipient:
        outcome, attempt, key = record.outcome, record.newest_attempt(index), record.plan.key
        state = outcome.state_of(index) if outcome else RecipientState.PENDING
        reason = outcome.reason_of(index) if outcome else ""
        if state is RecipientState.PENDING and campaign.state is CampaignState.CANCELLED:
            state, reason = RecipientState.SKIPPED, "cancelled"
        return Recipient(
            subscriber=record.plan.subscribers[index],
            message=self._message_ids.maker(key.workspace, key.campaign, key.chunk)(index),
            state=state,
            reason=reason,
            provider=attempt.provider_of(index) if attempt else None,
            attempt=attempt.number if attempt else 0,
            routing=attempt.routing if attempt else {},
        )


def _wanted(campaign: Campaign, state: RecipientState | None) -> frozenset[RecipientState]:
    """The states as stored that are shown as `state`."""
    if state is None:
        return frozenset(RecipientState)
    if campaign.state is CampaignState.CANCELLED:
        if state is RecipientState.PENDING:
            return frozenset()
        if state is RecipientState.SKIPPED:
            return frozenset({RecipientState.SKIPPED, RecipientState.PENDING})
    return frozenset({state})


def _has(outcome: ChunkOutcome | None, wanted: frozenset[RecipientState]) -> bool:
    if outcome is None:
        return RecipientState.PENDING in wanted
    return not wanted.isdisjoint(set(outcome.states))


def _position(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    position = decode_cursor(cursor, _CURSOR)
    chunk, index = position["chunk"], position["index"]
    if type(chunk) is not int or type(index) is not int or min(chunk, index) < 0:
        raise InvalidInput(BAD_CURSOR)
    return chunk, index
