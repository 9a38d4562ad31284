"""What bounds sign-ups, in DynamoDB: mails to a person, attempts of a source, time to confirm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.asking import COUNTED_FOR, Asked, Mail
from shared.audience.unconfirmed import Waiting
from shared.clock import from_iso, to_iso
from shared.errors import StaleWrite
from shared.storage.shards import partition, shard_of
from shared.storage.tables import TidepostModel, VersionedModel

_PAGE = 500
"""Notes, in some 60 KB: as many as the daily job takes in a step."""

_ATTEMPTS_KEPT_FOR = timedelta(hours=1)


class AskedItem(VersionedModel):
    """The mails to one person; `mails` is JSON, a list of `[list, at, language]`."""

    TABLE = "signups"

    mails = UnicodeAttribute()


class AttemptsItem(TidepostModel):
    """How many sign-ups a source has made in one minute."""

    TABLE = "signups"

    attempts = NumberAttribute()


class WaitingItem(TidepostModel):
    """That a person was asked about a list; the key says whom and about which."""

    TABLE = "signups"

    until = UnicodeAttribute()


class DynamoAsked:
    """`AskedStore`."""

    def get(self, workspace: str, subscriber_id: str) -> Asked:
        """As the port says."""
        item = AskedItem.find(partition(workspace, shard_of(subscriber_id)), subscriber_id)
        if item is None:
            return Asked(workspace, subscriber_id)
        mails = tuple(
            Mail(list_id, from_iso(at), language)
            for list_id, at, language in orjson.loads(item.mails)
        )
        return Asked(workspace, subscriber_id, mails, int(item.version))

    def save(self, asked: Asked) -> Asked:
        """As the port says; it goes by itself once none of its mails counts any more."""
        saved = replace(asked, version=asked.version + 1)
        mails = [[mail.list_id, to_iso(mail.at), mail.language] for mail in saved.mails]
        item = AskedItem(
            partition(saved.workspace, shard_of(saved.subscriber)),
            saved.subscriber,
            mails=orjson.dumps(mails).decode(),
            version=saved.version,
            ttl=max(mail.at for mail in saved.mails) + COUNTED_FOR,
        )
        if asked.version:
            item.put_over(asked.version)
        elif not item.put(AskedItem.pk.does_not_exist()):
            raise StaleWrite("she was asked by somebody else just now: read it again, then decide")
        return saved


class DynamoAttempts:
    """`AttemptCounter`."""

    def count(self, source: str, minute: datetime) -> int:
        """As the port says; one atomic ADD. The counter goes by itself after an hour."""
        item = AttemptsItem(f"source#{source}", f"minute#{to_iso(minute)[:16]}")
        item.change(
            [AttemptsItem.attempts.add(1), AttemptsItem.ttl.set(minute + _ATTEMPTS_KEPT_FOR)]
        )
        return int(item.attempts)


class DynamoWaiting:
    """`WaitingStore`. A place is `<workspace>#<subscriber>#<list>`."""

    def note(self, waiting: Waiting) -> None:
        """As the port says."""
        _waiting_item(waiting).put()

    def of_shard(self, shard: int, *, after: str | None = None) -> Iterator[tuple[str, Waiting]]:
        """As the port says; consistent."""
        where = WaitingItem.sk > after if after else None
        for item in WaitingItem.select(_waiting_in(shard), where, page_size=_PAGE):
            workspace, subscriber, list_id = item.sk.split("#")
            yield item.sk, Waiting(workspace, subscriber, list_id, from_iso(item.until))

    def forget(self, waiting: Waiting) -> None:
        """As the port says."""
        item = _waiting_item(waiting)
        item.discard(WaitingItem.until == item.until)


def _waiting_in(shard: int) -> str:
    return f"waiting#{shard:02d}"


def _waiting_item(waiting: Waiting) -> WaitingItem:
    return WaitingItem(
        _waiting_in(shard_of(waiting.subscriber)),
        f"{waiting.workspace}#{waiting.subscriber}#{waiting.list_id}",
        until=to_iso(waiting.until),
    )
