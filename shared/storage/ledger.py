"""The delivery ledger in DynamoDB: three small items a chunk.

An update bills the whole item, so plan (**P**), attempt (**A**) and outcome
(**R**) stay apart. Attribute names are short and bytes are compressed where
that helps, so that at 500 recipients P is six write units and A and R are one
each, which is 1 KB. R is not under the chunk's prefix, so that the outcomes of a campaign
can be read without its plans.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from pynamodb.attributes import Attribute, BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.constants import BINARY, STRING
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from shared.clock import Clock, SystemClock, from_iso, to_iso
from shared.delivery.model import Attempt, ChunkKey, ChunkOutcome, ChunkPlan, ChunkRecord
from shared.errors import NotFound, StaleWrite
from shared.ids import NOBODY, SUBSCRIBER, TRANSACTIONAL_CHUNK, to_bytes
from shared.storage.tables import TidepostModel

_KEPT_FOR = timedelta(days=60)
"""Attempts and outcome of a message: longer than its plan, without which they say nothing."""

PARTITIONS = 8
"""Over which the chunks of a campaign are spread, so that none is hot."""


class _Json(Attribute[Any]):
    """Plain JSON as compact text."""

    attr_type = STRING

    def serialize(self, value: Any) -> str:
        return orjson.dumps(value).decode()

    def deserialize(self, value: str) -> Any:
        return orjson.loads(value)


class _Squeezed(Attribute[bytes]):
    """Bytes behind a mark: 0 as they are, 1 compressed because that is shorter."""

    attr_type = BINARY

    def serialize(self, value: bytes) -> bytes:
        packed = zlib.compress(value)
        return b"\1" + packed if len(packed) < len(value) else b"\0" + value

    def deserialize(self, value: bytes) -> bytes:
        return zlib.decompress(value[1:]) if value[0] else value[1:]


class ByPerson(GlobalSecondaryIndex["PlanItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """Transactional messages by whom they are to; no other item has `person`."""

    class Meta:
        """Names the index."""

        index_name = "by_person"
        projection = KeysOnlyProjection()

    person = UnicodeAttribute(hash_key=True)
    pk = UnicodeAttribute(range_key=True)


class PlanItem(TidepostModel):
    """**P**: whom the chunk is for; twelve bytes each. `person` is of a message's recipient."""

    TABLE = "ledger"

    v = NumberAttribute(default=1)
    person = UnicodeAttribute(null=True)
    by_person = ByPerson()
    ids = BinaryAttribute(legacy_encoding=False, attr_name="i")
    resume = _Json(attr_name="r")
    message = _Json(attr_name="m", null=True)


class AttemptItem(TidepostModel):
    """**A**: who was to send what, and until when nobody else may."""

    TABLE = "ledger"

    v = NumberAttribute(default=1)
    owner = UnicodeAttribute(attr_name="o")
    lease_until = UnicodeAttribute(attr_name="l")
    providers = _Json(attr_name="p")
    assigned = _Squeezed(attr_name="a")
    groups = _Squeezed(attr_name="g")
    posted_at = _Json(attr_name="t", null=True)
    routing = _Json(attr_name="w")


class OutcomeItem(TidepostModel):
    """**R**: a byte a recipient, reasons and counts."""

    TABLE = "ledger"

    v = NumberAttribute(default=1)
    states = _Squeezed(attr_name="s")
    reasons = _Json(attr_name="w")
    counts = _Json(attr_name="c")
    attempt = NumberAttribute(attr_name="a")
    not_before = UnicodeAttribute(attr_name="b", null=True)
    version = NumberAttribute(attr_name="n")


class _ChunkItem(TidepostModel):
    """Reads P and A, which stand together, from one query."""

    TABLE = "ledger"

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> TidepostModel:  # type: ignore[override]  # by sk
        """The plan or the attempt."""
        kind = PlanItem if data["sk"]["S"].endswith("#P") else AttemptItem
        return kind.from_raw_data(data)


