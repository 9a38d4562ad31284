"""The journal of erasures in DynamoDB: a partition a month, for all workspaces together.

A table of its own. A restore from backup makes new tables of old ones; this one
is not restored, and so knows what happened since.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.erasure import Erasure
from shared.clock import from_iso, to_iso
from shared.storage.tables import TidepostModel


class ErasureItem(TidepostModel):
    """One erasure: ids, which are keyed hashes, and who asked for it."""

    TABLE = "erasures"

    v = NumberAttribute(default=1)
    subscribers = UnicodeAttribute()
    """JSON, the present id first."""
    by = UnicodeAttribute()


class DynamoErasures:
    """`ErasureJournal`. Instants are kept to the millisecond."""

    def append(self, erasure: Erasure) -> None:
        """As the port says."""
        at = to_iso(erasure.at)
        ErasureItem(
            _partition(at[:7]),
            f"{at}#{erasure.workspace}#{erasure.subscribers[0]}",
            subscribers=orjson.dumps(list(erasure.subscribers)).decode(),
            by=erasure.by,
        ).put(ErasureItem.pk.does_not_exist())

    def since(self, since: datetime, until: datetime) -> Iterator[Erasure]:
        """As the port says; consistent."""
        first, last = to_iso(since), to_iso(until)
        month = first[:7]
        while month <= last[:7]:
            # "$" comes right after "#": all of that very instant is included.
            where = ErasureItem.sk.between(first, f"{last}$")
            for item in ErasureItem.select(_partition(month), where):
                at, workspace, _ = item.sk.split("#")
                ids = tuple(orjson.loads(item.subscribers))
                yield Erasure(workspace, ids, from_iso(at), item.by)
            month = _after(month)


def _partition(month: str) -> str:
    return f"erasures#{month}"


def _after(month: str) -> str:
    begins = from_iso(f"{month}-01T00:00:00Z")
    return to_iso(begins + timedelta(days=32))[:7]
