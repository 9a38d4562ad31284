"""What MX records said, in DynamoDB: one small item a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.mail import MailboxGroup
from shared.storage.tables import TidepostModel

_SORT_KEY = "group"


class MxItem(TidepostModel):
    """The mailbox group of one domain."""

    TABLE = "rates"

    v = NumberAttribute(default=1)
    group = UnicodeAttribute()


class DynamoMx:
    """`MxStore`. A group that this release does not know is as if it were not there."""

    def get(self, domains: Sequence[str]) -> Mapping[str, MailboxGroup]:
        """As the port says, a hundred a call. DynamoDB removes expired items within days."""
        items = MxItem.find_many((_partition(domain), _SORT_KEY) for domain in domains)
        return {
            item.pk.partition("#")[2]: MailboxGroup(item.group)
            for item in items
            if item.group in set(MailboxGroup)
        }

    def put(self, domain: str, group: MailboxGroup, until: datetime) -> None:
        """As the port says. One write unit."""
        MxItem(_partition(domain), _SORT_KEY, group=group.value, ttl=until).put()


def _partition(domain: str) -> str:
    return f"mx#{domain}"
