"""Taking an erased person out of the ledger: her place in a plan, and messages to her.

A plan is an array of ids, and everything else of a chunk counts by place in
it. So her id is overwritten with `NOBODY` and the places stay: whoever reads
the plan later finds nobody there and skips, and no count changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shared.audience.ports import SHARDS, FileKeeper
from shared.delivery.model import ChunkKey, ChunkPlan
from shared.delivery.ports import LedgerStore
from shared.errors import StaleWrite
from shared.ids import NOBODY, to_bytes

ATTEMPTS = 5
"""Two erasures may meet in one plan."""


def plans_with(
    ledger: LedgerStore, workspace: str, campaign_id: str, subscriber_id: str
) -> Iterator[ChunkPlan]:
    """The plans of a campaign that may hold a person: chunk 0, and the one of her place.

    Chunks follow each other in the order of shard and id, and each says up to
    where people were looked at. So hers is found by bisection, with some
    twenty reads among a million recipients. Chunk 0 may be of seeds, who stand
    outside of that order.
    """

    def plan(chunk: int) -> ChunkPlan | None:
        return ledger.plan(ChunkKey(workspace, campaign_id, chunk))

    first = plan(0)
    if first:
        yield first
    mine = _place(subscriber_id)
    low = high = 1
    while (found := plan(high)) and _end(found) < mine:
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        found = plan(middle)
        if found and _end(found) < mine:
            low = middle + 1
        else:
            high = middle
    if last := plan(low):
        yield last


def _mark_followers(ledger: LedgerStore, plan: ChunkPlan, after: ChunkPlan) -> None:
    """Plans behind, of which nobody is left, may bear the same mark; they go first."""
    key = plan.key
    while follower := ledger.plan(replace(key, chunk=key.chunk + 1)):
        if follower.resume.get("after") != plan.resume["after"]:
            return
        ledger.replace_plan(follower, replace(follower, resume=after.resume))
        key = follower.key


def _place(subscriber_id: str) -> tuple[int, str]:
    return to_bytes(subscriber_id)[0] % SHARDS, subscriber_id


def _end(plan: ChunkPlan) -> tuple[int, str]:
    return int(plan.resume.get("shard", 0)), str(plan.resume.get("after") or "")


def withdraw(ledger: LedgerStore, key: ChunkKey, subscriber_id: str) -> ChunkPlan | None:
    """Takes a person out of a plan; gives the plan as it was, None if she was not in it.

    A message to her loses all but its sender and when it was taken in. One of
    which she got a copy loses her address.

    Raises:
        StaleWrite: others kept changing the plan; do it again.
    """
    for _ in range(ATTEMPTS):
        plan = ledger.plan(key)
        if plan is None:
            return None
        after = _without(plan, subscriber_id)
        if plan.resume.get("after") == subscriber_id:
            after = replace(after, resume=_mark(ledger, after))
            _mark_followers(ledger, plan, after)
        if after == plan:
            return None
        try:
            ledger.replace_plan(plan, after)
        except StaleWrite:
            continue
        return plan
    raise StaleWrite(f"others kept changing chunk {key.chunk} of {key.campaign}; do it again")


def _without(plan: ChunkPlan, subscriber_id: str) -> ChunkPlan:
    left = [NOBODY if one == subscriber_id else one for one in plan.subscribers]
    message = plan.message
    if message is not None:
        hers = subscriber_id in plan.subscribers
        message = _emptied(message) if hers else _without_copies(message, subscriber_id)
    return replace(plan, subscribers=tuple(left), message=message)


def _mark(ledger: LedgerStore, plan: ChunkPlan) -> dict[str, Any]:
    """Up to where a plan looked at people, without naming who has gone.

    That is the last who is left in it, or else the end of the plan before: nobody
    in between is in any plan, so that bisection finds everybody else as before.
    """
    known = [one for one in plan.subscribers if one != NOBODY]
    if known:
        return {"shard": _place(known[-1])[0], "after": known[-1]}
    key = plan.key
    before = ledger.plan(replace(key, chunk=key.chunk - 1)) if key.chunk else None
    return dict(before.resume) if before else {}


def _emptied(message: Any) -> dict[str, Any]:
    return {"erased": True, "sender": message["sender"], "at": message["at"]}


def _without_copies(message: Any, subscriber_id: str) -> dict[str, Any]:
    copies = {
        kind: [
            {"address": "", "name": "", "subscriber": NOBODY}
            if copy["subscriber"] == subscriber_id
            else copy
            for copy in message[kind]
        ]
        for kind in ("cc", "bcc")
        if kind in message
    }
    return {**message, **copies}


def withdraw_message(
    ledger: LedgerStore, files: FileKeeper, key: ChunkKey, subscriber_id: str
) -> bool:
    """As `withdraw`, with the file of a large message to her; says whether anything was there.

    The file goes first: without its plan, nobody would know of it.
    """
    plan = ledger.plan(key)
    if plan and plan.message and subscriber_id in plan.subscribers and "file" in plan.message:
        files.delete(plan.message["file"])
    return withdraw(ledger, key, subscriber_id) is not None
