"""Sending the failed ones again, and only those.

A retry may be asked for while a campaign is sending, paused or sent: it takes
who has failed by then, whatever the others are doing. The ledger's versions
keep it apart from the dispatcher, and the scheduler does not finish a campaign
whose retry is not through.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from shared.analytics.ports import EngagementStore
from shared.clock import Clock, to_iso
from shared.delivery.model import Campaign, ChunkKey, ChunkOutcome, ChunkRecord, DueItem
from shared.delivery.outcomes import Change, changed
from shared.delivery.ports import CampaignStore, DueStore, LedgerStore, SenderCheck
from shared.delivery.settling import verdicts_of
from shared.delivery.states import CAMPAIGN_CHANGES, CampaignState, RecipientState, change
from shared.errors import FieldProblem, InvalidInput, NotFound, StaleWrite, WrongState
from shared.ids import JOB, Ids
from shared.jobs import Job, JobKind, JobQueue, JobState, JobStore

CHUNKS_PER_STEP = 20
MAX_REASONS = 50

_TRIES = 5
_OPEN = frozenset({CampaignState.SENDING, CampaignState.PAUSED})
_UNDER_WAY = frozenset({JobState.QUEUED, JobState.RUNNING})


def under_way(jobs: JobStore, campaign: Campaign) -> Job | None:
    """The job that has a retry of the campaign in hand, unless it is over."""
    if not campaign.retry_job:
        return None
    try:
        job = jobs.get(campaign.workspace, campaign.retry_job)
    except NotFound:  # jobs are kept for 90 days
        return None
    return job if job.state in _UNDER_WAY else None


class RetryService:
    """What the API does for a retry: checks it, opens the campaign again, starts the job."""

    def __init__(
        self,
        *,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        sender_check: SenderCheck,
        jobs: JobStore,
        job_queue: JobQueue,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._sender_check = sender_check
        self._jobs = jobs
        self._job_queue = job_queue
        self._ids = ids
        self._clock = clock

    def retry(self, workspace: str, campaign_id: str, reasons: Sequence[str] = ()) -> Campaign:
        """Starts sending to the failed again, with `reasons` only to who failed for one of them.

        A campaign that was sent is sending again until all is accounted for.

        Raises:
            WrongState: it is not sending, paused or sent, its end has passed,
                another retry is under way, or nobody has failed (for these
                reasons).
            InvalidInput: the sender is no longer verified, or too many reasons.
            StaleWrite: others wrote the campaign five times in a row.
        """
        if len(reasons) > MAX_REASONS:
            raise InvalidInput(FieldProblem("reasons", f"must be at most {MAX_REASONS}"))
        campaign = self._campaigns.get(workspace, campaign_id)
        self._check(campaign)
        self._sender_check.check_sender(workspace, campaign.sender.address)
        if not self._anybody(campaign, reasons):
            whom = "has failed for any of these reasons" if reasons else "has failed"
            raise WrongState(f"no recipient of this campaign {whom}; nothing is sent again")
        now = self._clock.now()
        job = Job(
            id=self._ids.new(JOB),
            workspace=workspace,
            kind=JobKind.RETRY_CAMPAIGN,
            created_at=now,
            params={"campaign": campaign_id, "reasons": list(reasons)},
        )
        self._jobs.create(job)
        reopened = self._reopen(campaign, job)
        self._job_queue.enqueue(workspace, job.id)
        return reopened

    def _check(self, campaign: Campaign) -> None:
        if campaign.state not in {*_OPEN, CampaignState.SENT}:
            raise WrongState(
                f"the campaign is {campaign.state}; the failed ones can be sent again while it is"
                " sending, paused or sent"
            )
        end_at = campaign.schedule.end_at
        if end_at and campaign.schedule.ended(self._clock.now()):
            raise WrongState(
                f"end_at of this campaign, {to_iso(end_at)}, has passed: a retry would skip"
                " everybody. List who has failed (recipients?state=failed) and mail them with a"
                " new campaign"
            )
        if under_way(self._jobs, campaign):
            raise WrongState(
                "a retry of this campaign is under way; wait until it is through, nothing more"
                " was started"
            )

    def _anybody(self, campaign: Campaign, reasons: Sequence[str]) -> bool:
        if campaign.totals and not reasons:
            return bool(campaign.totals["states"]["failed"])
        outcomes = self._ledger.outcomes(campaign.workspace, campaign.id)
        return any(failed(outcome, reasons) for outcome in outcomes)

    def _reopen(self, campaign: Campaign, job: Job) -> Campaign:
        for _ in range(_TRIES):
            state = campaign.state
            if state is CampaignState.SENT:
                state = change(CAMPAIGN_CHANGES, state, CampaignState.SENDING)
            opened = replace(
                campaign,
                state=state,
                totals={},
                finished_at=None,
                retry_job=job.id,
                retried_at=job.created_at,
            )
            try:
                return self._campaigns.save(opened)
            except StaleWrite:
                campaign = self._campaigns.get(campaign.workspace, campaign.id)
                self._check(campaign)
        raise StaleWrite("the campaign is being written by others; try again")


class RetryStep:
    """The job step of RETRY_CAMPAIGN. `params`: `{"campaign": id, "reasons": [code, ...]}`.

    Failed recipients become pending, chunk by chunk, and each such chunk due.
    A step that is done again finds its chunks pending and makes them due
    again, which is harmless. Whoever is known by an event to have been mailed
    after all becomes accepted, and is not mailed again.
    """

    def __init__(
        self,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        engagements: EngagementStore,
        due: DueStore,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._engagements = engagements
        self._due = due
        self._clock = clock

    def run(self, job: Job) -> Job:
        """Opens up to CHUNKS_PER_STEP chunks again."""
        campaign = self._campaigns.get(job.workspace, job.params["campaign"])
        if campaign.state not in _OPEN or campaign.retry_job != job.id:
            return job.advanced(cursor=job.cursor, progress=job.progress, done=True)
        first = job.cursor.get("chunk", 0)
        end = min(first + CHUNKS_PER_STEP, campaign.chunks)
        for number in range(first, end):
            self._chunk(ChunkKey(campaign.workspace, campaign.id, number), job.params["reasons"])
        done = end == campaign.chunks
        return job.advanced(cursor={"chunk": end}, progress={"chunks": end}, done=done)

    def _chunk(self, key: ChunkKey, reasons: Sequence[str]) -> None:
        for _ in range(_TRIES):
            record = self._ledger.record(key)
            if record.outcome is None:
                return
            try:
                outcome = self._opened(record, record.outcome, reasons)
            except StaleWrite:
                continue
            if outcome.in_state(RecipientState.PENDING):
                self._due.add([DueItem(self._clock.now(), key)])
            return
        raise StaleWrite(f"chunk {key.chunk} is being written by others; the job tries again")

    def _opened(
        self, record: ChunkRecord, outcome: ChunkOutcome, reasons: Sequence[str]
    ) -> ChunkOutcome:
        again = failed(outcome, reasons)
        if not again:
            return outcome
        seen = verdicts_of(self._engagements, record.plan)
        mailed = {i for i in again if seen.get(i, _NOTHING)[0] is RecipientState.ACCEPTED}
        changes = [
            Change(i, RecipientState.ACCEPTED if i in mailed else RecipientState.PENDING)
            for i in again
        ]
        opened = replace(changed(outcome, changes, record.attempts), not_before=None)
        return self._ledger.save_outcome(opened)


def failed(outcome: ChunkOutcome, reasons: Collection[str] = ()) -> list[int]:
    """Who of a chunk has failed; with `reasons`, who has for one of them."""
    indexes = outcome.in_state(RecipientState.FAILED)
    if not indexes or not reasons:
        return indexes
    meant = {i for code in reasons for i in outcome.reasons.get(code, ())}
    return [i for i in indexes if i in meant]


_NOTHING = (RecipientState.FAILED, "")
