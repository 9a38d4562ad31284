"""The job that exports people: first read them all, some at a time, then make one file.

Reading writes JSON lines in small files, and notes which attributes there are,
since a CSV's header must name them all. Joining renders those files and writes
the result part by part. Both hold one small file at a time, however many people
there are, and read each person once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from shared.audience.export_jobs import folder, target
from shared.audience.export_rows import ExportFormat, Rendering, line_of
from shared.audience.joining import join_step
from shared.audience.model import ListState, Subscriber
from shared.audience.ports import LargeFileStore, SubscriberStore
from shared.audience.segments.model import Chosen, Consent, SourceKind
from shared.audience.segments.walking import AudienceWalk
from shared.errors import FieldProblem, InvalidInput
from shared.jobs import Job

PEOPLE_PER_STEP = 2000
MAX_COLUMNS = 2000
"""Attributes that a CSV can have columns for; Excel ends at 16,384."""

_CONTENT_TYPES = {ExportFormat.CSV: "text/csv", ExportFormat.JSONL: "application/x-ndjson"}


class ExportStep:
    """`JobStep` of `EXPORT_SUBSCRIBERS`. Cursor: `phase`, `place`, `files`, `columns`, `join`."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        walk: AudienceWalk,
        blobs: LargeFileStore,
        people_per_step: int = PEOPLE_PER_STEP,
    ) -> None:
        self._subscribers = subscribers
        self._walk = walk
        self._blobs = blobs
        self._people_per_step = people_per_step

    def run(self, job: Job) -> Job:
        """The next step.

        Raises:
            InvalidInput: the people have more attributes than a CSV has columns.
        """
        if job.cursor.get("phase") == "join":
            return self._join(job)
        people, place = self._some(job, job.cursor.get("place"))
        number = job.cursor.get("files", 0)
        columns = set(job.cursor.get("columns", ()))
        if job.params["format"] == ExportFormat.CSV and not job.params["raw"]:
            columns.update(name for person in people for name in person.attributes)
        if len(columns) > MAX_COLUMNS:
            reason = f"has no room for more than {MAX_COLUMNS} attributes: take jsonl, or raw"
            raise InvalidInput(FieldProblem("format", reason))
        lines = b"".join(map(line_of, people))
        self._blobs.put(_source(job, number), lines, content_type="application/x-ndjson")
        cursor = {
            "phase": "read" if place else "join",
            "place": place,
            "files": number + 1,
            "columns": sorted(columns),
        }
        progress = {"people": job.progress["people"] + len(people)}
        return job.advanced(cursor=cursor, progress=progress)

    def _some(self, job: Job, place: Any) -> tuple[Sequence[Subscriber], Any]:
        """The next people and where to go on; None at the end."""
        limit = self._people_per_step
        if not job.params["source"]:
            page = self._subscribers.page(job.workspace, limit=limit, cursor=place)
            return page.items, page.cursor
        shard, after = place or (0, None)
        params = job.params
        chosen = Chosen(tuple(params["lists"]), tuple(params["rules"]), job.created_at, Consent(()))
        looks = list(
            islice(self._walk.looks(job.workspace, chosen, shard=shard, after=after), limit)
        )
        ids = [subscriber for _, subscriber, belongs in looks if belongs]
        stored = self._subscribers.get_many(job.workspace, ids)
        people = [stored[one] for one in ids if one in stored and not stored[one].deleted]
        if params["source"] == SourceKind.LIST:
            # The index of a list may name somebody too many; the record is the truth.
            on = params["source_id"]
            people = [one for one in people if one.lists.get(on) is ListState.SUBSCRIBED]
        return people, list(looks[-1][:2]) if len(looks) == limit else None

    def _join(self, job: Job) -> Job:
        cursor, params = job.cursor, job.params
        file_format = ExportFormat(params["format"])
        rendering = Rendering(
            file_format, raw=params["raw"], packed=params["packed"], columns=cursor["columns"]
        )
        joined = join_step(
            self._blobs,
            target(job),
            content_type="application/gzip" if params["packed"] else _CONTENT_TYPES[file_format],
            sources=[_source(job, number) for number in range(cursor["files"])],
            render=rendering.part,
            cursor=cursor.get("join", {}),
        )
        return job.advanced(
            cursor={**cursor, "join": joined.cursor}, progress=job.progress, done=joined.done
        )


def _source(job: Job, number: int) -> str:
    return f"{folder(job)}/people-{number:06d}"
