"""Two workspaces of one deployment, its providers, and all that is done with suppressions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shared.audience.consent import ConsentService
from shared.audience.model import Subscriber, Suppression, SuppressionReason
from shared.audience.rows import FileFormat
from shared.audience.suppressions.entering import Entering
from shared.audience.suppressions.everywhere import Learning
from shared.audience.suppressions.exporting import (
    SuppressionExport,
    SuppressionExports,
    SuppressionExportStep,
)
from shared.audience.suppressions.importing import (
    SuppressionFile,
    SuppressionImports,
    SuppressionImportStep,
)
from shared.audience.suppressions.lifting import LiftStep
from shared.audience.suppressions.ports import EVERYWHERE, KnownAddress, Listed
from shared.audience.suppressions.service import SuppressionService
from shared.audience.suppressions.syncing import SyncService, SyncStep
from shared.jobs import Job, JobKind, JobState, JobStep
from tests.fakes import FakeProviderSuppressions, seeded_bytes
from tests.shared.audience.world import World as People

BOUNCE, COMPLAINT = SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT
MANUAL, ERASURE = SuppressionReason.MANUAL, SuppressionReason.ERASURE
UNSUBSCRIBED = SuppressionReason.UNSUBSCRIBED


class Workspaces:
    def __init__(self, *ids: str) -> None:
        self._ids = sorted(ids)

    def ids(self) -> Iterator[str]:
        yield from self._ids


class World(People):
    """`ws` and `other` are workspaces; `sendgrid` and `ses` are providers."""

    def __init__(self) -> None:
        super().__init__()
        self.other = self.resource_ids.new("ws")
        self.workspaces = Workspaces(self.ws, self.other)
        self.sendgrid, self.ses = FakeProviderSuppressions(), FakeProviderSuppressions()
        self.pauses: list[float] = []
        self.consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock, self.consents
        )
        entering = Entering(self.subscribers, self.suppressions, self.consent)
        self.learning = Learning(
            known=self.known,
            subscribers=self.subscribers,
            suppressions=self.suppressions,
            entering=entering,
            workspaces=self.workspaces,
            ids=self.ids,
        )
        self.list = SuppressionService(
            suppressions=self.suppressions,
            subscribers=self.subscribers,
            consent=self.consent,
            everywhere=self.everywhere,
            jobs=self.jobs,
            job_queue=self.queue,
            ids=self.ids,
            resource_ids=self.resource_ids,
            clock=self.clock,
        )
        self.sync = SyncService(self.jobs, self.queue, self.resource_ids, self.clock)
        accounts = {"sendgrid": lambda: self.sendgrid, "ses": lambda: self.ses}
        self.sync_step = SyncStep(
            accounts=lambda: accounts,
            known=self.known,
            learning=self.learning,
            subscribers=self.subscribers,
            suppressions=self.suppressions,
            consent=self.consent,
            workspaces=self.workspaces,
            sleep=self.pauses.append,
        )
        self.lift_step = LiftStep(
            accounts=lambda: accounts,
            known=self.known,
            suppressions=self.suppressions,
            workspaces=self.workspaces,
            ids=self.ids,
            sleep=self.pauses.append,
        )
        self.file_imports = SuppressionImports(
            blobs=self.blobs,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            clock=self.clock,
            random_bytes=seeded_bytes(11),
        )
        self.file_step = SuppressionImportStep(self.blobs, self.suppressions, entering, self.ids)
        self.list_exports = SuppressionExports(
            blobs=self.blobs,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            clock=self.clock,
            random_bytes=seeded_bytes(12),
        )
        self.list_export_step = SuppressionExportStep(
            self.suppressions, self.subscribers, self.blobs, entries_per_step=2
        )

    def seen(self, address: str, reason: SuppressionReason = BOUNCE, hours: float = 1) -> Listed:
        """What a provider saw so long ago."""
        return Listed(address, reason, self.clock.now() - timedelta(hours=hours))

    def add_to(self, workspace: str, email: str) -> Subscriber:
        """A person there who is on no list."""
        now = self.clock.now()
        one = self.ids.of(workspace, email)
        return self.subscribers.put(Subscriber(one, workspace, email, now, now))

    def entry(self, email: str, workspace: str = "") -> Suppression | None:
        """The address's entry on the list of a workspace, `ws` if none is named."""
        workspace = workspace or self.ws
        return self.suppressions.get(workspace, self.ids.of(workspace, email))

    def known_of(self, email: str) -> KnownAddress | None:
        """What the deployment knows of an address."""
        return self.known.known.get(self.ids.of(EVERYWHERE, email))

    def run_sync(self) -> Job:
        """A whole run."""
        return self.run(self.sync.start(self.ws))

    def run(self, job: Job) -> Job:
        """A job to its end."""
        steps: dict[JobKind, JobStep] = {
            JobKind.SYNC_SUPPRESSIONS: self.sync_step,
            JobKind.LIFT_SUPPRESSION: self.lift_step,
            JobKind.IMPORT_SUPPRESSIONS: self.file_step,
            JobKind.EXPORT_SUPPRESSIONS: self.list_export_step,
        }
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(steps[job.kind].run(job))
        return job

    def import_file(self, content: str, **options: object) -> Job:
        """An import of a file of suppressions, CSV unless `file_format` says otherwise."""
        file = SuppressionFile(**{"file_format": FileFormat.CSV, **options})  # type: ignore[arg-type]  # as named
        opened = self.file_imports.open(self.ws, file)
        key = opened.form.fields["key"]
        self.blobs.put(key, content.encode(), content_type="text/csv")
        return self.run(self.file_imports.begin(self.ws, opened.job.id))

    def export_list(self, wanted: SuppressionExport) -> bytes:
        """An export's file."""
        job = self.run(self.list_exports.start(self.ws, wanted))
        key = self.list_exports.link(job).partition("?")[0]
        return self.blobs.files[key.removeprefix("https://files.example/")]
