"""What a row of a suppression file says, whoever wrote the file.

A column is known by its name, whatever its case and with or without blanks and
underscores: so files of ours, Postmark's dump (`EmailAddress`,
`SuppressionReason`, `CreatedAt`), SendGrid's lists (`email`, `created`),
Mailchimp's cleaned contacts (`Email Address`, `CLEAN_TIME`) and SES's
(`EmailAddress`, `Reason`, `LastUpdateTime`, or its import format
`emailAddress`, `reason`) are read as they come. A mapping takes the place of that.

SendGrid writes a list per reason, and its bounces have the server's answer in
the column `reason`. So what a reason is may be said for the whole file; it then
holds for rows whose own text is none that we know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.audience.addresses import normalise
from shared.audience.import_files import ImportedRow
from shared.audience.import_reading import MappedAddresses, rejection
from shared.audience.model import RowRejection, SuppressionReason
from shared.audience.records import Record
from shared.audience.rows import FileFormat, unreadable
from shared.clock import from_iso, to_iso
from shared.errors import FieldProblem, InvalidInput
from shared.ids import SubscriberIds
from shared.jobs import Job

FIELDS = ("email", "reason", "at")

_COLUMNS = {
    "email": "email",
    "emailaddress": "email",
    "address": "email",
    "reason": "reason",
    "suppressionreason": "reason",
    "at": "at",
    "created": "at",
    "createdat": "at",
    "cleantime": "at",
    "unsubtime": "at",
    "lastupdatetime": "at",
}
_REASONS: Mapping[str, SuppressionReason] = {
    **{reason.value.replace("_", ""): reason for reason in SuppressionReason},
    "bounce": SuppressionReason.HARD_BOUNCE,
    "bounces": SuppressionReason.HARD_BOUNCE,
    "cleaned": SuppressionReason.HARD_BOUNCE,
    "invalid": SuppressionReason.HARD_BOUNCE,
    "spamcomplaint": SuppressionReason.COMPLAINT,
    "spamreport": SuppressionReason.COMPLAINT,
    "unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "manualsuppression": SuppressionReason.MANUAL,
}
_MILLIS_FROM = 10**11
"""Epochs from here on are in milliseconds: as seconds they would be in the year 5138."""


@dataclass(frozen=True, slots=True)
class ImportedSuppression:
    """A row that was found good; no other row of the import has this id."""

    row: int
    id: str
    address: str
    reason: SuppressionReason
    at: datetime

    def to_line(self) -> bytes:
        """One line of JSON."""
        plain = {
            "row": self.row,
            "id": self.id,
            "address": self.address,
            "reason": self.reason.value,
            "at": to_iso(self.at),
        }
        return orjson.dumps(plain) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ImportedSuppression:
        """Reads what `to_line` wrote."""
        plain = orjson.loads(line)
        reason, at = SuppressionReason(plain["reason"]), from_iso(plain["at"])
        return cls(plain["row"], plain["id"], plain["address"], reason, at)


def suppression_rows(ids: SubscriberIds) -> Callable[[Job], SuppressionRows]:
    """For `ImportReading`."""
    return lambda job: SuppressionRows(job, ids)


class SuppressionRows:
    """From a row to an entry of the suppression list."""

    def __init__(self, job: Job, ids: SubscriberIds) -> None:
        self._workspace = job.workspace
        self._mapping: Mapping[str, str] = job.params["mapping"]
        reason = job.params["reason"]
        self._reason = SuppressionReason(reason) if reason else None
        self._latest = job.created_at + timedelta(days=1)
        self._cells = job.params["format"] == FileFormat.CSV
        self._now = job.created_at
        self._ids = ids
        self._mapped = MappedAddresses(job.params)

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """Raises InvalidInput without a column of addresses, or without one that is mapped."""
        missing = [name for name in self._mapping if name not in header]
        if missing:
            raise unreadable(f"has no column {missing[0][:100]!r}, which the mapping names")
        targets = [self._target(name) for name in header]
        keys = [key if key not in targets[:i] else "" for i, key in enumerate(targets)]
        if "email" not in keys:
            raise unreadable("has no column of addresses such as email; name it in the mapping")
        return keys

    def read(self, record: Record) -> ImportedSuppression | RowRejection:
        """The entry, or why not."""
        if isinstance(record.content, RowRejection):
            return record.content
        said: dict[str, Any] = {}
        for name, value in record.content.items():
            target = name if self._cells else self._target(name)
            if target and value is not None:
                said.setdefault(target, value)
        email = said.get("email")
        self._mapped.take(email)
        try:
            address = normalise(email if isinstance(email, str) else "")
            reason = self._read_reason(said.get("reason"))
            at = self._read_time(said.get("at"))
        except InvalidInput as error:
            return rejection(record.number, error)
        one = self._ids.of(self._workspace, address)
        return ImportedSuppression(record.number, one, address, reason, at)

    @property
    def waits(self) -> bool:
        """Never: each row speaks for itself."""
        return False

    @property
    def enough(self) -> bool:
        """Never before the step is full."""
        return False

    @property
    def misfit(self) -> str:
        """Whether the mapping fits."""
        return self._mapped.misfit

    def settled(
        self, found: Sequence[ImportedRow | RowRejection]
    ) -> Sequence[ImportedRow | RowRejection]:
        """As they are."""
        return found

    def _target(self, column: str) -> str:
        if self._mapping:
            return self._mapping.get(column, "")
        return _COLUMNS.get(_plain(column), "")

    def _read_reason(self, value: object) -> SuppressionReason:
        known = _REASONS.get(_plain(value)) if isinstance(value, str) else None
        reason = known or self._reason
        if reason is None:
            raise InvalidInput(
                FieldProblem("reason", "is none that we know; name one for the file")
            )
        if reason is SuppressionReason.ERASURE:
            raise InvalidInput(
                FieldProblem("reason", "cannot be erasure: erase the person instead")
            )
        return reason

    def _read_time(self, value: object) -> datetime:
        """When it happened: an epoch, or RFC 3339, in UTC if it names no zone; blank is now."""
        if value is None or value == "":
            return self._now
        try:
            at = _instant(value)
        except (ValueError, OverflowError, OSError) as error:
            raise InvalidInput(
                FieldProblem("at", "is no time such as 2026-11-24T08:15Z")
            ) from error
        if at > self._latest:
            raise InvalidInput(FieldProblem("at", "is in the future"))
        return at


def _plain(text: str) -> str:
    return text.strip().lower().replace(" ", "").replace("_", "").replace("-", "")


def _instant(value: object) -> datetime:
    text = str(value).strip()
    digits = text.removesuffix(".0")
    if digits.isdecimal():
        epoch = int(digits)
        seconds = epoch / 1000 if epoch >= _MILLIS_FROM else epoch
        return datetime.fromtimestamp(seconds, UTC)
    at = datetime.fromisoformat(text.removesuffix(" UTC"))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
