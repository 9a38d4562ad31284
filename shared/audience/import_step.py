"""The job that imports people: read the whole file, then write person by person, then report.

The cursor's `phase` is `read`, `write` or `report`; each has a module of its
own. Every phase goes on in bounded steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.audience.cells import csv_lines, neutral
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.import_files import ImportFiles, read_rejections
from shared.audience.import_people import people_rows
from shared.audience.import_reading import ROWS_PER_STEP, ImportReading, Rows
from shared.audience.import_writing import ImportWriting, circumstances_of
from shared.audience.joining import join_step
from shared.audience.mail_domains import MailDomains
from shared.audience.model import RowRejection
from shared.audience.ports import (
    LargeFileStore,
    ListStore,
    MembershipStore,
    SubscriberStore,
    SuppressionStore,
)
from shared.audience.settings import AudienceSettingsStore
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.tally import Tally
from shared.clock import Clock
from shared.ids import SubscriberIds
from shared.jobs import Job

PEOPLE_PER_STEP = 1000


class Writing(Protocol):
    """What is done with rows that were found good."""

    def write(self, job: Job, lines: Sequence[bytes], tally: Tally) -> list[RowRejection]:
        """Writes rows, counts each in the tally, and gives those that could not be written.

        Raises:
            StaleWrite: do it again.
        """
        ...


class FileImportStep:
    """Reads, writes and reports whatever the rows are."""

    def __init__(
        self,
        blobs: LargeFileStore,
        rows: Callable[[Job], Rows],
        writing: Writing,
        *,
        people_per_step: int = PEOPLE_PER_STEP,
        rows_per_step: int = ROWS_PER_STEP,
    ) -> None:
        self._blobs = blobs
        self._people_per_step = people_per_step
        self._reading = ImportReading(blobs=blobs, rows=rows, rows_per_step=rows_per_step)
        self._writing = writing

    def run(self, job: Job) -> Job:
        """The next step.

        Raises:
            InvalidInput: the file cannot be read; names byte or row.
            StaleWrite: others kept changing a person; do the step again.
        """
        phase = job.cursor.get("phase", "read")
        if phase == "read":
            return self._read(job)
        return self._write(job) if phase == "write" else self._report(job)

    def _read(self, job: Job) -> Job:
        cursor, tally, ended = self._reading.run(job)
        if not ended:
            size = cursor["size"]
            read = cursor.get("offset", 0) / size if size else 0.0
            return job.advanced(cursor=cursor, progress=tally.progress(read))
        started = {
            "phase": "write",
            "number": 0,
            "offset": 0,
            "people_files": cursor["people_files"],
            "rejected_files": cursor["rejected_files"],
        }
        return self._settled(job, started, tally)

    def _write(self, job: Job) -> Job:
        files = ImportFiles(self._blobs, job)
        cursor, tally = dict(job.cursor), Tally.of(job.progress)
        if cursor["number"] == cursor["offset"] == 0:
            self._begin_writing(job)
        people, offset = files.people(cursor["number"], cursor["offset"], self._people_per_step)
        if not people:
            cursor |= {"number": cursor["number"] + 1, "offset": 0}
            return job.advanced(cursor=cursor, progress=tally.progress())
        rejections = self._writing.write(job, people, tally)
        tally.reject(rejections)
        if rejections:
            files.keep_rejections(cursor["rejected_files"], rejections)
        cursor |= {"offset": offset, "rejected_files": cursor["rejected_files"] + bool(rejections)}
        return self._settled(job, cursor, tally)

    def _begin_writing(self, job: Job) -> None:
        """What is to be kept of the import before the first row is written; may be called again."""

    @staticmethod
    def _settled(job: Job, cursor: dict[str, object], tally: Tally) -> Job:
        """On to the report once every row's outcome is known; without rejections there is none."""
        if tally.settled < tally.rows:
            return job.advanced(cursor=cursor, progress=tally.progress())
        done = not cursor["rejected_files"]
        report = {"phase": "report", "rejected_files": cursor["rejected_files"], "join": {}}
        return job.advanced(cursor=report, progress=tally.progress(), done=done)

    def _report(self, job: Job) -> Job:
        files, number = ImportFiles(self._blobs, job), job.cursor["rejected_files"]
        joined = join_step(
            self._blobs,
            files.report,
            content_type="text/csv",
            sources=[files.rejected(one) for one in range(number)],
            render=_report_part,
            cursor=job.cursor["join"],
        )
        cursor = {**job.cursor, "join": joined.cursor}
        return job.advanced(cursor=cursor, progress=job.progress, done=joined.done)


class ImportStep(FileImportStep):
    """`JobStep` of `IMPORT_SUBSCRIBERS`."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        everywhere: EverywhereList,
        lists: ListStore,
        settings: AudienceSettingsStore,
        blobs: LargeFileStore,
        mail_domains: MailDomains,
        ids: SubscriberIds,
        clock: Clock,
        log: ConsentLog,
        people_per_step: int = PEOPLE_PER_STEP,
        rows_per_step: int = ROWS_PER_STEP,
    ) -> None:
        super().__init__(
            blobs,
            people_rows(lists, settings, ids, mail_domains),
            ImportWriting(
                subscribers, memberships, suppressions, everywhere=everywhere, clock=clock, log=log
            ),
            people_per_step=people_per_step,
            rows_per_step=rows_per_step,
        )
        self._log = log

    def _begin_writing(self, job: Job) -> None:
        if not job.params["dry_run"]:
            self._log.append(_consent_of(job))


def _consent_of(job: Job) -> ConsentRecord:
    """One record for all whom the import adds: one each would cost a write a row."""
    return ConsentRecord(
        job.workspace,
        job.id,
        job.created_at,
        ConsentChange.IMPORTED,
        circumstances_of(job),
        tuple(job.params["lists"]),
        job.params.get("basis", ""),
    )


def _report_part(number: int, lines: bytes) -> bytes:
    header = [("row", "field", "reason")] if number == 0 else []
    rows = [(one.row, neutral(one.field), one.reason) for one in read_rejections(lines)]
    return csv_lines([*header, *rows])
