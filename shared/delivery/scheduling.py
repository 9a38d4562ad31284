"""The scheduler's minute: look at what is due, release what may go, finish what is done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.dispatch import LEASE_GRACE
from shared.delivery.model import Campaign, ChunkKey, DueItem
from shared.delivery.outcomes import fresh
from shared.delivery.ports import (
    CampaignStore,
    ChunkQueue,
    DueStore,
    LedgerStore,
)
from shared.delivery.release import LEAST, LOOK_AFTER, Releaser, wanted
from shared.delivery.report import totals_of
from shared.delivery.retrying import under_way
from shared.delivery.settling import Settler
from shared.delivery.shares import fair_shares
from shared.delivery.states import CAMPAIGN_CHANGES, CampaignState, RecipientState, change
from shared.delivery.switches import Switches
from shared.delivery.watching import CampaignWatch, ProviderWatch
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
    """What one tick did, and what it found; what the handler logs and measures.

    `oldest_waiting_s` is how long the oldest chunk that was due has waited for
    its look, `in_doubt` counts recipients, `silent` names providers,
    `out_of_service` those that need an operator, with the ESP's codes,
    `search_errors` says why a provider could not be asked for what is in doubt.
    """

    did: Counter[str] = field(default_factory=Counter)
    oldest_waiting_s: float = 0.0
    in_doubt: int = 0
    silent: list[str] = field(default_factory=list)
    out_of_service: dict[str, str] = field(default_factory=dict)
    search_errors: Mapping[str, str] = field(default_factory=dict)


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
        switches: Switches,
        campaign_watch: CampaignWatch,
        provider_watch: ProviderWatch,
        in_flight: int,
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
        self._switches = switches
        self._campaign_watch = campaign_watch
        self._provider_watch = provider_watch
        self._in_flight = in_flight
        self._clock = clock

    def tick(self, deadline: datetime) -> Tick:
        """One minute's work; stops in good order at `deadline`, the rest waits for the next.

        Raises:
            DependencyUnavailable: DynamoDB or SQS did not answer.
        """
        tick = Tick()
        self._settler.begin()
        tick.search_errors = self._settler.search_errors
        states: dict[ChunkKey, Campaign | None] = {}
        due = self._due.due(self._clock.now(), limit=_PER_TICK)
        oldest = min((item.at for item in due), default=self._clock.now())
        tick.oldest_waiting_s = (self._clock.now() - oldest).total_seconds()
        for item in due:
            if self._clock.now() >= deadline:
                return tick
            self._look(item, tick, states)
        sending: list[tuple[Campaign, int]] = []
        for campaign in self._campaigns.active():
            if self._clock.now() >= deadline:
                break
            settled = self._advance(campaign, tick)
            if settled is not None:
                sending.append((campaign, settled))
        self._release(sending, tick)
        tick.silent = self._provider_watch.silent()
        tick.out_of_service = self._provider_watch.out_of_service()
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
            paused = campaign is not None and campaign.state is CampaignState.PAUSED
            if paused or self._switches.off(item.key.workspace):
                self._again(item, now + PAUSED_LOOK)
                return
            if outcome.not_before and outcome.not_before > now:
                at = min(outcome.not_before, now + SETTLE_EVERY) if doubtful else outcome.not_before
                self._again(item, at)
                return
            self._again(item, now + LOOK_AFTER)
            self._queue.send([item.key])
            tick.did["chunks_sent_again"] += 1
        elif doubtful:
            if campaign is None:  # a campaign's are counted with its totals
                tick.in_doubt += len(outcome.in_state(RecipientState.IN_DOUBT))
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

    def _advance(self, campaign: Campaign, tick: Tick) -> int | None:
        """Takes one campaign a step further; gives its settled chunks if it goes on sending."""
        tick.did["campaigns_started"] += self._campaign_watch.start(campaign)
        tick.did["campaigns_woken"] += self._campaign_watch.wake(campaign)
        if campaign.state is CampaignState.PLANNING:
            self._recover_plan(campaign, tick)
        if campaign.state is not CampaignState.SENDING:
            return None
        retrying = self._retrying(campaign, tick)  # asked first: what it opens is in the sum
        totals = totals_of(self._ledger.outcomes(campaign.workspace, campaign.id))
        settled = totals["settled_chunks"]
        tick.in_doubt += totals["states"]["in_doubt"]
        accounted = sum(totals["states"].values()) - totals["states"]["in_doubt"]
        if settled == campaign.chunks and accounted == campaign.recipients and not retrying:
            self._finish(campaign, totals, tick)
            return None
        if self._campaign_watch.brake(campaign, totals):
            tick.did["campaigns_stopped"] += 1
            return None
        return int(settled)

    def _release(self, sending: list[tuple[Campaign, int]], tick: Tick) -> None:
        """Shares what may be in flight by workspaces, and each one's share by its campaigns."""
        wants: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for campaign, settled in sending:
            wants[campaign.workspace][campaign.id] = wanted(campaign, settled, self._in_flight)
        demand = {ws: sum(own.values()) for ws, own in wants.items()}
        by_workspace = fair_shares(self._in_flight, demand)
        shares = {
            campaign: share
            for ws, own in wants.items()
            for campaign, share in fair_shares(max(LEAST, by_workspace[ws]), own).items()
        }
        for campaign, settled in sending:
            after = self._releaser.release(campaign, settled, shares[campaign.id])
            tick.did["chunks_released"] += max(0, after.released - campaign.released)

    def _finish(self, campaign: Campaign, totals: dict[str, object], tick: Tick) -> None:
        sent = replace(
            campaign,
            state=change(CAMPAIGN_CHANGES, campaign.state, CampaignState.SENT),
            state_reason="",
            totals=totals,
            finished_at=self._clock.now(),
        )
        try:  # in one write: a retry may come at any moment
            self._campaigns.save(sent)
        except StaleWrite:
            return
        tick.did["campaigns_sent"] += 1

    def _retrying(self, campaign: Campaign, tick: Tick) -> bool:
        """Whether a retry is not through; one whose job was never enqueued is recovered."""
        job = under_way(self._jobs, campaign)
        asked = campaign.retried_at
        lost = asked is not None and self._clock.now() - asked >= PLAN_LOST_AFTER
        if job and job.state is JobState.QUEUED and lost:
            self._job_queue.enqueue(campaign.workspace, job.id)
            tick.did["retries_enqueued_again"] += 1
        return job is not None

    def _recover_plan(self, campaign: Campaign, tick: Tick) -> None:
        """A launch that died between saving the campaign and enqueueing its job."""
        launched = campaign.launched_at
        if launched is None or self._clock.now() - launched < PLAN_LOST_AFTER:
            return
        job_id = to_text("job", to_bytes(campaign.id))
        if self._jobs.get(campaign.workspace, job_id).state is JobState.QUEUED:
            self._job_queue.enqueue(campaign.workspace, job_id)
            tick.did["plans_enqueued_again"] += 1
