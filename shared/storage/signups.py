"""What bounds sign-ups, in DynamoDB: mails to a person, and attempts of a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.asking import COUNTED_FOR, Asked, Mail
from shared.clock import from_iso, to_iso
from shared.errors import StaleWrite
from shared.storage.shards import partition, shard_of
from shared.storage.tables import TidepostModel, VersionedModel

_ATTEMPTS_KEPT_FOR = timedelta(hours=1)


class AskedItem(VersionedModel):
    """The mails to one person; `mails` is JSON, a list of `[list, at, language]`."""

    TABLE = "signups"

    mails = UnicodeAttribute()


class AttemptsItem(TidepostModel):
    """How many sign-ups a source has made in one minute."""

    TABLE = "signups"

    attempts = NumberAttribute()


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
