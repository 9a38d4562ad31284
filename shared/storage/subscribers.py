"""People in DynamoDB: one item each, spread over the workspace's shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from pynamodb.attributes import UnicodeAttribute

from shared.audience.model import Subscriber
from shared.errors import NotFound, StaleWrite
from shared.paging import Page, cut
from shared.storage.shards import key_of, keys_of, partition, shard_of, shards_from
from shared.storage.tables import VersionedModel


class SubscriberItem(VersionedModel):
    """One person; `doc` is the compact JSON of `Subscriber.to_item`."""

    TABLE = "subscribers"

    doc = UnicodeAttribute()


class DynamoSubscribers:
    """`SubscriberStore`, `RecipientReader` for the dispatcher, `PeopleReader` for segments."""

    def get(self, workspace: str, subscriber_id: str) -> Subscriber:
        """As the port says."""
        key = key_of(workspace, subscriber_id)
        item = SubscriberItem.find(*key) if key else None
        subscriber = _read(item.doc) if item else None
        if subscriber is None or subscriber.deleted:
            raise NotFound("subscriber", subscriber_id)
        return subscriber

    def get_many(self, workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        """As the port says."""
        people = (Subscriber.from_item(doc) for doc in _docs(workspace, ids))
        return {subscriber.id: subscriber for subscriber in people}

    def recipients(
        self, workspace: str, subscriber_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, object]]:
        """As the port says; people marked `deleted` count as erased, unless they moved."""
        return {
            doc["id"]: doc
            for doc in _docs(workspace, subscriber_ids)
            if "deleted" not in doc or "moved_to" in doc
        }

    def of_shard(
        self, workspace: str, shard: int, *, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """As the port says."""
        for item in SubscriberItem.select_raw(partition(workspace, shard), after):
            doc: dict[str, Any] = orjson.loads(item["doc"]["S"])
            if not doc.get("deleted"):
                yield doc

    def of(self, workspace: str, subscriber_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """As the port says."""
        docs = _docs(workspace, subscriber_ids, consistent=False)
        return {doc["id"]: doc for doc in docs if not doc.get("deleted")}

    def put(self, subscriber: Subscriber) -> Subscriber:
        """As the port says."""
        written = replace(subscriber, version=subscriber.version + 1)
        if subscriber.version:
            _item(written).put_over(subscriber.version)
        elif not _item(written).put(SubscriberItem.pk.does_not_exist()):
            raise StaleWrite(f"subscriber {subscriber.id} is there already: read it, then decide")
        return written

    def put_many(self, subscribers: Iterable[Subscriber]) -> None:
        """As the port says; each gets the version after its own, as with `put`."""
        SubscriberItem.put_many(
            _item(replace(subscriber, version=subscriber.version + 1)) for subscriber in subscribers
        )

    def delete(self, workspace: str, subscriber_id: str) -> None:
        """As the port says; deleting one who is gone changes nothing."""
        if key := key_of(workspace, subscriber_id):
            SubscriberItem(*key).discard()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Subscriber]:
        """As the port says; consistent."""
        return cut(_living(workspace, cursor, limit + 1), limit, lambda one: one.id)


def _living(workspace: str, cursor: str | None, page_size: int) -> Iterator[Subscriber]:
    for shard, after in shards_from(cursor):
        where = SubscriberItem.sk > after if after else None
        for item in SubscriberItem.select(partition(workspace, shard), where, page_size=page_size):
            subscriber = _read(item.doc)
            if not subscriber.deleted:
                yield subscriber


def _docs(
    workspace: str, ids: Sequence[str], *, consistent: bool = True
) -> Iterator[dict[str, Any]]:
    keys = keys_of(workspace, ids)
    for item in SubscriberItem.find_many_raw(keys, ("doc",), consistent=consistent):
        yield orjson.loads(item["doc"]["S"])


def _read(doc: str) -> Subscriber:
    return Subscriber.from_item(orjson.loads(doc))


def _item(subscriber: Subscriber) -> SubscriberItem:
    return SubscriberItem(
        partition(subscriber.workspace, shard_of(subscriber.id)),
        subscriber.id,
        doc=orjson.dumps(subscriber.to_item()).decode(),
        version=subscriber.version,
    )
