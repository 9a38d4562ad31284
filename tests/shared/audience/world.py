"""An audience over fakes: one workspace, its services and what they stand on."""

from __future__ import annotations

from shared.audience.addresses import normalise
from shared.audience.consent import ConsentService
from shared.audience.deleting import DeleteSubscriberStep
from shared.audience.import_step import ImportStep
from shared.audience.importing import ImportService
from shared.audience.lists import ListService
from shared.audience.model import Subscriber
from shared.audience.service import SubscriberDraft, SubscriberService
from shared.ids import Ids, SubscriberIds
from shared.jobs import Job, JobState
from tests.fakes import (
    FakeBlobs,
    FakeClock,
    FakeJobQueue,
    FakeJobs,
    FakeLists,
    FakeMemberships,
    FakeSubscribers,
    FakeSuppressions,
    seeded_bytes,
)


class World:
    def __init__(self, *, people_per_step: int = 1000) -> None:
        self.clock = FakeClock()
        self.subscribers = FakeSubscribers()
        self.memberships = FakeMemberships()
        self.suppressions = FakeSuppressions()
        self.list_store = FakeLists()
        self.blobs = FakeBlobs()
        self.jobs = FakeJobs()
        self.queue = FakeJobQueue()
        self.resource_ids = Ids(self.clock, seeded_bytes())
        self.ids = SubscriberIds(b"subscriber id key")
        self.ws = self.resource_ids.new("ws")
        self.lists = ListService(self.list_store, self.resource_ids, self.clock)
        self.consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock
        )
        self.service = SubscriberService(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            lists=self.list_store,
            ids=self.ids,
            clock=self.clock,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
        )
        self.imports = ImportService(
            blobs=self.blobs,
            lists=self.list_store,
            jobs=self.jobs,
            job_queue=self.queue,
            resource_ids=self.resource_ids,
            clock=self.clock,
        )
        self.import_step = ImportStep(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            blobs=self.blobs,
            ids=self.ids,
            clock=self.clock,
            people_per_step=people_per_step,
        )
        self.delete_step = DeleteSubscriberStep(self.subscribers, self.memberships)

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
        body: str,
        *list_ids: str,
        policy: str = "merge",
        content_type: str = "text/csv",
    ) -> Job:
        return self.imports.start(
            self.ws,
            body=body.encode(),
            content_type=content_type,
            list_ids=list_ids,
            policy=policy,
        )

    def run_import(self, job: Job) -> Job:
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(self.import_step.run(job))
        return job

    def import_csv(self, body: str, *list_ids: str, policy: str = "merge") -> Job:
        return self.run_import(self.upload(body, *list_ids, policy=policy))
