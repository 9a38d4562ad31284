"""An audience over fakes: one workspace, its services and what they stand on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.audience.addresses import normalise
from shared.audience.consent import ConsentService
from shared.audience.deleting import DeleteSubscriberStep
from shared.audience.drafts import SubscriberDraft
from shared.audience.export_rows import ExportFormat
from shared.audience.export_step import ExportStep
from shared.audience.exporting import ExportOptions, ExportService
from shared.audience.import_step import ImportStep
from shared.audience.importing import ImportOptions, ImportService
from shared.audience.lists import ListService
from shared.audience.mail_domains import MailDomains
from shared.audience.merging import MergePolicy
from shared.audience.model import Subscriber
from shared.audience.readdressing import AddressChanges
from shared.audience.rows import FileFormat, Product
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import Source
from shared.audience.segments.walking import AudienceWalk
from shared.audience.service import SubscriberService
from shared.audience.suppressions.everywhere import EverywhereList
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobState
from tests.fakes import (
    FakeAudienceSettings,
    FakeBlobs,
    FakeClock,
    FakeConsents,
    FakeJobQueue,
    FakeJobs,
    FakeKnownAddresses,
    FakeLists,
    FakeMemberships,
    FakeMx,
    FakePersonStates,
    FakeSegments,
    FakeSnapshots,
    FakeSubscribers,
    FakeSuppressions,
    seeded_bytes,
)

ONE_BY_ONE = ThreadPoolExecutor(1)


class World:
    def __init__(self, *, people_per_step: int = 1000, rows_per_step: int = 50_000) -> None:
        self.clock = FakeClock()
        self.subscribers = FakeSubscribers()
        self.memberships = FakeMemberships()
        self.suppressions = FakeSuppressions()
        self.consents = FakeConsents()
        self.engagement = FakePersonStates()
        self.list_store = FakeLists()
        self.settings = FakeAudienceSettings()
        self.mx = FakeMx()
        self.segments = FakeSegments()
        self.blobs = FakeBlobs()
        self.jobs = FakeJobs()
        self.queue = FakeJobQueue()
        self.resource_ids = Ids(self.clock, seeded_bytes())
        self.ids = SubscriberIds(b"subscriber id key")
        self.ws = self.resource_ids.new("ws")
        self.lists = ListService(self.list_store, self.resource_ids, self.clock)
        self.consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock, self.consents
        )
        self.known = FakeKnownAddresses()
        self.everywhere = EverywhereList(self.known, self.suppressions, self.ids)
        self.service = SubscriberService(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            lists=self.list_store,
            settings=self.settings,
            mx=self.mx,
            everywhere=self.everywhere,
            ids=self.ids,
            clock=self.clock,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            log=self.consents,
        )
        self.imports = ImportService(
            blobs=self.blobs,
            lists=self.list_store,
            settings=self.settings,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            clock=self.clock,
            random_bytes=seeded_bytes(5),
        )
        self.import_step = ImportStep(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            everywhere=self.everywhere,
            lists=self.list_store,
            settings=self.settings,
            blobs=self.blobs,
            mail_domains=MailDomains(self.mx, ONE_BY_ONE),
            ids=self.ids,
            clock=self.clock,
            log=self.consents,
            people_per_step=people_per_step,
            rows_per_step=rows_per_step,
        )
        self.walk = AudienceWalk(self.memberships, self.subscribers, self.engagement)
        self.exports = ExportService(
            blobs=self.blobs,
            audiences=Audiences(
                lists=self.list_store,
                segments=self.segments,
                snapshots=FakeSnapshots(),
                walk=self.walk,
                clock=self.clock,
            ),
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            clock=self.clock,
            random_bytes=seeded_bytes(6),
        )
        self.export_step = ExportStep(
            subscribers=self.subscribers,
            walk=self.walk,
            blobs=self.blobs,
            people_per_step=people_per_step,
        )
        self.address_changes = AddressChanges(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            engagement=self.engagement,
            settings=self.settings,
            mx=self.mx,
            everywhere=self.everywhere,
            ids=self.ids,
            clock=self.clock,
            log=self.consents,
        )
        self.delete_step = DeleteSubscriberStep(self.subscribers, self.memberships, self.engagement)

    def a_list(self, name: str = "News") -> str:
        return self.lists.create(self.ws, name).id

    def add(self, email: str, *list_ids: str) -> Subscriber:
        return self.service.create(self.ws, SubscriberDraft(email, list_ids))

    def id_of(self, email: str) -> str:
        return self.ids.of(self.ws, normalise(email))

    def stored(self, email: str) -> Subscriber:
        return self.subscribers.people[self.ws, self.id_of(email)]

    def members(self, list_id: str) -> set[str]:
        return self.memberships.lists.get((self.ws, list_id), set())

    def upload(
        self,
        body: str | bytes,
        *list_ids: str,
        policy: str = "merge",
        content_type: str = "text/csv",
        product: str = "plain",
        **options: Any,
    ) -> Job:
        return self.imports.start(
            self.ws,
            ImportOptions(
                FileFormat.of(content_type),
                Product(product),
                list_ids,
                MergePolicy(policy),
                **options,
            ),
            body=body if isinstance(body, bytes) else body.encode(),
        )

    def open_import(self, body: bytes, *list_ids: str, **options: Any) -> Job:
        """An import whose file was put there by the form; begun."""
        options = {"file_format": FileFormat.CSV, **options}
        opened = self.imports.open(self.ws, ImportOptions(list_ids=list_ids, **options))
        self.blobs.put(opened.form.fields["key"], body, content_type="text/csv")
        return self.imports.begin(self.ws, opened.job.id)

    def run_import(self, job: Job) -> Job:
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(self.import_step.run(job))
        return job

    def export(
        self, file_format: str = "jsonl", source: Source | None = None, **options: Any
    ) -> bytes:
        """An export's file, once the job is done."""
        job = self.exports.start(
            self.ws, ExportOptions(ExportFormat(file_format), source, **options)
        )
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(self.export_step.run(job))
        key = self.exports.link(job).partition("?")[0].removeprefix("https://files.example/")
        return self.blobs.files[key]

    def import_csv(self, body: str, *list_ids: str, policy: str = "merge") -> Job:
        return self.run_import(self.upload(body, *list_ids, policy=policy))
