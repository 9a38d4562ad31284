"""What an erasure removes of delivery: events, places in plans, transactional messages.

Counters stay: they are numbers. So does which event was the first of its kind
at a place in a plan, since the plan does not say any more whose place it was.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from shared.analytics.ports import EngagementStore
from shared.audience.erasing import Erased
from shared.audience.erasure import Erasure
from shared.audience.ports import FileKeeper
from shared.delivery.model import ChunkKey
from shared.delivery.ports import CampaignStore, FrequencyStore, LedgerStore
from shared.delivery.states import CampaignState
from shared.delivery.withdrawing import plans_with, withdraw, withdraw_message
from shared.ids import TRANSACTIONAL_CHUNK

EVENTS_PER_STEP = 200
CAMPAIGNS_PER_STEP = 20
MESSAGES_PER_STEP = 200


class FrequencyEraser:
    """Forgets when she was mailed, which a frequency cap counts by."""

    def __init__(self, places: FrequencyStore) -> None:
        self._places = places

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says."""
        del cursor  # two items a person
        for one in erasure.subscribers:
            self._places.forget(erasure.workspace, one)
        return Erased()


class EventEraser:
    """Removes every event, and takes her out of the chunk that it was about.

    That reaches also messages of which she got a copy, which no index names.
    """

    def __init__(
        self, engagements: EngagementStore, ledger: LedgerStore, files: FileKeeper
    ) -> None:
        self._engagements = engagements
        self._ledger = ledger
        self._files = files

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Cursor: `number` of the id, and `page`."""
        number, page_at = (cursor["number"], cursor["page"]) if cursor else (0, None)
        one = erasure.subscribers[number]
        page = self._engagements.page_of_subscriber(
            erasure.workspace, one, limit=EVENTS_PER_STEP, cursor=page_at
        )
        for key in dict.fromkeys(
            ChunkKey(e.ref.workspace, e.ref.campaign, e.ref.chunk) for e in page.items
        ):
            if key.chunk == TRANSACTIONAL_CHUNK:
                withdraw_message(self._ledger, self._files, key, one)
            else:
                withdraw(self._ledger, key, one)
        for engagement in page.items:
            self._engagements.remove(engagement)
        counts = {"events": len(page.items)}
        if page.cursor:
            return Erased({"number": number, "page": page.cursor}, counts)
        if number + 1 < len(erasure.subscribers):
            return Erased({"number": number + 1, "page": None}, counts)
        return Erased(None, counts)


class MessageEraser:
    """Empties the transactional messages that were to her."""

    def __init__(self, ledger: LedgerStore, files: FileKeeper) -> None:
        self._ledger = ledger
        self._files = files

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Cursor: `number` of the id; what is emptied leaves the index."""
        number = cursor["number"] if cursor else 0
        one = erasure.subscribers[number]
        keys = list(islice(self._ledger.messages_to(erasure.workspace, one), MESSAGES_PER_STEP))
        emptied = sum(withdraw_message(self._ledger, self._files, key, one) for key in keys)
        if emptied and len(keys) == MESSAGES_PER_STEP:
            return Erased({"number": number}, {"messages": emptied})
        further = number + 1 < len(erasure.subscribers)
        return Erased({"number": number + 1} if further else None, {"messages": emptied})


class PlanEraser:
    """Takes her out of the plans of every campaign of the workspace, sent or not."""

    def __init__(self, campaigns: CampaignStore, ledger: LedgerStore) -> None:
        self._campaigns = campaigns
        self._ledger = ledger

    def erase(self, erasure: Erasure, cursor: Any) -> Erased:
        """As the port says. Cursor: `page`.

        A plan that is being made is left alone until it is whole.
        """
        workspace = erasure.workspace
        page = self._campaigns.page(
            workspace, limit=CAMPAIGNS_PER_STEP, cursor=cursor["page"] if cursor else None
        )
        removed, busy = 0, False
        for campaign in page.items:
            if campaign.state is CampaignState.PLANNING:
                busy = True
                continue
            for one in erasure.subscribers:
                for plan in plans_with(self._ledger, workspace, campaign.id, one):
                    if one in (*plan.subscribers, plan.resume.get("after")):
                        removed += withdraw(self._ledger, plan.key, one) is not None
        more = {"page": page.cursor} if page.cursor else None
        return Erased(more, {"plans": removed}, busy)
