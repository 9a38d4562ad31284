"""Consent records in DynamoDB: a partition for each person, and for each import."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange, ConsentRecord
from shared.clock import from_iso, to_iso
from shared.storage.tables import TidepostModel


class ConsentItem(TidepostModel):
    """One record; `doc` is compact JSON of all that the key does not say."""

    TABLE = "consents"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()


class DynamoConsents:
    """`ConsentLog`. A place is an instant and a hash of the record."""

    def append(self, record: ConsentRecord) -> None:
        """As the port says."""
        text = orjson.dumps(_plain(record))
        digest = hashlib.blake2b(text, digest_size=8).hexdigest()
        item = _item(f"{to_iso(record.at)}#{digest}", record)
        item.put(ConsentItem.pk.does_not_exist())

    def of(
        self, workspace: str, subject: str, *, after: str | None = None
    ) -> Iterator[tuple[str, ConsentRecord]]:
        """As the port says; consistent."""
        where = ConsentItem.sk > after if after else None
        for item in ConsentItem.select(_partition(workspace, subject), where):
            yield item.sk, _read(workspace, subject, item)

    def seal(self, place: str, record: ConsentRecord, *, until: datetime) -> None:
        """As the port says: the same item anew, since no function may update one."""
        sealed = replace(record, circumstances=record.circumstances.of_nobody())
        item = _item(place, sealed)
        item.ttl = until
        item.put()


def _partition(workspace: str, subject: str) -> str:
    return f"ws#{workspace}#{subject}"


def _plain(record: ConsentRecord) -> dict[str, Any]:
    told = {name: value for name, value in asdict(record.circumstances).items() if value}
    doc = {
        "change": record.change.value,
        "lists": list(record.lists),
        "detail": record.detail,
        "circumstances": told,
    }
    return {name: value for name, value in doc.items() if value}


def _item(place: str, record: ConsentRecord) -> ConsentItem:
    return ConsentItem(
        _partition(record.workspace, record.subject),
        place,
        doc=orjson.dumps(_plain(record)).decode(),
    )


def _read(workspace: str, subject: str, item: ConsentItem) -> ConsentRecord:
    doc: dict[str, Any] = orjson.loads(item.doc)
    return ConsentRecord(
        workspace=workspace,
        subject=subject,
        at=from_iso(item.sk.partition("#")[0]),
        change=ConsentChange(doc["change"]),
        circumstances=Circumstances(**doc["circumstances"]),
        lists=tuple(doc.get("lists", ())),
        detail=doc.get("detail", ""),
    )
