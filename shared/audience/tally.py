"""What became of an import's rows, in numbers: the job's progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from shared.audience.model import RowRejection


@dataclass(slots=True)
class Tally:
    """Counts of rows; at the end `rows` is the sum of the five after it.

    `kept_unsubscribed` counts those of the first three whom the import left off
    a list, since they had left it themselves or are suppressed. `reasons` counts
    rejected rows by field and reason. The reasons are few, so it stays small.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    kept_unsubscribed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def reject(self, rejections: Sequence[RowRejection]) -> None:
        """Counts rows that were not taken."""
        for rejection in rejections:
            self.rejected += 1
            reason = f"{rejection.field.partition('.')[0]}: {rejection.reason}"
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def settled(self) -> int:
        """Rows whose outcome is known."""
        return self.created + self.updated + self.unchanged + self.duplicates + self.rejected

    def progress(self, read: float = 1.0) -> dict[str, Any]:
        """Plain JSON for `Job.progress`. `read` is the share of the file that was read.

        `percent` is half by that and half by the rows whose outcome is known
        once all are read.
        """
        settled = self.settled / self.rows if self.rows and read >= 1 else 0.0
        return {**asdict(self), "percent": int(50 * min(read, 1.0) + 50 * settled)}

    @classmethod
    def of(cls, progress: Mapping[str, Any]) -> Tally:
        """Reads what `progress` gave; the counts are a copy."""
        counts = {one.name: progress[one.name] for one in fields(cls) if one.name != "reasons"}
        return cls(**counts, reasons=dict(progress["reasons"]))
