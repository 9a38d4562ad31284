"""Events in DynamoDB, under the message's chunk, with an index by person."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from shared.analytics.model import Engagement
from shared.clock import from_iso, to_iso
from shared.errors import InvalidInput
from shared.events import BounceKind, Event, EventType, RejectReason
from shared.ids import MessageRef
from shared.mail import MailboxGroup
from shared.paging import BAD_CURSOR, Page, cut, encode_cursor, resume
from shared.retention import KeptFor, by_default
from shared.storage.tables import TidepostModel

CHUNKS_PER_PAGE = 50
"""Partitions that one page reads at the most; a page may be short, or empty, and not the last."""


class BySubscriber(GlobalSecondaryIndex["EngagementItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """A person's events by time."""

    class Meta:
        """Names the index."""

        index_name = "by_subscriber"
        projection = AllProjection()

    person = UnicodeAttribute(hash_key=True)
    moment = UnicodeAttribute(range_key=True)


class EngagementItem(TidepostModel):
    """One event. The same report makes the same item, so putting it again changes nothing."""

    TABLE = "engagements"
    STREAM = "NEW_IMAGE"

    v = NumberAttribute(default=1)
    person = UnicodeAttribute()
    moment = UnicodeAttribute()
    """The sort key without the recipient's index."""
    group = UnicodeAttribute()
    posted_at = UnicodeAttribute(null=True)
    provider = UnicodeAttribute()
    event_id = UnicodeAttribute()
    esp_type = UnicodeAttribute()
    message_id = UnicodeAttribute(null=True)
    provider_message_id = UnicodeAttribute(null=True)
    bounce = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    detail = UnicodeAttribute(null=True)
    url = UnicodeAttribute(null=True)
    user_agent = UnicodeAttribute(null=True)
    ip = UnicodeAttribute(null=True)
    machine = BooleanAttribute(null=True)
    by_subscriber = BySubscriber()


class DynamoEngagements:
    """`EngagementStore`. Addresses are not kept; an event is, for as long as `kept` says."""

    def __init__(self, kept: KeptFor = by_default) -> None:
        self._kept = kept

    def put_many(self, engagements: Iterable[Engagement]) -> None:
        """As the port says."""
        EngagementItem.put_many(
            _item(one, self._kept(one.ref.workspace).event_days) for one in engagements
        )

    def remove(self, engagement: Engagement) -> None:
        """As the port says."""
        ref = engagement.ref
        key = _chunk(ref.workspace, ref.campaign, ref.chunk), place(engagement)
        EngagementItem(*key).discard()

    def of_chunk(self, workspace: str, campaign: str, chunk: int) -> list[Engagement]:
        """As the port says."""
        return [_read(item) for item in EngagementItem.select(_chunk(workspace, campaign, chunk))]

    def page_of_campaign(
        self, workspace: str, campaign: str, chunks: int, *, limit: int, cursor: str | None = None
    ) -> Page[Engagement]:
        """As the port says; consistent. Follow the cursor to its end, even from an empty page."""
        first, after = _position(resume(cursor))
        beyond = min(first + CHUNKS_PER_PAGE, chunks)

        def events() -> Iterator[Engagement]:
            for chunk in range(first, beyond):
                where = EngagementItem.sk > after if after and chunk == first else None
                pk = _chunk(workspace, campaign, chunk)
                yield from map(_read, EngagementItem.select(pk, where, page_size=limit + 1))

        page = cut(events(), limit, lambda one: f"{one.ref.chunk:010d}#{place(one)}")
        if page.cursor is None and beyond < chunks:
            return replace(page, cursor=encode_cursor({"after": f"{beyond:010d}#"}))
        return page

    def page_of_subscriber(
        self,
        workspace: str,
        subscriber: str,
        *,
        limit: int,
        cursor: str | None = None,
        former: Sequence[str] = (),
    ) -> Page[Engagement]:
        """As the port says; the index may lag behind by moments."""
        after = resume(cursor)
        items = heapq.merge(
            *(
                EngagementItem.select(
                    f"ws#{workspace}#{one}",
                    EngagementItem.moment < after if after else None,
                    index="by_subscriber",
                    ascending=False,
                    page_size=limit + 1,
                )
                for one in dict.fromkeys((subscriber, *former))
            ),
            key=lambda item: item.moment,
            reverse=True,
        )
        return cut(map(_read, items), limit, _moment)


def engagement_of(image: Mapping[str, Mapping[str, Any]]) -> Engagement:
    """What a stream record's NewImage says (DynamoDB's own JSON: `{"sk": {"S": ...}, ...}`)."""
    return _read(EngagementItem.from_raw_data({name: dict(value) for name, value in image.items()}))


def place(engagement: Engagement) -> str:
    """The event's sort key in its chunk: recipient, time, type, and a hash of the event's id."""
    return f"{engagement.ref.index:05d}#{_moment(engagement)}"


def _moment(engagement: Engagement) -> str:
    event = engagement.event
    digest = hashlib.sha256(event.event_id.encode()).hexdigest()[:16]
    return f"{to_iso(event.occurred_at)}#{event.type.value}#{digest}"


def _chunk(workspace: str, campaign: str, chunk: int) -> str:
    return f"ws#{workspace}#{campaign}#{chunk:010d}"


def _position(after: str | None) -> tuple[int, str]:
    """Chunk and sort key after which a listing of a campaign goes on."""
    if after is None:
        return 0, ""
    chunk, mark, sk = after.partition("#")
    if not mark or len(chunk) != 10 or not chunk.isdecimal():  # noqa: PLR2004  # as written above
        raise InvalidInput(BAD_CURSOR)
    return int(chunk), sk


def _item(engagement: Engagement, kept_days: int) -> EngagementItem:
    event, ref = engagement.event, engagement.ref
    moment = _moment(engagement)
    return EngagementItem(
        _chunk(ref.workspace, ref.campaign, ref.chunk),
        f"{ref.index:05d}#{moment}",
        person=f"ws#{ref.workspace}#{engagement.subscriber}",
        moment=moment,
        group=engagement.group.value,
        posted_at=to_iso(engagement.posted_at) if engagement.posted_at else None,
        provider=event.provider,
        event_id=event.event_id,
        esp_type=event.esp_type,
        message_id=event.message_id,
        provider_message_id=event.provider_message_id,
        bounce=event.bounce.value if event.bounce else None,
        reason=event.reason.value if event.reason else None,
        detail=event.detail or None,
        url=event.url or None,
        user_agent=event.user_agent or None,
        ip=event.ip or None,
        machine=event.machine or None,
        ttl=event.occurred_at + timedelta(days=kept_days),
    )


def _read(item: EngagementItem) -> Engagement:
    _, workspace, campaign, chunk = item.pk.split("#")
    index, occurred_at, event_type, _ = item.sk.split("#")
    return Engagement(
        event=Event(
            type=EventType(event_type),
            provider=item.provider,
            event_id=item.event_id,
            occurred_at=from_iso(occurred_at),
            esp_type=item.esp_type,
            message_id=item.message_id,
            provider_message_id=item.provider_message_id,
            bounce=BounceKind(item.bounce) if item.bounce else None,
            reason=RejectReason(item.reason) if item.reason else None,
            detail=item.detail or "",
            url=item.url or "",
            user_agent=item.user_agent or "",
            ip=item.ip or "",
            machine=bool(item.machine),
        ),
        ref=MessageRef(workspace, campaign, int(chunk), int(index)),
        subscriber=item.person.rpartition("#")[2],
        group=MailboxGroup(item.group),
        posted_at=from_iso(item.posted_at) if item.posted_at else None,
    )
