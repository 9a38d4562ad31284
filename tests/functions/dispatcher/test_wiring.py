"""A campaign from its launch to its last outcome: three functions over moto and stub ESPs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from functions.dispatcher import handler as dispatcher
from functions.dispatcher import wiring
from functions.jobs import handler as jobs
from functions.jobs.wiring import services as jobs_services
from functions.scheduler import handler as scheduler
from functions.scheduler.wiring import services as scheduler_services
from shared.access.model import SenderDomain
from shared.audience.consent import ConsentService
from shared.audience.erasure import ErasureService
from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.suppressions.everywhere import EverywhereList
from shared.content.model import Template, TemplateSource
from shared.delivery.model import Campaign, ChunkKey
from shared.delivery.states import CampaignState, RecipientState
from shared.delivery.workspace import FrequencyCap, WorkspaceSettings
from shared.errors import NotFound
from shared.ids import NOBODY, Ids, MessageIds, SubscriberIds, UnsubscribeTokens
from shared.jobs import Job, JobKind, JobState
from shared.mail import Mailbox, MessageKind
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.consents import DynamoConsents
from shared.storage.erasures import DynamoErasures
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.queues import SqsJobQueue
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.settings import DynamoSettings
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.templates import DynamoTemplates
from shared.transport import Transport
from tests.contracts.dialects import DIALECTS, Dialect, Rendered
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import (
    SECRET,
    Context,
    Deployment,
    deployed,
    schedule_event,
    sqs_event,
)
from tests.recording_server import RecordingServer, recording_server

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
IDS = Ids(FakeClock(), seeded_bytes())
WS, NEWS, TEMPLATE = IDS.new("ws"), IDS.new("lst"), IDS.new("tpl")
SOURCE = TemplateSource(
    subject="Hello {{ subscriber.attributes.first_name }}",
    html="<p>{{ subscriber.email }}</p><a href='{{ unsubscribe_url }}'>out</a>",
    text="{{ unsubscribe_url }}",
)
SECRETS = {
    "providers/sendgrid": {"api_key": "SG.made-up"},
    "providers/postmark": {"server_token": "made-up"},
}


class Esps:
    """One stub server per ESP."""

    def __init__(self, servers: dict[str, tuple[Dialect, RecordingServer]]) -> None:
        self.servers = servers

    def providers(self) -> list[dict[str, object]]:
        return [
            {"name": name, "kind": name, "weight": 1, "base_url": server.url}
            | ({} if name == "ses" else {"secret": f"providers/{name}"})
            for name, (_, server) in self.servers.items()
        ]

    def mails(self) -> list[Rendered]:
        return [
            mail
            for dialect, server in self.servers.values()
            for request in server.requests
            for mail in dialect.mails(request)
        ]


@pytest.fixture
def esps() -> Iterator[Esps]:
    with ExitStack() as stack:
        servers = {}
        for dialect in DIALECTS:
            server = stack.enter_context(recording_server())
            server.react = dialect.accept
            servers[dialect.name] = (dialect, server)
        yield Esps(servers)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, esps: Esps) -> Iterator[Deployment]:
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    transports = _transports(monkeypatch)
    reset = Transport(f"http://{host}:{port}", connect_timeout_s=2, read_timeout_s=10)
    reset.post("/moto-api/reset", b"", {})
    caches = (wiring._services, wiring._clients, jobs_services, scheduler_services)
    for cached in caches:
        cached.cache_clear()
    with deployed(
        monkeypatch,
        providers=esps.providers(),
        provider_secrets=SECRETS,
        endpoint_url=f"http://{host}:{port}",
    ) as running:
        yield running
    for cached in caches:
        cached.cache_clear()
    for transport in transports:
        transport.close()
    moto.stop()


def _transports(monkeypatch: pytest.MonkeyPatch) -> list[Transport]:
    """All transports that are made from now on: the functions keep theirs for ever."""
    made: list[Transport] = []
    begin = Transport.__init__

    def noted(self: Transport, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Transport, "__init__", noted)
    return made


def populated(count: int) -> tuple[Campaign, list[Subscriber]]:
    """People on a list, a template, a verified sender, and a campaign that was launched."""
    addresses = [f"p{n}@example.com" for n in range(count)]
    people = [
        Subscriber(
            SubscriberIds(SECRET.encode()).of(WS, address), WS, address, NOW, NOW,
            {NEWS: ListState.SUBSCRIBED}, attributes={"first_name": f"Zoë {address[1:3]}"},
        )
        for address in addresses
    ]  # fmt: skip
    DynamoLists().create(MailingList(NEWS, WS, "News", NOW))
    DynamoSubscribers().put_many(people)
    DynamoMemberships().add(WS, NEWS, [person.id for person in people])
    DynamoTemplates().create(Template(TEMPLATE, WS, "Hello", SOURCE, NOW))
    domain = SenderDomain(IDS.new("dom"), WS, "news.example", "token", NOW)
    DynamoSenderDomains().create(domain)
    DynamoSenderDomains().verify(domain, NOW)
    campaign = Campaign(
        IDS.new("cmp"), WS, "November", Mailbox("a@news.example"), TEMPLATE, (NEWS,), NOW,
        state=CampaignState.PLANNING, template_version=1, launched_at=NOW,
    )  # fmt: skip
    DynamoCampaigns().create(campaign)
    DynamoJobs().create(Job("job_a", WS, JobKind.PLAN_CAMPAIGN, NOW, {"campaign": campaign.id}))
    return campaign, people


def test_a_campaign_goes_out_and_every_outcome_is_recorded(
    deployment: Deployment, esps: Esps, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign, people = populated(40)
    job = json.dumps({"v": 1, "workspace": WS, "job": "job_a"})

    jobs.handler(sqs_event(job, queue="jobs"), Context(300))
    (chunk,) = deployment.receive("bulk")
    answer = dispatcher.handler(sqs_event(chunk), Context(120))
    again = dispatcher.handler(sqs_event(chunk), Context(120))
    scheduler.handler(schedule_event(), Context(55))

    assert answer == again == {"batchItemFailures": []}
    mails = esps.mails()
    assert sorted(mail.to for mail in mails) == sorted(person.address for person in people)
    assert all(server.requests for _, server in esps.servers.values())
    record = DynamoLedger().record(ChunkKey(WS, campaign.id, 0))
    assert record.outcome is not None
    assert record.outcome.in_state(RecipientState.ACCEPTED) == list(range(40))
    assert DynamoCampaigns().get(WS, campaign.id).state is CampaignState.SENT
    by_id = {person.id: person.address for person in people}
    links = UnsubscribeTokens({"k1": SECRET.encode()}, "k1")
    for mail in mails:
        index = MessageIds(SECRET.encode()).parse(mail.message_id).index
        assert by_id[record.plan.subscribers[index]] == mail.to
        url = mail.headers["List-Unsubscribe"].strip("<>")
        assert url == mail.text
        assert by_id[links.parse(url.rpartition("/")[2]).subscriber] == mail.to
    printed = capsys.readouterr()
    for private in ("@", *(mail.message_id for mail in mails)):
        assert private not in printed.out + printed.err


def test_who_is_erased_while_a_campaign_runs_gets_nothing_and_the_sum_stays_right(
    deployment: Deployment, esps: Esps
) -> None:
    campaign, people = populated(5)
    job = json.dumps({"v": 1, "workspace": WS, "job": "job_a"})
    jobs.handler(sqs_event(job, queue="jobs"), Context(300))
    (chunk,) = deployment.receive("bulk")

    erasure = erasures(deployment).by_id(WS, people[2].id, by="api:key_a")
    dispatcher.handler(sqs_event(chunk), Context(120))
    jobs.handler(sqs_event(*deployment.receive("jobs"), queue="jobs"), Context(300))
    scheduler.handler(schedule_event(), Context(55))

    assert DynamoJobs().get(WS, erasure.id).state is JobState.DONE
    mailed = {mail.to for mail in esps.mails()}
    assert mailed == {person.address for person in people} - {people[2].address}
    record = DynamoLedger().record(ChunkKey(WS, campaign.id, 0))
    assert record.outcome is not None
    [hers] = record.outcome.in_state(RecipientState.SKIPPED)
    assert record.plan.subscribers[hers] == NOBODY
    assert len(record.outcome.in_state(RecipientState.ACCEPTED)) == 4
    done = DynamoCampaigns().get(WS, campaign.id)
    assert (done.state, done.recipients) == (CampaignState.SENT, 5)
    with pytest.raises(NotFound):
        DynamoSubscribers().get(WS, people[2].id)


def test_a_frequency_cap_holds_over_campaigns_that_overlap_and_each_skip_is_recorded(
    deployment: Deployment, esps: Esps
) -> None:
    campaign, people = populated(5)
    cap = FrequencyCap(MessageKind.CAMPAIGN, 1, 7)
    DynamoSettings().save(WS, WorkspaceSettings(frequency_cap=(cap,)))
    other = replace(campaign, id=IDS.new("cmp"))
    DynamoCampaigns().create(other)
    DynamoJobs().create(Job("job_b", WS, JobKind.PLAN_CAMPAIGN, NOW, {"campaign": other.id}))
    for job in ("job_a", "job_b"):
        body = json.dumps({"v": 1, "workspace": WS, "job": job})
        jobs.handler(sqs_event(body, queue="jobs"), Context(300))

    dispatcher.handler(sqs_event(*deployment.receive("bulk")), Context(120))

    assert sorted(mail.to for mail in esps.mails()) == sorted(one.address for one in people)
    found = [DynamoLedger().record(ChunkKey(WS, one.id, 0)).outcome for one in (campaign, other)]
    accepted, skipped = 0, 0
    for outcome in found:
        assert outcome is not None
        accepted += len(outcome.in_state(RecipientState.ACCEPTED))
        skipped += len(outcome.in_state(RecipientState.SKIPPED))
        assert outcome.reasons.keys() <= {"frequency_cap"}
    assert (accepted, skipped) == (5, 5)


def erasures(deployment: Deployment) -> ErasureService:
    clock, hashes = FakeClock(NOW + timedelta(days=1)), SubscriberIds(SECRET.encode())
    subscribers, suppressions = DynamoSubscribers(), DynamoSuppressions()
    consent = ConsentService(
        subscribers, DynamoMemberships(), suppressions, clock, DynamoConsents()
    )
    return ErasureService(
        journal=DynamoErasures(),
        subscribers=subscribers,
        consent=consent,
        suppressions=suppressions,
        everywhere=EverywhereList(DynamoKnownAddresses(), suppressions, hashes),
        ids=hashes,
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(boto3.client("sqs"), deployment.queues["jobs"]),
        resource_ids=IDS,
        clock=clock,
    )


@pytest.mark.usefixtures("deployment", "esps")
def test_services_are_kept_for_some_minutes() -> None:
    assert wiring._services(1) is wiring._services(1)
    assert wiring._services(1) is not wiring._services(2)
