"""What the audience needs from the outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.audience.model import MailingList, Subscriber, Suppression, SuppressionReason
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

    def add(
        self,
        workspace: str,
        list_id: str,
        subscriber_ids: Iterable[str],
        *,
        until: datetime | None = None,
    ) -> None:
        """Adds members, in batches; adding one twice changes nothing.

        `until` is when they are forgotten: a snapshot's members are, a list's are not.
        """
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

    def get_many(
        self, workspace: str, ids: Sequence[str], *, consistent: bool = True
    ) -> dict[str, Suppression]:
        """Those of `ids` that are suppressed; not consistent is half the price."""
        ...

    def put(self, suppression: Suppression) -> None:
        """Adds an entry; a graver reason that is there already stays."""
        ...

    def remove(
        self, workspace: str, subscriber_id: str, *, only: SuppressionReason | None = None
    ) -> bool:
        """Removes an entry; False if it is there with another reason than `only`."""
        ...

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        cursor: str | None = None,
        reason: SuppressionReason | None = None,
        source: str = "",
    ) -> Page[Suppression]:
        """Entries by shard and id. `source` is a whole source or what is before its colon.

        With a filter a page may be short, or empty, and not be the last.
        """
        ...


class BlobStore(Protocol):
    """Files of a workspace: uploads and reports (S3)."""

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Writes a file."""
        ...

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """A range of a file, shorter at its end and empty beyond it. Raises NotFound."""
        ...

    def size(self, key: str) -> int:
        """Bytes of a file. Raises NotFound."""
        ...


class LargeFileStore(BlobStore, Protocol):
    """Files that are too large to hold: written part by part, up- and downloaded by link."""

    def begin(self, key: str, *, content_type: str) -> str:
        """Begins a file of parts; gives the id of the writing. It shows only when finished."""
        ...

    def put_part(self, key: str, writing: str, number: int, body: bytes) -> str:
        """Writes part `number`, from 1 on; gives its tag. Writing one again replaces it.

        All but the last need `MIN_PART_BYTES`, and there may be 10,000.

        Raises:
            NotFound: that writing is finished, or was given up after a day.
        """
        ...

    def finish(self, key: str, writing: str, tags: Sequence[str]) -> None:
        """Makes one file of the parts in their order; finishing again changes nothing."""
        ...

    def upload_form(self, key: str, *, max_bytes: int, valid: timedelta) -> UploadForm:
        """A form by which anybody who holds it can put this one file, of 1 to `max_bytes`."""
        ...

    def download_link(self, key: str, *, name: str, valid: timedelta) -> str:
        """A URL by which anybody who holds it can get this one file, saved as `name`."""
        ...


class FileKeeper(Protocol):
    """What is needed to remove a workspace's files."""

    def keys(self, prefix: str, *, after: str | None = None, limit: int) -> list[str]:
        """The first `limit` keys that begin with `prefix`, in their order, behind `after`."""
        ...

    def delete(self, key: str) -> None:
        """Removes a file; removing one that is gone changes nothing."""
        ...


MIN_PART_BYTES = 5 * 1024 * 1024
"""Amazon S3's "multipart upload limits"."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Send `fields` and then the file, as field `file`, to `url` by POST multipart/form-data."""

    url: str
    fields: Mapping[str, str]


class MxLookup(Protocol):
    """Asks the DNS who takes in a domain's mail."""

    def mx(self, domain: str) -> list[str]:
        """Names of the hosts in lower case, the preferred first; none if nobody takes it.

        A domain without MX records that has an address takes its mail itself
        (RFC 5321, 5.1); one with a null MX takes none (RFC 7505). `domain` is ASCII.

        Raises:
            DependencyUnavailable: no resolver answered within the adapter's time.
            ConfigurationError: there is no resolver.
        """
        ...


class AudienceReader(Protocol):
    """Who a campaign is for: what the planner needs of lists and snapshots."""

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

    def among(self, workspace: str, list_id: str, subscriber_ids: Sequence[str]) -> set[str]:
        """Those of `subscriber_ids` who are members; whoever was just added may lack."""
        ...
