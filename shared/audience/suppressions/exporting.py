"""Exports of the suppression list: read it all, some at a time, then make one file.

An entry about somebody who was not stored when it was made has no address: then
she is looked up by id. Of an erasure there is none any more, and the row has the id alone.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from shared.audience.cells import csv_lines, neutral
from shared.audience.export_jobs import FileExports, check_raw, folder, target
from shared.audience.export_rows import ExportFormat
from shared.audience.joining import join_step
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.ports import LargeFileStore, SubscriberStore, SuppressionStore
from shared.clock import to_iso
from shared.jobs import Job, JobKind

ENTRIES_PER_STEP = 2000
COLUMNS = ("email", "reason", "at", "source", "id")
_CONTENT_TYPES = {ExportFormat.CSV: "text/csv", ExportFormat.JSONL: "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class SuppressionExport:
    """What is to be exported, and how. `raw` cells of a CSV are not made safe for spreadsheets."""

    file_format: ExportFormat
    reason: SuppressionReason | None = None
    packed: bool = False
    raw: bool = False


class SuppressionExports(FileExports):
    """Starts exports of suppressions and hands out what they made."""

    kind = JobKind.EXPORT_SUPPRESSIONS
    name = "suppressions"
    counted = "entries"

    def start(self, workspace: str, wanted: SuppressionExport) -> Job:
        """Queues an export. Raises InvalidInput if `raw` is asked for what is no CSV."""
        check_raw(wanted.file_format, raw=wanted.raw)
        params = {"raw": wanted.raw, "reason": wanted.reason.value if wanted.reason else ""}
        return self._queue(workspace, wanted.file_format, params, packed=wanted.packed)


class SuppressionExportStep:
    """`JobStep` of `EXPORT_SUPPRESSIONS`. Cursor: `phase`, `page`, `files`, `join`."""

    def __init__(
        self,
        suppressions: SuppressionStore,
        subscribers: SubscriberStore,
        blobs: LargeFileStore,
        entries_per_step: int = ENTRIES_PER_STEP,
    ) -> None:
        self._suppressions = suppressions
        self._subscribers = subscribers
        self._blobs = blobs
        self._entries_per_step = entries_per_step

    def run(self, job: Job) -> Job:
        """The next step."""
        if job.cursor.get("phase") == "join":
            return self._join(job)
        reason = job.params["reason"]
        page = self._suppressions.page(
            job.workspace,
            limit=self._entries_per_step,
            cursor=job.cursor.get("page"),
            reason=SuppressionReason(reason) if reason else None,
        )
        number = job.cursor.get("files", 0)
        entries = with_addresses(self._subscribers, job.workspace, page.items)
        lines = b"".join(map(_line, entries))
        self._blobs.put(_source(job, number), lines, content_type="application/x-ndjson")
        phase = "read" if page.cursor else "join"
        cursor = {"phase": phase, "page": page.cursor, "files": number + 1}
        return job.advanced(
            cursor=cursor, progress={"entries": job.progress["entries"] + len(page.items)}
        )

    def _join(self, job: Job) -> Job:
        cursor, params = job.cursor, job.params
        file_format = ExportFormat(params["format"])

        def render(number: int, lines: bytes) -> bytes:
            content = lines
            if file_format is ExportFormat.CSV:
                content = _csv(lines, header=number == 0, raw=params["raw"])
            return gzip.compress(content, mtime=0) if params["packed"] else content

        joined = join_step(
            self._blobs,
            target(job),
            content_type="application/gzip" if params["packed"] else _CONTENT_TYPES[file_format],
            sources=[_source(job, number) for number in range(cursor["files"])],
            render=render,
            cursor=cursor.get("join", {}),
        )
        return job.advanced(
            cursor={**cursor, "join": joined.cursor}, progress=job.progress, done=joined.done
        )


def with_addresses(
    subscribers: SubscriberStore, workspace: str, entries: Sequence[Suppression]
) -> list[Suppression]:
    """The entries, those without an address with that of the person, if there still is one."""
    lacking = [
        entry.subscriber
        for entry in entries
        if not entry.address and entry.reason is not SuppressionReason.ERASURE
    ]
    people = subscribers.get_many(workspace, lacking) if lacking else {}
    return [
        replace(entry, address=people[entry.subscriber].address)
        if entry.subscriber in people
        else entry
        for entry in entries
    ]


def _line(entry: Suppression) -> bytes:
    plain = {
        "email": entry.address or None,
        "reason": entry.reason.value,
        "at": to_iso(entry.at),
        "source": entry.source,
        "id": entry.subscriber,
    }
    return orjson.dumps(plain) + b"\n"


def _csv(lines: bytes, *, header: bool, raw: bool) -> bytes:
    rows: list[Sequence[object]] = [COLUMNS] if header else []
    for line in lines.splitlines():
        plain = orjson.loads(line)
        cells = [plain[name] or "" for name in COLUMNS]
        rows.append(cells if raw else [neutral(cell) for cell in cells])
    return csv_lines(rows)


def _source(job: Job, number: int) -> str:
    return f"{folder(job)}/entries-{number:06d}"
