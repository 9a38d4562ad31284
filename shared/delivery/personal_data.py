"""All that is known of one person, as one document of plain JSON (GDPR, articles 15 and 20)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared import ids as kinds
from shared.analytics.model import Engagement
from shared.analytics.ports import EngagementStore
from shared.audience.consents import Consents
from shared.audience.model import Subscriber
from shared.audience.ports import AudienceReader, LargeFileStore, SuppressionStore
from shared.audience.segments.ports import EngagementReader, SnapshotStore
from shared.clock import Clock, to_iso
from shared.delivery.personal_rows import consent_row, event_row, message_row
from shared.delivery.ports import LedgerStore
from shared.engagement import Deed, EngagementState
from shared.ids import MessageIds, MessageRef, to_text
from shared.paging import Page

MAX_INLINE_BYTES = 5_000_000
"""A Lambda's answer can have 6 MB."""

LINK_VALID = timedelta(minutes=15)
_PAGE = 500
_KEY_BYTES = 16


class PersonalData:
    """Collects a person's document."""

    def __init__(
        self,
        *,
        consents: Consents,
        suppressions: SuppressionStore,
        engagement: EngagementReader,
        snapshots: SnapshotStore,
        members: AudienceReader,
        engagements: EngagementStore,
        ledger: LedgerStore,
        message_ids: MessageIds,
        blobs: LargeFileStore,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._consents = consents
        self._suppressions = suppressions
        self._engagement = engagement
        self._snapshots = snapshots
        self._members = members
        self._engagements = engagements
        self._ledger = ledger
        self._message_ids = message_ids
        self._blobs = blobs
        self._clock = clock
        self._random_bytes = random_bytes

    def collect(self, person: Subscriber) -> dict[str, Any]:
        """The whole document, in memory: an event has some 500 bytes, and a person hundreds."""
        ids = (person.id, *person.previous)
        events = [event for one in ids for event in self._events(person.workspace, one)]
        states = list(self._states(person.workspace, ids))
        record = person.to_item()
        profile = {name: record.get(name) for name in _PROFILE}
        return {
            "as_of": to_iso(self._clock.now()),
            "profile": profile,
            "lists": record.get("lists", {}),
            "attributes": record.get("attributes", {}),
            "tags": record.get("tags", []),
            "former_ids": list(person.previous),
            "consents": [consent_row(one) for one in self._all_consents(person)],
            "suppressions": list(self._entries(person.workspace, ids)),
            "engagement": states,
            "snapshots": self._in_snapshots(person.workspace, ids),
            "campaigns": _campaigns(events, states),
            "messages": list(self._messages(person.workspace, ids)),
            "events": [event_row(e, self._message_ids.make(e.ref)) for e in events],
        }

    def as_file(self, person: Subscriber, document: bytes) -> str:
        """Keeps a document that is too large for an answer; gives the link, for `LINK_VALID`."""
        key = f"{person.workspace}/exports/data/{self._random_bytes(_KEY_BYTES).hex()}.json"
        self._blobs.put(key, document, content_type="application/json")
        return self._blobs.download_link(key, name=f"{person.id}.json", valid=LINK_VALID)

    def _events(self, workspace: str, subscriber_id: str) -> Iterator[Engagement]:
        return _all(
            lambda cursor: self._engagements.page_of_subscriber(
                workspace, subscriber_id, limit=_PAGE, cursor=cursor
            )
        )

    def _all_consents(self, person: Subscriber) -> Iterator[Any]:
        yield from self._consents.of_imports(person)
        yield from _all(lambda cursor: self._consents.page(person, limit=_PAGE, cursor=cursor))

    def _entries(self, workspace: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for one, entry in self._suppressions.get_many(workspace, ids).items():
            yield {
                "subscriber": one,
                "reason": entry.reason.value,
                "at": to_iso(entry.at),
                "source": entry.source,
            }

    def _states(self, workspace: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for one, raw in self._engagement.of(workspace, ids).items():
            state = EngagementState.from_bytes(raw)
            if state == EngagementState():  # of a former address, from which it has moved on
                continue
            yield {
                "subscriber": one,
                **_days(state.newest, "last_"),
                "campaigns": {
                    to_text(kinds.CAMPAIGN, campaign): _days(days)
                    for campaign, days in state.campaigns.items()
                },
            }

    def _in_snapshots(self, workspace: str, ids: Sequence[str]) -> list[str]:
        every = _all(lambda cursor: self._snapshots.page(workspace, limit=_PAGE, cursor=cursor))
        return [one.id for one in every if self._members.among(workspace, one.id, ids)]

    def _messages(self, workspace: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for one in ids:
            for key in self._ledger.messages_to(workspace, one):
                plan = self._ledger.plan(key)
                if plan and plan.message:
                    message = dict(plan.message)
                    if "file" in message:
                        kept = orjson.loads(self._blobs.get(message.pop("file")))
                        message |= {name: kept[name] for name in kept if name != "files"}
                    ref = MessageRef(key.workspace, key.campaign, key.chunk, 0)
                    yield message_row(message, self._message_ids.make(ref))


def _campaigns(events: Sequence[Engagement], states: Sequence[dict[str, Any]]) -> list[str]:
    """Those of which an event is kept, or that her engagement remembers."""
    found = {event.ref.campaign for event in events if not event.ref.transactional}
    return sorted(found.union(*(state["campaigns"] for state in states)))


def _all(page_at: Callable[[str | None], Page[Any]]) -> Iterator[Any]:
    cursor = None
    while True:
        page = page_at(cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _days(days: Sequence[int], prefix: str = "") -> dict[str, str | None]:
    return {
        f"{prefix}{deed.name.lower()}": _date(days[deed]) if days[deed] else None for deed in Deed
    }


def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


_PROFILE = (
    "id",
    "address",
    "locale",
    "time_zone",
    "created_at",
    "updated_at",
    "quality",
    "suppressed",
    "imported_by",
    "first_import",
)
