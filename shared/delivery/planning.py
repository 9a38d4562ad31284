"""Planning a launched campaign: its lists become durable chunks of recipients.

Every list keeps its members in the same shards, in the order of ids. So the
lists are merged shard by shard: each person comes once, in a fixed order, and
the cursor is one position. Chunk numbers are deterministic and plans are
written once; a step that is done again finds its plans there and goes on
behind them. Seeds, if there are any, are chunk 0.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, islice

from shared.audience.ports import SHARDS, AudienceReader
from shared.delivery.model import CHUNK_SIZE, Campaign, ChunkKey, ChunkPlan
from shared.delivery.moving import move
from shared.delivery.ports import CampaignStore, LedgerStore
from shared.delivery.release import FIRST, Releaser
from shared.delivery.states import CampaignState
from shared.jobs import Job

CHUNKS_PER_STEP = 20


class PlanStep:
    """The job step of PLAN_CAMPAIGN. `params`: `{"campaign": id}`."""

    def __init__(
        self,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        audience: AudienceReader,
        releaser: Releaser,
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._audience = audience
        self._releaser = releaser

    def run(self, job: Job) -> Job:
        """Plans up to CHUNKS_PER_STEP chunks; the last step releases the first ones."""
        campaign = self._campaigns.get(job.workspace, job.params["campaign"])
        if campaign.state is CampaignState.SENDING:
            self._releaser.release(campaign, settled=0, share=FIRST)
        if campaign.state is not CampaignState.PLANNING:
            return job.advanced(cursor=job.cursor, progress=job.progress, done=True)
        number, recipients = job.cursor.get("chunk", 0), job.cursor.get("recipients", 0)
        position = job.cursor.get("position", {"shard": 0, "after": None})
        seeds: frozenset[str] = frozenset()
        if campaign.seed_list:
            seeds = self._seeds(campaign, campaign.seed_list)
            if not seeds:
                reason = "the seed list has no members"
                move(self._campaigns, campaign, CampaignState.FAILED, reason)
                return job.advanced(cursor=job.cursor, progress=job.progress, done=True)
            if number == 0:
                number, recipients = 1, len(seeds)
        people = self._from(campaign, position, seeds)
        for _ in range(CHUNKS_PER_STEP):
            ids = tuple(islice(people, CHUNK_SIZE))
            if not ids:
                self._finish(campaign, number, recipients)
                progress = {"chunks": number, "recipients": recipients}
                return job.advanced(cursor=job.cursor, progress=progress, done=True)
            last = ids[-1]
            plan = ChunkPlan(
                key=ChunkKey(campaign.workspace, campaign.id, number),
                subscribers=tuple(subscriber for _, subscriber in ids),
                resume={"shard": last[0], "after": last[1]},
            )
            stored = self._ledger.put_plan(plan)
            position = dict(stored.resume)
            if position != plan.resume:  # planned before, when the lists had other members
                people = self._from(campaign, position, seeds)
            recipients += len(stored.subscribers)
            number += 1
        cursor = {"chunk": number, "recipients": recipients, "position": position}
        return job.advanced(cursor=cursor, progress={"chunks": number, "recipients": recipients})

    def _seeds(self, campaign: Campaign, seed_list: str) -> frozenset[str]:
        """Who is in chunk 0, which is planned if it is not: whoever is on the seed list then."""
        members = (
            member
            for shard in range(SHARDS)
            for member in self._audience.members(campaign.workspace, seed_list, shard)
        )
        key = ChunkKey(campaign.workspace, campaign.id, 0)
        ids = tuple(islice(members, CHUNK_SIZE))
        return frozenset(self._ledger.put_plan(ChunkPlan(key, ids)).subscribers if ids else ())

    def _from(
        self, campaign: Campaign, position: dict[str, object], seeds: frozenset[str]
    ) -> Iterator[tuple[int, str]]:
        """Shard and id of everybody else on any of the lists, from behind a position on."""
        first, after = int(str(position["shard"])), position["after"]
        for shard in range(first, SHARDS):
            start = str(after) if shard == first and after else None
            merged = heapq.merge(
                *(
                    self._audience.members(campaign.workspace, list_id, shard, after=start)
                    for list_id in campaign.list_ids
                )
            )
            for subscriber, _ in groupby(merged):
                if subscriber not in seeds:
                    yield shard, subscriber

    def _finish(self, campaign: Campaign, chunks: int, recipients: int) -> None:
        if not recipients:
            move(self._campaigns, campaign, CampaignState.FAILED, "the lists have no members")
            return
        planned = self._campaigns.save(replace(campaign, chunks=chunks, recipients=recipients))
        sending = move(self._campaigns, planned, CampaignState.SENDING)
        self._releaser.release(sending, settled=0, share=FIRST)
