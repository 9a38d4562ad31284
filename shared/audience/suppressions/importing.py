"""Imports of suppression files: the same machinery as people's, see `shared.audience.import_step`.

A row's outcome is counted as `created` (new on the list, or a graver reason than
there was), or `unchanged`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.audience.import_jobs import FileImports, OpenedImport
from shared.audience.import_step import FileImportStep
from shared.audience.model import RowRejection, Suppression, SuppressionReason
from shared.audience.ports import LargeFileStore, SuppressionStore
from shared.audience.rows import FileFormat
from shared.audience.suppressions.entering import Entering
from shared.audience.suppressions.file_rows import FIELDS, ImportedSuppression, suppression_rows
from shared.audience.tally import Tally
from shared.errors import FieldProblem, InvalidInput
from shared.ids import SubscriberIds
from shared.jobs import Job, JobKind

MAX_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class SuppressionFile:
    """What the caller says of a file.

    `reason` holds for rows that name none that we know. `mapping` is column to
    `email`, `reason` or `at`; without one columns are known by their names.
    """

    file_format: FileFormat
    reason: SuppressionReason | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


class SuppressionImports(FileImports):
    """Starts imports of suppressions and reports on them."""

    kind = JobKind.IMPORT_SUPPRESSIONS

    def open(self, workspace: str, file: SuppressionFile) -> OpenedImport:
        """Makes the record of an import whose file is yet to be uploaded.

        Raises:
            InvalidInput: names `mapping` or `reason`.
        """
        problems = [*_mapping_problems(file.mapping)]
        if file.reason is SuppressionReason.ERASURE:
            problems.append(FieldProblem("reason", "cannot be erasure: erase the person instead"))
        if problems:
            raise InvalidInput(problems)
        return self._open(
            workspace,
            {
                "format": file.file_format.value,
                "reason": file.reason.value if file.reason else "",
                "mapping": dict(file.mapping),
                "dry_run": file.dry_run,
            },
        )


class SuppressionImportStep(FileImportStep):
    """`JobStep` of `IMPORT_SUPPRESSIONS`."""

    def __init__(
        self,
        blobs: LargeFileStore,
        suppressions: SuppressionStore,
        entering: Entering,
        ids: SubscriberIds,
    ) -> None:
        super().__init__(blobs, suppression_rows(ids), _Writing(suppressions, entering))


class _Writing:
    def __init__(self, suppressions: SuppressionStore, entering: Entering) -> None:
        self._suppressions = suppressions
        self._entering = entering

    def write(self, job: Job, lines: Sequence[bytes], tally: Tally) -> list[RowRejection]:
        """Enters rows. Those that this job wrote, in a step cut short, count as created again."""
        rows = [*map(ImportedSuppression.from_line, lines)]
        source = f"import:{job.id}"
        present = self._suppressions.get_many(job.workspace, [row.id for row in rows])
        mine = sum(entry.source == source for entry in present.values())
        entries = [
            Suppression(job.workspace, row.id, row.reason, row.at, source, row.address)
            for row in rows
        ]
        if job.params["dry_run"]:
            new = [
                entry.subscriber
                for entry in entries
                if (before := present.get(entry.subscriber)) is None
                or entry.reason.covers(before.reason)
            ]
        else:
            new = self._entering.enter(job.workspace, entries)
        created = len(new) + mine
        tally.created += created
        tally.unchanged += len(rows) - created
        return []


def _mapping_problems(mapping: Mapping[str, str]) -> list[FieldProblem]:
    if not mapping:
        return []
    targets = list(mapping.values())
    problems = [
        FieldProblem(f"mapping.{column[:100]}", f"must be one of {', '.join(FIELDS)}, each once")
        for column, target in mapping.items()
        if target not in FIELDS or targets.count(target) > 1
    ]
    if "email" not in targets:
        problems.append(FieldProblem("mapping", "must map one column to email"))
    if len(mapping) > MAX_COLUMNS:
        problems.append(FieldProblem("mapping", f"names more than {MAX_COLUMNS} columns"))
    return problems
