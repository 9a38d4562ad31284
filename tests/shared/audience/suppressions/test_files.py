"""Files of suppressions, in and out."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime

import pytest

from shared.audience.export_rows import ExportFormat
from shared.audience.model import SuppressionReason
from shared.audience.rows import FileFormat
from shared.audience.suppressions.exporting import SuppressionExport
from shared.audience.suppressions.importing import SuppressionFile
from shared.errors import InvalidInput, NotFound
from shared.jobs import JobState
from tests.shared.audience.suppressions.world import (
    BOUNCE,
    COMPLAINT,
    ERASURE,
    MANUAL,
    UNSUBSCRIBED,
    World,
)

AT = "2025-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (f"email,reason,at\nann@example.com,complaint,{AT}\n", {}, COMPLAINT),
        # Postmark's dump as CSV
        (
            (
                "EmailAddress,SuppressionReason,Origin,CreatedAt\n"
                "ann@example.com,ManualSuppression,Customer,2025-03-01T05:00:00-05:00\n"
            ),
            {},
            MANUAL,
        ),
        # SendGrid: a list a reason, epochs, the server's answer as `reason`
        (
            "status,reason,email,created\n5.1.1,550 no such user,ann@example.com,1740823200\n",
            {"reason": BOUNCE},
            BOUNCE,
        ),
        # Mailchimp's cleaned contacts
        (
            "Email Address,First Name,CLEAN_TIME\nann@example.com,Ann,2025-03-01 10:00:00\n",
            {"reason": BOUNCE},
            BOUNCE,
        ),
        # what `aws sesv2 list-suppressed-destinations` gives, a line each
        (
            (
                '{"EmailAddress": "ann@example.com", "Reason": "BOUNCE", '
                '"LastUpdateTime": "2025-03-01T10:00:00+00:00"}\n'
            ),
            {"file_format": FileFormat.NDJSON},
            BOUNCE,
        ),
        (
            "Mail;Why\n".replace(";", ",") + "ann@example.com,unsubscribe\n",
            {"mapping": {"Mail": "email", "Why": "reason"}},
            UNSUBSCRIBED,
        ),
    ],
)
def test_files_of_others_are_understood(
    content: str, options: dict[str, object], reason: SuppressionReason
) -> None:
    world = World()
    world.add("ann@example.com")
    job = world.import_file(content, **options)
    assert (job.state, job.progress["created"]) == (JobState.DONE, 1), job
    entry = world.entry("ann@example.com")
    assert entry is not None
    assert (entry.reason, entry.source) == (reason, f"import:{job.id}")
    if "mapping" not in options:
        assert entry.at == datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert world.stored("ann@example.com").suppressed is reason


def test_every_row_is_accounted_for() -> None:
    world = World()
    world.list.add(world.ws, emails=["bob@example.com"], subscriber_ids=(), source="api:key_1")
    job = world.import_file(
        "email,reason,at\n"
        f"ann@example.com,bounce,{AT}\n"
        f"Ann@example.com,complaint,{AT}\n"
        f"bob@example.com,unsubscribed,{AT}\n"
        f"nobody,bounce,{AT}\n"
        f"cat@example.com,whatever,{AT}\n"
        f"dan@example.com,erasure,{AT}\n"
        "eve@example.com,bounce,yesterday\n"
        "fay@example.com,bounce,2099-01-01\n"
    )
    progress = job.progress
    assert (progress["rows"], progress["created"], progress["unchanged"]) == (8, 1, 1)
    assert (progress["duplicates"], progress["rejected"]) == (1, 5)
    page = world.file_imports.rejections(world.ws, job.id, limit=9)
    assert [(one.row, one.field) for one in page.items] == [
        (5, "email"), (6, "reason"), (7, "reason"), (8, "at"), (9, "at"),
    ]  # fmt: skip
    assert world.file_imports.report_link(job)
    assert len(world.suppressions.entries) == 2


def test_a_dry_run_counts_the_same_and_changes_nothing() -> None:
    world = World()
    job = world.import_file("email,reason\nann@example.com,bounce\n", dry_run=True)
    assert job.progress["created"] == 1
    assert world.suppressions.entries == {}


def test_a_step_done_again_counts_the_same() -> None:
    world = World()
    content = "email,reason\nann@example.com,bounce\nbob@example.com,bounce\n"
    opened = world.file_imports.open(world.ws, SuppressionFile(FileFormat.CSV))
    world.blobs.put(opened.form.fields["key"], content.encode(), content_type="text/csv")
    job = world.file_step.run(world.file_imports.begin(world.ws, opened.job.id))
    once = world.file_step.run(job)
    again = world.file_step.run(job)
    assert once == again
    assert again.progress["created"] == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"mapping": {"a": "mail"}}, "mapping.a"),
        ({"mapping": {"a": "reason"}}, "mapping"),
        ({"mapping": {"a": "email", "b": "email"}}, "mapping.a"),
        ({"reason": ERASURE}, "reason"),
    ],
)
def test_what_cannot_be_imported_is_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        World().import_file("email\n", **options)
    assert refused.value.problems[0].field == field


@pytest.mark.parametrize(
    ("content", "options"),
    [("name\nann\n", {}), ("email\na@b.example\n", {"mapping": {"mail": "email"}})],
)
def test_a_file_without_the_columns_is_refused(content: str, options: dict[str, object]) -> None:
    world = World()
    with pytest.raises(InvalidInput, match="has no column"):
        world.import_file(content, **options)


def test_json_lines_without_what_is_mapped_are_refused() -> None:
    world = World()
    options: dict[str, object] = {"file_format": FileFormat.NDJSON, "mapping": {"mail": "email"}}
    with pytest.raises(InvalidInput, match="has nothing at 'mail' in its first 2 rows"):
        world.import_file('{"email": "a@b.example"}\n{}\n', **options)


def filled() -> World:
    world = World()
    ann = world.add("ann@example.com")
    world.add("old@example.com")
    world.consent.suppress(world.ws, ann.id, COMPLAINT, source="webhook:ses")
    world.list.add(world.ws, emails=["=1+1@example.com"], subscriber_ids=(), source="api:key_1")
    world.consent.suppress(world.ws, world.id_of("gone@example.com"), ERASURE, source="erasure")
    # As if she had been stored only after the entry was made.
    old = world.consent.suppress(
        world.ws, world.id_of("old@example.com"), BOUNCE, source="webhook:ses"
    )
    world.suppressions.entries[world.ws, old.subscriber] = type(old)(
        world.ws, old.subscriber, BOUNCE, old.at, old.source
    )
    return world


def test_the_list_goes_out_safe_for_spreadsheets() -> None:
    content = filled().export_list(SuppressionExport(ExportFormat.CSV)).decode()
    rows = {row["email"]: row for row in csv.DictReader(io.StringIO(content))}
    assert set(rows) == {"ann@example.com", "'=1+1@example.com", "old@example.com", ""}
    assert rows[""]["reason"] == "erasure"
    assert rows["ann@example.com"]["source"] == "webhook:ses"


def test_what_goes_out_raw_comes_in_again() -> None:
    first = filled()
    content = first.export_list(SuppressionExport(ExportFormat.JSONL, packed=True))
    lines = gzip.decompress(content)
    assert {json.loads(line)["email"] for line in lines.splitlines()} == {
        *("ann@example.com", "=1+1@example.com", "old@example.com"),
        None,
    }
    again = World()
    job = again.import_file(lines.decode(), file_format=FileFormat.NDJSON)
    assert (job.progress["created"], job.progress["rejected"]) == (3, 1)
    assert again.entry("=1+1@example.com") is not None
    raw = first.export_list(SuppressionExport(ExportFormat.CSV, reason=MANUAL, raw=True))
    assert raw.decode().splitlines()[1].startswith("=1+1@example.com,manual,")


def test_other_jobs_are_no_imports_or_exports_of_suppressions() -> None:
    world = World()
    job = world.sync.start(world.ws)
    for get in (world.file_imports.get, world.list_exports.get):
        with pytest.raises(NotFound):
            get(world.ws, job.id)
    with pytest.raises(InvalidInput):
        world.list_exports.start(world.ws, SuppressionExport(ExportFormat.JSONL, raw=True))
    with pytest.raises(NotFound):
        world.sync.get(
            world.ws, world.list_exports.start(world.ws, SuppressionExport(ExportFormat.CSV)).id
        )
