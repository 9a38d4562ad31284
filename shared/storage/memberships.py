"""The index of who may be on a list, in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from shared.paging import Page, cut
from shared.storage.shards import key_of, keys_of, partition, shards_from
from shared.storage.tables import TidepostModel

_PAGE = 1000
"""Members, in some 80 KB. A planning step wants up to 10,000 of all shards and lists."""


class MembershipItem(TidepostModel):
    """One person on one list; the key says it all."""

    TABLE = "memberships"


class DynamoMemberships:
    """`MembershipStore`, and thereby `AudienceReader`."""

    def add(
        self,
        workspace: str,
        list_id: str,
        subscriber_ids: Iterable[str],
        *,
        until: datetime | None = None,
    ) -> None:
        """As the port says."""
        keys = keys_of(f"{workspace}#{list_id}", subscriber_ids)
        MembershipItem.put_many(MembershipItem(*key, ttl=until) for key in keys)

    def remove(self, workspace: str, list_id: str, subscriber_id: str) -> None:
        """As the port says."""
        if key := key_of(f"{workspace}#{list_id}", subscriber_id):
            MembershipItem(*key).discard()

    def members(
        self,
        workspace: str,
        list_id: str,
        shard: int,
        *,
        after: str | None = None,
        consistent: bool = True,
    ) -> Iterator[str]:
        """As the port says, a page at a time: what is read ahead is billed too."""
        return _members(f"{workspace}#{list_id}", shard, after, _PAGE, consistent=consistent)

    def among(self, workspace: str, list_id: str, subscriber_ids: Sequence[str]) -> set[str]:
        """As the port says."""
        keys = keys_of(f"{workspace}#{list_id}", subscriber_ids)
        found = MembershipItem.find_many_raw(keys, ("sk",), consistent=False)
        return {item["sk"]["S"] for item in found}

    def page(
        self, workspace: str, list_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[str]:
        """As the port says; consistent."""
        members = (
            member
            for shard, after in shards_from(cursor)
            for member in _members(f"{workspace}#{list_id}", shard, after, limit + 1)
        )
        return cut(members, limit, str)


def _members(
    scope: str, shard: int, after: str | None, page_size: int, *, consistent: bool = True
) -> Iterator[str]:
    where = MembershipItem.sk > after if after else None
    pk = partition(scope, shard)
    for item in MembershipItem.select(pk, where, consistent=consistent, page_size=page_size):
        yield item.sk