class DynamoLedger:
    """`LedgerStore`. The plan of a transactional message expires, and later what is about it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def put_plan(self, plan: ChunkPlan) -> ChunkPlan:
        """As the port says."""
        item = _plan_item(plan)
        if item.put(PlanItem.pk.does_not_exist()):
            return plan
        stored = PlanItem.find(item.pk, item.sk)
        if stored is None:
            raise NotFound("chunk", f"{plan.key.campaign}/{plan.key.chunk}")
        return _plan(plan.key, stored)

    def plan(self, key: ChunkKey) -> ChunkPlan | None:
        """As the port says."""
        item = PlanItem.find(_partition(key), f"{_prefix(key)}P")
        return _plan(key, item) if item else None

    def replace_plan(self, before: ChunkPlan, after: ChunkPlan) -> None:
        """As the port says."""
        known = _plan_item(before)
        unchanged = PlanItem.ids == known.ids
        if known.message is not None:
            unchanged &= PlanItem.message == known.message
        if not _plan_item(after).put(unchanged):
            raise StaleWrite(
                f"somebody else changed the plan of chunk {before.key.chunk} of"
                f" {before.key.campaign} first: read it again, then decide"
            )

    def messages_to(self, workspace: str, subscriber: str) -> Iterator[ChunkKey]:
        """As the port says."""
        for item in PlanItem.select(f"ws#{workspace}#{subscriber}", index="by_person"):
            yield ChunkKey(workspace, item.pk.split("#")[2], int(item.sk.split("#")[1]))

    def record(self, key: ChunkKey) -> ChunkRecord:
        """As the port says: one query for plan and attempts, one read of the outcome.

        The outcome is read last: it is never older than the attempts beside it.
        """
        where = _ChunkItem.sk.startswith(_prefix(key))
        items: list[TidepostModel] = list(_ChunkItem.select(_partition(key), where))
        plan = next((item for item in items if isinstance(item, PlanItem)), None)
        if plan is None:
            raise NotFound("chunk", f"{key.campaign}/{key.chunk}")
        attempts = tuple(_attempt(key, item) for item in items if isinstance(item, AttemptItem))
        outcome = OutcomeItem.find(_partition(key), f"R#{key.chunk:010d}")
        return ChunkRecord(_plan(key, plan), attempts, _outcome(key, outcome) if outcome else None)

    def attempts(self, key: ChunkKey) -> tuple[Attempt, ...]:
        """As the port says."""
        where = AttemptItem.sk.startswith(f"{_prefix(key)}A#")
        items = AttemptItem.select(_partition(key), where, consistent=False)
        return tuple(_attempt(key, item) for item in items)

    def begin(self, attempt: Attempt) -> bool:
        """As the port says.

        A write that was repeated because its answer got lost finds itself there.
        """
        item = AttemptItem(
            _partition(attempt.key),
            f"{_prefix(attempt.key)}A#{attempt.number:04d}",
            owner=attempt.owner,
            lease_until=to_iso(attempt.lease_until),
            providers=list(attempt.providers),
            assigned=attempt.assigned,
            groups=attempt.groups,
            posted_at=list(map(to_iso, attempt.posted_at)),
            routing=dict(attempt.routing),
            ttl=self._expiry(attempt.key),
        )
        if item.put(AttemptItem.pk.does_not_exist()):
            return True
        stored = AttemptItem.find(item.pk, item.sk)
        return stored is not None and stored.owner == attempt.owner

    def save_outcome(self, outcome: ChunkOutcome) -> ChunkOutcome:
        """As the port says; here too a repeated write may find itself there."""
        saved = replace(outcome, version=outcome.version + 1)
        item = OutcomeItem(
            _partition(saved.key),
            f"R#{saved.key.chunk:010d}",
            states=saved.states,
            reasons={code: list(indexes) for code, indexes in saved.reasons.items()},
            counts=dict(saved.counts),
            attempt=saved.attempt,
            not_before=to_iso(saved.not_before) if saved.not_before else None,
            version=saved.version,
            ttl=self._expiry(saved.key),
        )
        unchanged = (
            OutcomeItem.version == outcome.version
            if outcome.version
            else OutcomeItem.pk.does_not_exist()
        )
        if not item.put(unchanged):
            stored = OutcomeItem.find(item.pk, item.sk)
            if stored is not None and _outcome(saved.key, stored) == saved:
                return saved
            raise StaleWrite(
                f"somebody else settled chunk {outcome.key.chunk} of {outcome.key.campaign} first:"
                " read it again, then decide"
            )
        return saved

    def outcomes(self, workspace: str, campaign_id: str) -> Iterator[ChunkOutcome]:
        """As the port says; lazily, partition by partition. Consistent."""
        for number in range(PARTITIONS):
            pk = f"ws#{workspace}#{campaign_id}#{number}"
            for item in OutcomeItem.select(pk, OutcomeItem.sk.startswith("R#")):
                yield _outcome(ChunkKey(workspace, campaign_id, int(item.sk[2:])), item)

    def outcomes_of(
        self, workspace: str, campaign_id: str, chunks: Sequence[int]
    ) -> Mapping[int, ChunkOutcome]:
        """As the port says, a hundred a call."""
        keys = [ChunkKey(workspace, campaign_id, number) for number in chunks]
        items = OutcomeItem.find_many((_partition(key), f"R#{key.chunk:010d}") for key in keys)
        numbered = ((int(item.sk[2:]), item) for item in items)
        return {n: _outcome(ChunkKey(workspace, campaign_id, n), item) for n, item in numbered}

    def _expiry(self, key: ChunkKey) -> datetime | None:
        return self._clock.now() + _KEPT_FOR if key.chunk == TRANSACTIONAL_CHUNK else None


def _partition(key: ChunkKey) -> str:
    return f"ws#{key.workspace}#{key.campaign}#{key.chunk % PARTITIONS}"


def _prefix(key: ChunkKey) -> str:
    return f"C#{key.chunk:010d}#"


def _plan_item(plan: ChunkPlan) -> PlanItem:
    to_somebody = plan.message is not None and plan.subscribers[0] != NOBODY
    return PlanItem(
        _partition(plan.key),
        f"{_prefix(plan.key)}P",
        ids=b"".join(map(to_bytes, plan.subscribers)),
        resume=dict(plan.resume),
        message=None if plan.message is None else dict(plan.message),
        person=f"ws#{plan.key.workspace}#{plan.subscribers[0]}" if to_somebody else None,
        ttl=plan.expires_at,
    )


def _plan(key: ChunkKey, item: PlanItem) -> ChunkPlan:
    return ChunkPlan(key, subscriber_ids(item.ids), item.resume, item.message, item.ttl)


def _attempt(key: ChunkKey, item: AttemptItem) -> Attempt:
    return Attempt(
        key=key,
        number=int(item.sk[-4:]),
        owner=item.owner,
        lease_until=from_iso(item.lease_until),
        providers=tuple(item.providers),
        assigned=item.assigned,
        groups=item.groups,
        posted_at=tuple(map(from_iso, item.posted_at or ())),
        routing=item.routing,
    )


def _outcome(key: ChunkKey, item: OutcomeItem) -> ChunkOutcome:
    reasons: Mapping[str, list[int]] = item.reasons
    return ChunkOutcome(
        key=key,
        states=item.states,
        attempt=int(item.attempt),
        reasons={code: tuple(indexes) for code, indexes in reasons.items()},
        counts=item.counts,
        not_before=from_iso(item.not_before) if item.not_before else None,
        version=int(item.version),
    )


_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_PACKED = struct.Struct(">QI")


def subscriber_ids(packed: bytes) -> tuple[str, ...]:
    """Packed ids as `shared.ids.to_text` writes them, without a function call for each.

    The twelve bytes are a number of 96 bits: nine times ten of them, and six.
    """
    p = _PAIRS
    return tuple(
        [
            f"{SUBSCRIBER}_{p[a >> 54]}{p[a >> 44 & 1023]}{p[a >> 34 & 1023]}{p[a >> 24 & 1023]}"
            f"{p[a >> 14 & 1023]}{p[a >> 4 & 1023]}{p[(a << 6 | b >> 26) & 1023]}"
            f"{p[b >> 16 & 1023]}{p[b >> 6 & 1023]}{p[b << 4 & 1023]}"
            for a, b in _PACKED.iter_unpack(packed)
        ]
    )
