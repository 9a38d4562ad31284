"""The measured process of `imports`: `python -m benchmarks.measure_import '<arguments as JSON>'`.

A process of its own, so that its memory is the import's. The job runs with the
real steps and stores, over a DynamoDB that answers at once and counts what it
would bill, and a bucket that is a folder. What is left out is the wire: HTTP,
TLS and signatures. Needs Linux, which says how much memory a process had.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.units import Item, item_size, read_units, write_units
from shared.audience.import_step import ImportStep
from shared.audience.importing import ImportOptions, ImportService
from shared.audience.mail_domains import MailDomains
from shared.audience.model import MailingList
from shared.audience.ports import UploadForm
from shared.audience.rows import FileFormat
from shared.audience.suppressions.everywhere import EverywhereList
from shared.clock import SystemClock
from shared.errors import NotFound
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobState
from shared.storage import tables
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.consents import DynamoConsents
from shared.storage.dns import DnsMx
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions

KEPT = ("jobs", "workspaces")
"""Tables whose items are kept; of people and memberships each is new."""

_MB = 1024


class CountingTables:
    """What PynamoDB calls of a client: answers at once, and counts units by table."""

    def __init__(self) -> None:
        self.write_units: Counter[str] = Counter()
        self.read_units: Counter[str] = Counter()
        self.largest: Counter[str] = Counter()
        self._kept: dict[tuple[str, str, str], Item] = {}

    def _make_api_call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer = getattr(self, f"_{operation}")(arguments)
        return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _GetItem(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  # AWS's name
        item = self._kept.get(_place(arguments["TableName"], arguments["Key"]))
        return {"Item": item} if item else {}

    def _PutItem(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  # AWS's name
        table, item = arguments["TableName"], arguments["Item"]
        self.write_units[_short(table)] += write_units(self._kept.get(_place(table, item)), item)
        if _short(table) in KEPT:
            self._kept[_place(table, item)] = item
        return {}

    def _BatchGetItem(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  # AWS's name
        for table, wanted in arguments["RequestItems"].items():
            units = read_units(0, consistent=True) * len(wanted["Keys"])
            self.read_units[_short(table)] += int(units)
        return {"Responses": {}, "UnprocessedKeys": {}}

    def _BatchWriteItem(self, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802  # AWS's name
        for table, requests in arguments["RequestItems"].items():
            for one in requests:
                item, name = one["PutRequest"]["Item"], _short(table)
                self.write_units[name] += write_units(None, item)
                self.largest[name] = max(self.largest[name], item_size(item))
        return {"UnprocessedItems": {}}


class FolderBlobs:
    """`LargeFileStore` in a folder; no links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Where a file lies."""
        return self._folder / key.replace("/", "_")

    def put(self, key: str, body: bytes, *, content_type: str) -> None:  # noqa: ARG002  # the port's
        """As the port says."""
        self.path(key).write_bytes(body)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """As the port says."""
        try:
            with self.path(key).open("rb") as file:
                file.seek(start)
                return file.read() if length is None else file.read(length)
        except FileNotFoundError as error:
            raise NotFound("file", key) from error

    def size(self, key: str) -> int:
        """As the port says."""
        return self.path(key).stat().st_size

    def begin(self, key: str, *, content_type: str) -> str:
        """Nothing here is rejected, so there is no report."""
        raise NotImplementedError

    def put_part(self, key: str, writing: str, number: int, body: bytes) -> str:
        """See `begin`."""
        raise NotImplementedError

    def finish(self, key: str, writing: str, tags: Sequence[str]) -> None:
        """See `begin`."""
        raise NotImplementedError

    def upload_form(self, key: str, *, max_bytes: int, valid: timedelta) -> UploadForm:  # noqa: ARG002  # the port's
        """A form that says the key alone."""
        return UploadForm("", {"key": key})

    def download_link(self, key: str, *, name: str, valid: timedelta) -> str:
        """See `begin`."""
        raise NotImplementedError


class _Queue:
    def enqueue(self, workspace: str, job_id: str, *, delay_s: int = 0) -> None:
        """The steps are run by hand."""


def write_file(path: Path, rows: int, attribute_bytes: int) -> None:
    """A packed CSV of people with three attributes of so many bytes together."""
    text = "x" * (attribute_bytes // 3)
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("email,first_name,city,note,tags,locale,time_zone\n")
        for index in range(rows):
            domain = f"host{index % 997}.example"
            file.write(f"person{index}@{domain},{text},{text},{text},vip,de,Europe/Berlin\n")


def measure(rows: int, attribute_bytes: int, folder: Path) -> dict[str, Any]:
    """Imports a file of so many rows onto one list."""
    counting, clock = CountingTables(), SystemClock()
    tables.bind("bench", "us-east-1", client=counting)  # type: ignore[arg-type]  # what is called of it
    ids = Ids(clock, random.Random(1).randbytes)  # noqa: S311  # no secret
    workspace, list_id = ids.new("ws"), ids.new("lst")
    blobs, jobs, lists = FolderBlobs(folder), DynamoJobs(), DynamoLists()
    lists.create(MailingList(list_id, workspace, "News", clock.now()))
    service = ImportService(
        blobs=blobs,
        lists=lists,
        settings=DynamoAudienceSettings(),
        jobs=jobs,
        job_queue=_Queue(),
        resource_ids=ids,
        clock=clock,
        random_bytes=random.Random(2).randbytes,  # noqa: S311  # no secret
    )
    subscriber_ids = SubscriberIds(b"k" * 64)
    step = ImportStep(
        subscribers=DynamoSubscribers(),
        memberships=DynamoMemberships(),
        suppressions=DynamoSuppressions(),
        everywhere=EverywhereList(DynamoKnownAddresses(), DynamoSuppressions(), subscriber_ids),
        lists=lists,
        settings=DynamoAudienceSettings(),
        blobs=blobs,
        mail_domains=MailDomains(DnsMx(()), ThreadPoolExecutor(1)),
        ids=subscriber_ids,
        clock=clock,
        log=DynamoConsents(),
    )
    opened = service.open(workspace, ImportOptions(FileFormat.CSV, list_ids=[list_id]))
    path = blobs.path(opened.form.fields["key"])
    write_file(path, rows, attribute_bytes)
    base_mb = _peak_mb()
    started, cpu = time.monotonic(), time.process_time()
    job: Job = service.begin(workspace, opened.job.id)
    steps = 0
    while job.state is not JobState.DONE:
        job, steps = jobs.save(step.run(job)), steps + 1
    if job.progress["created"] != rows:
        raise RuntimeError(f"of {rows} rows {job.progress['created']} people were made")
    return {
        "rows": rows,
        "seconds": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "base_mb": base_mb,
        "peak_mb": _peak_mb(),
        "steps": steps,
        "packed_bytes": path.stat().st_size,
        "write_units": dict(counting.write_units),
        "read_units": dict(counting.read_units),
        "largest_bytes": dict(counting.largest),
    }


def _place(table: str, item: Mapping[str, Any]) -> tuple[str, str, str]:
    return table, item["pk"]["S"], item["sk"]["S"]


def _short(table: str) -> str:
    return table.removeprefix("bench-")


def _peak_mb() -> float:
    """Of this process alone; what `getrusage` says includes the parent's before it was forked."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / _MB if found else 0.0


def main() -> None:
    """Prints one JSON object."""
    arguments = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(**arguments, folder=Path(folder))))


if __name__ == "__main__":
    main()
