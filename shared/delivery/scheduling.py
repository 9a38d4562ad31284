"""The scheduler's minute: look at what is due, release what may go, finish what is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.dispatch import LEASE_GRACE
from shared.delivery.model import Campaign, ChunkKey, DueItem
from shared.delivery.moving import move
from shared.delivery.outcomes import fresh
from shared.delivery.ports import (
    CampaignStore,
    ChunkQueue,
    DueStore,
    LedgerStore,
)
from shared.delivery.release import LOOK_AFTER, Releaser
from shared.delivery.report import totals_of
from shared.delivery.settling import Settler
from shared.delivery.states import CampaignState, RecipientState
from shared.errors import NotFound, StaleWrite
from shared.ids import TRANSACTIONAL_CHUNK, to_bytes, to_text
from shared.jobs import JobQueue, JobState, JobStore

SETTLE_EVERY = timedelta(minutes=1)
PAUSED_LOOK = timedelta(minutes=1)
PLAN_LOST_AFTER = timedelta(minutes=2)
_PER_TICK = 1000
_OVER = frozenset({CampaignState.CANCELLED, CampaignState.FAILED})


@dataclass(slots=True)
class Tick:
    """What one tick did; what the handler logs."""

    did: Counter[str] = field(default_factory=Counter)


class Scheduler:
    """Runs once a minute. Every part of it may be done twice or by two at once."""

    def __init__(
        self,
        *,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        due: DueStore,
        queue: ChunkQueue,
        releaser: Releaser,
        settler: Settler,
        jobs: JobStore,
        job_queue: JobQueue,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._due = due
        self._queue = queue
        self._releaser = releaser
        self._settler = settler
        self._jobs = jobs
        self._job_queue = job_queue
        self._clock = clock

    def tick(self, deadline: datetime) -> Tick:
        """One minute's work; stops in good order at `deadline`, the rest waits for the next.

        Raises:
            DependencyUnavailable: DynamoDB or SQS did not answer.
        """
        tick = Tick()
        states: dict[ChunkKey, Campaign | None] = {}
        for item in self._due.due(self._clock.now(), limit=_PER_TICK):
            if self._clock.now() >= deadline:
                return tick
            self._look(item, tick, states)
        for campaign in self._campaigns.active():
            if self._clock.now() >= deadline:
                return tick
            self._advance(campaign, tick)
        return tick

    def _look(self, item: DueItem, tick: Tick, states: dict[ChunkKey, Campaign | None]) -> None:
        """Looks at one chunk and books the next look, or none if it is accounted for."""
        try:
            record = self._ledger.record(item.key)
        except NotFound:
            self._due.remove(item)
            return
        campaign = self._campaign(item.key, states)
        now = self._clock.now()
        lost = record.unrecorded
        if lost and lost.lease_until + LEASE_GRACE > now:
            self._again(item, lost.lease_until + LEASE_GRACE)
            return
        outcome = record.outcome or fresh(item.key, len(record.plan.subscribers))
        try:
            if lost:
                outcome = self._settler.take_for_lost(record, lost)
                tick.did["attempts_lost"] += 1
            outcome = self._settler.settle(record, outcome)
        except StaleWrite:
            self._again(item, now + SETTLE_EVERY)
            return
        pending = bool(outcome.in_state(RecipientState.PENDING))
        doubtful = bool(outcome.in_state(RecipientState.IN_DOUBT))
        if pending and not (campaign and campaign.state in _OVER):
            if campaign and campaign.state is CampaignState.PAUSED:
                self._again(item, now + PAUSED_LOOK)
                return
            self._again(item, now + LOOK_AFTER)
            self._queue.send([item.key])
            tick.did["chunks_sent_again"] += 1
        elif doubtful:
            self._again(item, now + SETTLE_EVERY)
            tick.did["chunks_in_doubt"] += 1
        else:
            self._due.remove(item)
            tick.did["chunks_closed"] += 1

    def _again(self, item: DueItem, at: datetime) -> None:
        self._due.add([DueItem(at, item.key)])
        self._due.remove(item)

    def _campaign(self, key: ChunkKey, states: dict[ChunkKey, Campaign | None]) -> Campaign | None:
        if key.chunk == TRANSACTIONAL_CHUNK:
            return None
        name = replace(key, chunk=0)
        if name not in states:
            states[name] = self._campaigns.get(key.workspace, key.campaign)
        return states[name]

    def _advance(self, campaign: Campaign, tick: Tick) -> None:
        """Takes one campaign a step further: planning begun, chunks released, or sent."""
        if campaign.state is CampaignState.PLANNING:
            self._recover_plan(campaign, tick)
            return
        if campaign.state is not CampaignState.SENDING:
            return
        totals = totals_of(self._ledger.outcomes(campaign.workspace, campaign.id))
        settled = totals["settled_chunks"]
        accounted = sum(totals["states"].values()) - totals["states"]["in_doubt"]
        if settled == campaign.chunks and accounted == campaign.recipients:
            self._finish(campaign, totals, tick)
            return
        released = self._releaser.release(campaign, settled).released - campaign.released
        tick.did["chunks_released"] += max(0, released)

    def _finish(self, campaign: Campaign, totals: dict[str, object], tick: Tick) -> None:
        try:
            done = self._campaigns.save(
                replace(campaign, totals=totals, finished_at=self._clock.now())
            )
            move(self._campaigns, done, CampaignState.SENT)
        except StaleWrite:
            return
        tick.did["campaigns_sent"] += 1

    def _recover_plan(self, campaign: Campaign, tick: Tick) -> None:
        """A launch that died between saving the campaign and enqueueing its job."""
        launched = campaign.launched_at
        if launched is None or self._clock.now() - launched < PLAN_LOST_AFTER:
            return
        job_id = to_text("job", to_bytes(campaign.id))
        if self._jobs.get(campaign.workspace, job_id).state is JobState.QUEUED:
            self._job_queue.enqueue(campaign.workspace, job_id)
            tick.did["plans_enqueued_again"] += 1
