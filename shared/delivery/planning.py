"""Planning a launched campaign: its audience becomes durable chunks of recipients.

The audience is looked up at the first step and stays as it was then, whatever
is changed meanwhile. It is walked through shard by shard in the order of ids
(`shared.audience.segments.walking`): each person comes once, in a fixed order,
and the cursor is one position. Chunk numbers are deterministic and plans are
written once; a step that is done again finds its plans there and goes on
behind them. Seeds, if there are any, are chunk 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import Chosen
from shared.delivery.model import CHUNK_SIZE, Campaign, ChunkKey, ChunkPlan
from shared.delivery.moving import move
from shared.delivery.ports import CampaignStore, LedgerStore
from shared.delivery.release import FIRST, Releaser
from shared.delivery.states import CampaignState
from shared.errors import InvalidInput
from shared.jobs import Job

CHUNKS_PER_STEP = 20
LOOKS_PER_STEP = 20_000
"""People that a step looks at, at the most: a rule may be true of hardly anybody."""


class PlanStep:
    """The job step of PLAN_CAMPAIGN. `params`: `{"campaign": id}`."""

    def __init__(
        self,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        audiences: Audiences,
        releaser: Releaser,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._audiences = audiences
        self._releaser = releaser

    def run(self, job: Job) -> Job:
        """Plans up to CHUNKS_PER_STEP chunks; the last step releases the first ones."""
        campaign = self._campaigns.get(job.workspace, job.params["campaign"])
        if campaign.state is CampaignState.SENDING:
            self._releaser.release(campaign, settled=0, share=FIRST)
        if campaign.state is not CampaignState.PLANNING:
            return job.advanced(cursor=job.cursor, progress=job.progress, done=True)
        seeds: frozenset[str] = frozenset()
        if campaign.seed_list:
            seeds = self._seeds(campaign, campaign.seed_list)
            if not seeds:
                return self._failed(job, campaign, "the seed list has no members")
        try:
            at = self._begun(job, campaign, len(seeds))
        except InvalidInput as error:
            return self._failed(job, campaign, f"the audience cannot be had: {error}")
        done = self._plan(campaign, at, seeds)
        if done:
            self._finish(campaign, at)
        progress = {"chunks": at.chunk, "recipients": at.recipients}
        # A finished job's cursor would name the last person for 90 days more.
        cursor = {} if done else at.to_cursor()
        return job.advanced(cursor=cursor, progress=progress, done=done)

    def _begun(self, job: Job, campaign: Campaign, seeds: int) -> _At:
        """Where the cursor says, or the beginning. Raises InvalidInput."""
        if "chosen" in job.cursor:
            return _At.from_cursor(job.cursor)
        chosen = self._audiences.choose(campaign.workspace, campaign.whom)
        if "position" in job.cursor:  # of a release that knew lists alone
            return _At.from_cursor({**job.cursor, "chosen": chosen.to_item(), "waiting": []})
        return _At(chosen, 1 if seeds else 0, seeds, [])

    def _plan(self, campaign: Campaign, at: _At, seeds: frozenset[str]) -> bool:
        """Moves `at` on; True once everybody was looked at."""
        looks = self._audiences.looks(campaign.workspace, at.chosen, shard=at.shard, after=at.after)
        looked_at = written = 0
        while written < CHUNKS_PER_STEP and looked_at < LOOKS_PER_STEP:
            look = next(looks, None)
            if look:
                looked_at += 1
                at.shard, at.after, belongs = look
                if belongs and at.after not in seeds:
                    at.waiting.append(at.after)
                if len(at.waiting) < CHUNK_SIZE:
                    continue
            elif not at.waiting:
                return True
            written += 1
            if not self._write(campaign, at):
                looks = self._audiences.looks(
                    campaign.workspace, at.chosen, shard=at.shard, after=at.after
                )
        return False

    def _write(self, campaign: Campaign, at: _At) -> bool:
        """Writes the plan of who is waiting; False if there was another, behind which to go on."""
        mine = ChunkPlan(
            key=ChunkKey(campaign.workspace, campaign.id, at.chunk),
            subscribers=tuple(at.waiting),
            resume={"shard": at.shard, "after": at.after},
        )
        stored = self._ledger.put_plan(mine)
        at.shard, at.after = stored.resume["shard"], stored.resume["after"]
        at.chunk += 1
        at.recipients += len(stored.subscribers)
        at.waiting = []
        return stored.resume == mine.resume

    def _seeds(self, campaign: Campaign, seed_list: str) -> frozenset[str]:
        """Who is in chunk 0, which is planned if it is not: whoever is on the seed list then."""
        key = ChunkKey(campaign.workspace, campaign.id, 0)
        members = self._audiences.members(campaign.workspace, [seed_list])
        ids = tuple(islice(members, CHUNK_SIZE))
        return frozenset(self._ledger.put_plan(ChunkPlan(key, ids)).subscribers if ids else ())

    def _finish(self, campaign: Campaign, at: _At) -> None:
        if not at.recipients:
            reason = (
                "the lists have no members" if campaign.list_ids else "nobody is in the audience"
            )
            move(self._campaigns, campaign, CampaignState.FAILED, reason)
            return
        planned = self._campaigns.save(
            replace(
                campaign,
                chunks=at.chunk,
                recipients=at.recipients,
                agreed=at.chosen.consent,
            )
        )
        sending = move(self._campaigns, planned, CampaignState.SENDING)
        self._releaser.release(sending, settled=0, share=FIRST)

    def _failed(self, job: Job, campaign: Campaign, reason: str) -> Job:
        move(self._campaigns, campaign, CampaignState.FAILED, reason)
        return job.advanced(cursor=job.cursor, progress=job.progress, done=True)


@dataclass(slots=True)
class _At:
    """How far planning is: the next chunk, who was looked at last, and who waits for a chunk."""

    chosen: Chosen
    chunk: int
    recipients: int
    waiting: list[str]
    shard: int = 0
    after: str | None = None

    def to_cursor(self) -> dict[str, Any]:
        return {
            "chosen": self.chosen.to_item(),
            "chunk": self.chunk,
            "recipients": self.recipients,
            "position": {"shard": self.shard, "after": self.after},
            "waiting": self.waiting,
        }

    @classmethod
    def from_cursor(cls, cursor: dict[str, Any]) -> _At:
        return cls(
            Chosen.from_item(cursor["chosen"]),
            cursor["chunk"],
            cursor["recipients"],
            list(cursor["waiting"]),
            cursor["position"]["shard"],
            cursor["position"]["after"],
        )
