"""A small world of fakes in which delivery runs, and a clock that sleeping moves."""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.walking import AudienceWalk
from shared.content.model import Template, TemplateSource
from shared.delivery.assigning import Assigner
from shared.delivery.campaigns import CampaignDraft, CampaignService
from shared.delivery.dispatch import Dispatcher
from shared.delivery.mailbox_groups import MailboxGroups
from shared.delivery.mailing import Mailings
from shared.delivery.messages import MessageService
from shared.delivery.model import Campaign, ChunkKey
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.planning import PlanStep
from shared.delivery.ports import MessageSearch
from shared.delivery.posting import Poster
from shared.delivery.rates import Limits
from shared.delivery.recording import Run
from shared.delivery.release import IN_FLIGHT, Releaser
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules
from shared.delivery.scheduling import Scheduler, Tick
from shared.delivery.searching import DoubtSearch
from shared.delivery.settling import DEADLINE, Settler
from shared.delivery.switches import Switches, SwitchService
from shared.delivery.tokens import Tokens
from shared.delivery.watching import CampaignWatch, ProviderWatch
from shared.ids import TEMPLATE, Ids, MessageIds, SubscriberIds, UnsubscribeTokens
from shared.jobs import Job, JobState
from shared.mail import Capacity, Mailbox
from tests import fakes

DOMAIN = "news.example.com"
SOURCE = TemplateSource(
    subject="Hi {{ subscriber.attributes.first_name|default('you') }}",
    html="<p>Hello {{ subscriber.email }}</p><a href='{{ unsubscribe_url }}'>out</a>",
    text="Hello {{ subscriber.email }}",
)


