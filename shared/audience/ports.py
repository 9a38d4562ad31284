"""What the audience needs from the outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from shared.audience.model import MailingList, Subscriber, Suppression
from shared.paging import Page

SHARDS = 16
"""Partitions over which a workspace's people, and each list's members, are spread.

The shard of a person is the first of the id's twelve bytes modulo SHARDS, for
people and for memberships of every list alike, so that lists can be merged
shard by shard in the order of ids.
"""


class SubscriberStore(Protocol):
    """Keeps people."""

    def get(self, workspace: str, subscriber_id: str) -> Subscriber:
        """A consistent read. Raises NotFound (also for one that is `deleted`)."""
        ...

    def get_many(self, workspace: str, ids: Sequence[str]) -> dict[str, Subscriber]:
        """Those of `ids` that exist, deleted ones included; consistent."""
        ...

    def put(self, subscriber: Subscriber) -> Subscriber:
        """Writes if `subscriber.version` is the stored one (0: there is none).

        Returns it with the next version.

        Raises:
            StaleWrite: another writer was first.
        """
        ...

    def put_many(self, subscribers: Iterable[Subscriber]) -> None:
        """Writes without a condition, in batches: for imports, which read first."""
        ...

    def delete(self, workspace: str, subscriber_id: str) -> None:
        """Removes the item; only the jobs function is allowed to."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Subscriber]:
        """The workspace's people by shard and id, `deleted` ones left out."""
        ...


class MembershipStore(Protocol):
    """An index of who may be on a list. The truth is `Subscriber.lists`.

    A member is added before the subscriber says so and removed after, so the
    index may name somebody too many and never too few.
    """

    def add(self, workspace: str, list_id: str, subscriber_ids: Iterable[str]) -> None:
        """Adds members, in batches; adding one twice changes nothing."""
        ...

    def remove(self, workspace: str, list_id: str, subscriber_id: str) -> None:
        """Removes a member; removing one who is not there changes nothing."""
        ...

    def members(
        self,
        workspace: str,
        list_id: str,
        shard: int,
        *,
        after: str | None = None,
        consistent: bool = True,
    ) -> Iterator[str]:
        """Subscriber ids of one shard, ascending, beginning after `after`; reads lazily.

        Without `consistent` the reads cost half, and may lack the changes of the last second.
        """
        ...

    def page(
        self, workspace: str, list_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[str]:
        """Members by shard and id."""
        ...


class ListStore(Protocol):
    """Keeps mailing lists."""

    def create(self, mailing_list: MailingList) -> None:
        """Raises AlreadyExists if there is one of that id."""
        ...

    def get(self, workspace: str, list_id: str) -> MailingList:
        """Raises NotFound."""
        ...

    def save(self, mailing_list: MailingList) -> MailingList:
        """Writes under its version. Raises StaleWrite."""
        ...

    def delete(self, workspace: str, list_id: str) -> None:
        """Removes the list; its members stay subscribers. Raises NotFound."""
        ...

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[MailingList]:
        """The workspace's lists, oldest first."""
        ...


class SuppressionStore(Protocol):
    """Keeps the suppression list."""

    def get(self, workspace: str, subscriber_id: str) -> Suppression | None:
        """A consistent read."""
        ...

    def get_many(self, workspace: str, ids: Sequence[str]) -> dict[str, Suppression]:
        """Those of `ids` that are suppressed; consistent."""
        ...

    def put(self, suppression: Suppression) -> None:
        """Adds an entry; a graver reason that is there already stays."""
        ...

    def remove(self, workspace: str, subscriber_id: str) -> None:
        """Removes an entry; removing one that is gone changes nothing."""
        ...


class BlobStore(Protocol):
    """Files of a workspace: uploads and reports (S3)."""

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Writes a file."""
        ...

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """A range of a file, shorter at its end and empty beyond it. Raises NotFound."""
        ...


class AudienceReader(Protocol):
    """Who a campaign is for: what the planner needs of lists."""

    def members(
        self,
        workspace: str,
        list_id: str,
        shard: int,
        *,
        after: str | None = None,
        consistent: bool = True,
    ) -> Iterator[str]:
        """As `MembershipStore.members`."""
        ...