class World:
    """Everything delivery needs, in memory. `senders` are three fake providers."""

    def __init__(self, limits: dict[str, Limits] | None = None) -> None:
        self.clock = fakes.FakeClock()
        self.ids = Ids(self.clock, fakes.seeded_bytes(7))
        self.workspace = self.ids.new("ws")
        self.subscribers = fakes.FakeSubscribers()
        self.memberships = fakes.FakeMemberships()
        self.suppressions = fakes.FakeSuppressions()
        self.lists = fakes.FakeLists()
        self.segments = fakes.FakeSegments()
        self.snapshots = fakes.FakeSnapshots()
        self.engagement = fakes.FakePersonStates()
        self.walk = AudienceWalk(self.memberships, self.subscribers, self.engagement)
        self.audiences = Audiences(
            lists=self.lists,
            segments=self.segments,
            snapshots=self.snapshots,
            walk=self.walk,
            clock=self.clock,
        )
        self.templates = fakes.FakeTemplates()
        self.blobs = fakes.FakeBlobs()
        self.campaigns = fakes.FakeCampaigns()
        self.ledger = fakes.FakeLedger()
        self.due = fakes.FakeDue()
        self.queue = fakes.FakeChunkQueue()
        self.rates = fakes.FakeRates()
        self.health = fakes.FakeHealth()
        self.rules = DeliveryRules()
        self.jobs = fakes.FakeJobs()
        self.job_queue = fakes.FakeJobQueue()
        self.engagements = fakes.FakeEngagements()
        self.counters = fakes.FakeCounters()
        self.sender_check = fakes.FakeSenderCheck({(self.workspace, DOMAIN)})
        self.message_ids = MessageIds(b"m" * 64)
        self.settle_deadline = DEADLINE
        self.searches: dict[str, MessageSearch] = {}
        self.doubt_search = DoubtSearch(self.searches, self.message_ids, self.clock)
        self.subscriber_ids = SubscriberIds(b"s" * 64)
        self.unsubscribe = UnsubscribeTokens({"k1": b"u" * 64}, "k1")
        self.senders = {
            "sendgrid": fakes.FakeSender("sendgrid", max_batch=1000),
            "ses": fakes.FakeSender("ses", max_batch=50),
            "postmark": fakes.FakeSender("postmark", max_batch=500),
        }
        self.poster = Poster(self.senders, self.clock, self.sleep, InlineExecutor())
        self.mailbox_groups = MailboxGroups(None, fakes.FakeMxStore(), InlineExecutor(), self.clock)
        self.weights = {"sendgrid": 40, "ses": 40, "postmark": 20}
        self.capacities = {name: Capacity() for name in self.senders}
        self.limits = {name: Limits() for name in self.senders} | (limits or {})
        self.list_id = self.ids.new("lst")
        self.lists.create(MailingList(self.list_id, self.workspace, "News", self.clock.now()))
        self.template_id = self.ids.new(TEMPLATE)
        self.templates.create(
            Template(self.template_id, self.workspace, "Hello", SOURCE, self.clock.now())
        )
        self.in_flight = IN_FLIGHT
        self.settings = fakes.FakeSettings()
        self.switches = fakes.FakeSwitches()
        self.switch_service = SwitchService(self.switches, self.clock)
        switches = Switches(self.switches, self.clock)
        self.releaser = Releaser(self.campaigns, self.queue, self.due, switches, self.clock)

    def people(
        self, count: int, domain: str = "gmail.com", *, start: int = 0, **fields: Any
    ) -> list[Subscriber]:
        made = []
        for number in range(start, start + count):
            address = f"p{number}@{domain}"
            person = Subscriber(
                id=self.subscriber_ids.of(self.workspace, address),
                workspace=self.workspace,
                address=address,
                created_at=self.clock.now(),
                updated_at=self.clock.now(),
                lists={self.list_id: ListState.SUBSCRIBED},
            )
            person = replace(person, **fields)
            self.memberships.add(self.workspace, self.list_id, [person.id])
            made.append(self.subscribers.put(person))
        return made

    def service(self) -> CampaignService:
        return CampaignService(
            campaigns=self.campaigns,
            ledger=self.ledger,
            counters=self.counters,
            templates=self.templates,
            audiences=self.audiences,
            settings=self.settings,
            sender_check=self.sender_check,
            jobs=self.jobs,
            job_queue=self.job_queue,
            ids=self.ids,
            clock=self.clock,
        )

    def messages(self) -> MessageService:
        return MessageService(
            ledger=self.ledger,
            queue=self.queue,
            due=self.due,
            engagements=self.engagements,
            templates=self.templates,
            blobs=self.blobs,
            candidates=self.candidates,
            sender_check=self.sender_check,
            message_ids=self.message_ids,
            subscriber_ids=self.subscriber_ids,
            ids=self.ids,
            clock=self.clock,
        )

    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(name, self.weights[name], sender.cannot_take, self.capacities[name])
            for name, sender in self.senders.items()
        )

    def draft(self, **fields: Any) -> CampaignDraft:
        draft = CampaignDraft(
            name="November",
            sender=Mailbox(f"hello@{DOMAIN}", "Acme"),
            template_id=self.template_id,
            list_ids=(self.list_id,),
        )
        return replace(draft, **fields)

    def plan_step(self) -> PlanStep:
        return PlanStep(self.campaigns, self.ledger, self.audiences, self.releaser)

    def run_job(self, job_id: str) -> Job:
        job = self.jobs.get(self.workspace, job_id)
        while job.state not in {JobState.DONE, JobState.FAILED}:
            job = self.jobs.save(self.plan_step().run(job))
        return job

    def launched(self, **fields: Any) -> Campaign:
        """A campaign that is planned and released."""
        campaign = self.service().create(self.workspace, self.draft(**fields))
        self.service().launch(self.workspace, campaign.id)
        self.run_job("job_" + campaign.id.partition("_")[2])
        return self.campaigns.get(self.workspace, campaign.id)

    def monitor(self) -> HealthMonitor:
        return HealthMonitor(self.health, self.clock, random.Random(1))  # noqa: S311  # jitter

    def dispatcher(self) -> Dispatcher:
        tokens = Tokens(self.rates, self.limits, self.clock, self.sleep, random.Random(1))  # noqa: S311  # jitter
        return Dispatcher(
            campaigns=self.campaigns,
            ledger=self.ledger,
            queue=self.queue,
            due=self.due,
            tokens=tokens,
            assigner=Assigner(tokens, self.monitor(), self.rules, self.clock),
            mailings=Mailings(
                templates=self.templates,
                recipients=self.subscribers,
                suppressions=self.suppressions,
                unsubscribe=self.unsubscribe,
                public_url="https://mail.example.com",
                blobs=self.blobs,
            ),
            mailbox_groups=self.mailbox_groups,
            message_ids=self.message_ids,
            sender_check=self.sender_check,
            candidates=self.candidates(),
            poster=self.poster,
            switches=Switches(self.switches, self.clock),
            clock=self.clock,
            new_owner=lambda: "worker-1",
        )

    def scheduler(self) -> Scheduler:
        return Scheduler(
            campaigns=self.campaigns,
            ledger=self.ledger,
            due=self.due,
            queue=self.queue,
            releaser=self.releaser,
            settler=Settler(
                self.ledger,
                self.engagements,
                self.counters,
                self.doubt_search,
                self.clock,
                deadline=self.settle_deadline,
            ),
            jobs=self.jobs,
            job_queue=self.job_queue,
            switches=Switches(self.switches, self.clock),
            campaign_watch=CampaignWatch(
                self.campaigns, self.settings, self.counters, self.job_queue, self.clock
            ),
            provider_watch=ProviderWatch(
                self.rates, self.counters, self.health, tuple(self.senders), self.clock
            ),
            in_flight=self.in_flight,
            clock=self.clock,
        )

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def dispatch(self, key: ChunkKey) -> Run:
        return self.dispatcher().run(key, self.clock.now() + timedelta(seconds=100))

    def drain(self) -> list[Run]:
        """Dispatches what is in the queue, delays skipped by the clock."""
        runs = []
        while self.queue.sent:
            key, delay = self.queue.sent.pop(0)
            self.clock.advance(seconds=delay)
            runs.append(self.dispatch(key))
        return runs

    def tick(self, minutes: float = 1) -> Tick:
        self.clock.advance(minutes=minutes)
        return self.scheduler().tick(self.clock.now() + timedelta(seconds=50))

    def report(self, campaign: Campaign) -> dict[str, Any]:
        return self.service().report(self.workspace, campaign.id)

    def mailed(self) -> list[str]:
        """Every address that any provider was posted, in order, repeats included."""
        return [
            recipient.to.address
            for sender in self.senders.values()
            for batch in sender.batches
            for recipient in batch.recipients
        ]


class InlineExecutor(ThreadPoolExecutor):
    """Runs what it is given at once, in the caller's thread."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
