"""Builds the API from the function's environment, once per container."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

from functions.api.app import Api
from functions.api.services import Services
from shared.access.audit import AuditTrail
from shared.access.domains import SenderDomainService
from shared.access.keys import ApiKeyService
from shared.access.senders import SenderBinding
from shared.audience.address_check import AddressService
from shared.audience.consent import ConsentService
from shared.audience.consents import Consents
from shared.audience.erasure import ErasureService
from shared.audience.exporting import ExportService
from shared.audience.importing import ImportService
from shared.audience.lists import ListService
from shared.audience.opt_in import OptInService
from shared.audience.page_settings import PageSettingsService
from shared.audience.readdressing import AddressChanges
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.service import SegmentService
from shared.audience.segments.snapshots import SnapshotService
from shared.audience.segments.walking import AudienceWalk
from shared.audience.service import SubscriberService
from shared.audience.settings import AudienceSettingsService
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.suppressions.exporting import SuppressionExports
from shared.audience.suppressions.importing import SuppressionImports
from shared.audience.suppressions.service import SuppressionService
from shared.audience.suppressions.syncing import SyncService
from shared.audience.texts import read_languages
from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.content.service import TemplateService
from shared.delivery.assigning import Assigner
from shared.delivery.bands import Bands
from shared.delivery.campaigns import CampaignService
from shared.delivery.confirmation_mail import ConfirmationMails
from shared.delivery.explaining import Routes, RoutingService
from shared.delivery.messages import MessageService
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.personal_data import PersonalData
from shared.delivery.recipients import RecipientListing
from shared.delivery.retrying import RetryService
from shared.delivery.settings import SettingsService
from shared.delivery.settling_by_hand import HandSettler
from shared.delivery.switches import SwitchService
from shared.delivery.tokens import Tokens
from shared.ids import Ids, LinkKeys, MessageIds, SubscriberIds
from shared.providers.registry import candidates
from shared.retention import CachedRetention, RetentionService
from shared.storage import tables
from shared.storage.api_keys import DynamoApiKeys
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.audit import DynamoAuditLog
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.clients import Clients
from shared.storage.consents import DynamoConsents
from shared.storage.counters import DynamoCounters
from shared.storage.dns import DnsMx, DnsTxt
from shared.storage.due import DynamoDue
from shared.storage.engagements import DynamoEngagements
from shared.storage.erasures import DynamoErasures
from shared.storage.health import DynamoHealth
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.page_settings import DynamoPageSettings
from shared.storage.parameters import ParameterReader
from shared.storage.person_states import DynamoPersonStates
from shared.storage.queues import SqsChunkQueue, SqsJobQueue
from shared.storage.rates import DynamoRates
from shared.storage.retention import DynamoRetention
from shared.storage.segments import DynamoSegments, DynamoSnapshots
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.settings import DynamoSettings
from shared.storage.signups import DynamoAsked, DynamoWaiting
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.switches import DynamoSwitches
from shared.storage.templates import DynamoTemplates


@cache
def logger() -> Logger:
    """The function's logger."""
    return Logger(service="api")


@cache
def api() -> Api:
    """The API of this deployment; what fails is tried again by the next request.

    Raises:
        ConfigurationError: environment, parameters or secrets are not as they must be.
        DependencyUnavailable: they could not be read.
    """
    settings = Settings.from_env(os.environ)
    metrics = Metrics(namespace="Tidepost", service="api")
    return Api(_services(settings, Clients(settings)), logger(), metrics)


def _services(settings: Settings, clients: Clients) -> Services:
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    clock = SystemClock()
    ids = Ids(clock, os.urandom)
    subscriber_ids = SubscriberIds(parameters.subscriber_id_key())
    message_ids = MessageIds(parameters.message_id_key())
    lists, memberships, templates = DynamoLists(), DynamoMemberships(), DynamoTemplates()
    segments, snapshots = DynamoSegments(), DynamoSnapshots()
    walk = AudienceWalk(memberships, DynamoSubscribers(), DynamoPersonStates())
    audiences = Audiences(
        lists=lists, segments=segments, snapshots=snapshots, walk=walk, clock=clock
    )
    ledger, engagements, jobs = DynamoLedger(), DynamoEngagements(), DynamoJobs()
    job_queue = SqsJobQueue(clients.sqs, settings.jobs_queue_url)
    blobs = S3Blobs(clients.s3, settings.files_bucket)
    sender_domains, workspace_settings = DynamoSenderDomains(), DynamoSettings()
    audience_settings, page_settings = DynamoAudienceSettings(), DynamoPageSettings()
    deployment = parameters.deployment()
    mx = DnsMx(deployment.dns_servers)
    suppressions = DynamoSuppressions()
    everywhere = EverywhereList(DynamoKnownAddresses(), suppressions, subscriber_ids)
    senders = SenderBinding(sender_domains)
    log, kept = DynamoConsents(), CachedRetention(DynamoRetention(), clock).of
    domains = SenderDomainService(
        sender_domains,
        DnsTxt(deployment.dns_servers),
        ids,
        clock,
        os.urandom,
    )
    people = SubscriberService(
        subscribers=DynamoSubscribers(),
        memberships=memberships,
        suppressions=suppressions,
        lists=lists,
        settings=audience_settings,
        mx=mx,
        everywhere=everywhere,
        ids=subscriber_ids,
        clock=clock,
        jobs=jobs,
        job_queue=job_queue,
        resource_ids=ids,
        log=log,
    )
    messages = MessageService(
        ledger=ledger,
        queue=SqsChunkQueue(clients.sqs, settings.bulk_queue_url, settings.transactional_queue_url),
        due=DynamoDue(),
        engagements=engagements,
        templates=templates,
        blobs=blobs,
        candidates=lambda: candidates(parameters.providers()),
        sender_check=senders,
        message_ids=message_ids,
        subscriber_ids=subscriber_ids,
        ids=ids,
        clock=clock,
        kept=kept,
    )
    languages = read_languages()
    consent = ConsentService(DynamoSubscribers(), memberships, suppressions, clock, log)
    return Services(
        stage=settings.stage,
        clock=clock,
        audit=AuditTrail(DynamoAuditLog(), ids, clock, kept),
        keys=ApiKeyService(DynamoApiKeys(), ids, clock, os.urandom),
        domains=domains,
        subscribers=people,
        address_changes=AddressChanges(
            subscribers=DynamoSubscribers(),
            memberships=memberships,
            suppressions=suppressions,
            engagement=DynamoPersonStates(),
            settings=audience_settings,
            mx=mx,
            everywhere=everywhere,
            ids=subscriber_ids,
            clock=clock,
            log=log,
        ),
        consents=Consents(log),
        personal_data=PersonalData(
            consents=Consents(log),
            suppressions=DynamoSuppressions(),
            engagement=DynamoPersonStates(),
            snapshots=snapshots,
            members=memberships,
            engagements=engagements,
            ledger=ledger,
            message_ids=message_ids,
            blobs=blobs,
            clock=clock,
            random_bytes=os.urandom,
        ),
        erasures=ErasureService(
            journal=DynamoErasures(),
            subscribers=DynamoSubscribers(),
            consent=consent,
            suppressions=suppressions,
            everywhere=everywhere,
            ids=subscriber_ids,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=ids,
            clock=clock,
        ),
        suppressions=SuppressionService(
            suppressions=suppressions,
            subscribers=DynamoSubscribers(),
            consent=consent,
            everywhere=everywhere,
            jobs=jobs,
            job_queue=job_queue,
            ids=subscriber_ids,
            resource_ids=ids,
            clock=clock,
        ),
        suppression_imports=SuppressionImports(
            blobs=blobs,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=ids,
            clock=clock,
            random_bytes=os.urandom,
        ),
        suppression_exports=SuppressionExports(
            blobs=blobs,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=ids,
            clock=clock,
            random_bytes=os.urandom,
        ),
        suppression_sync=SyncService(jobs, job_queue, ids, clock),
        addresses=AddressService(audience_settings, mx),
        audience_settings=AudienceSettingsService(audience_settings),
        lists=ListService(lists, ids, clock),
        opt_in=OptInService(
            people=people,
            consent=consent,
            lists=lists,
            asked=DynamoAsked(),
            waiting=DynamoWaiting(),
            kept=kept,
            pages=page_settings,
            mailer=ConfirmationMails(messages, languages),
            keys=LinkKeys(*parameters.link_keys()),
            languages=languages,
            public_url=deployment.public_url,
            clock=clock,
        ),
        page_settings=PageSettingsService(page_settings, languages),
        segments=SegmentService(segments=segments, lists=lists, walk=walk, ids=ids, clock=clock),
        snapshots=SnapshotService(
            segments=segments,
            snapshots=snapshots,
            jobs=jobs,
            job_queue=job_queue,
            ids=ids,
            clock=clock,
        ),
        imports=ImportService(
            blobs=blobs,
            lists=lists,
            settings=audience_settings,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=ids,
            clock=clock,
            random_bytes=os.urandom,
        ),
        exports=ExportService(
            blobs=blobs,
            audiences=audiences,
            jobs=jobs,
            job_queue=job_queue,
            resource_ids=ids,
            clock=clock,
            random_bytes=os.urandom,
        ),
        jobs=jobs,
        templates=TemplateService(templates, ids, clock),
        campaigns=CampaignService(
            campaigns=DynamoCampaigns(),
            ledger=ledger,
            counters=DynamoCounters(),
            templates=templates,
            audiences=audiences,
            settings=workspace_settings,
            sender_check=senders,
            jobs=jobs,
            job_queue=job_queue,
            ids=ids,
            clock=clock,
        ),
        recipients=RecipientListing(DynamoCampaigns(), ledger, message_ids),
        retries=RetryService(
            campaigns=DynamoCampaigns(),
            ledger=ledger,
            sender_check=senders,
            jobs=jobs,
            job_queue=job_queue,
            ids=ids,
            clock=clock,
        ),
        hand_settler=HandSettler(ledger, message_ids),
        settings=SettingsService(workspace_settings),
        switches=SwitchService(DynamoSwitches(), clock),
        retention=RetentionService(DynamoRetention()),
        routing=RoutingService(_routes(parameters, clock), subscriber_ids, clock),
        messages=messages,
        engagements=engagements,
        message_ids=message_ids,
        answers=_answers(settings, clients),
    )


def _routes(parameters: ParameterReader, clock: Clock) -> Callable[[], Routes]:
    jitter = random.Random()  # noqa: S311  # nothing is booked here
    monitor = HealthMonitor(DynamoHealth(), clock, jitter)

    def routes() -> Routes:
        providers = parameters.providers()
        limits = {provider.name: provider.limits.as_limits() for provider in providers.providers}
        tokens = Tokens(DynamoRates(), limits, clock, time.sleep, jitter)
        rules = parameters.delivery_rules(providers)
        bands = Bands(DynamoPersonStates(), rules, clock)
        return Routes(candidates(providers), Assigner(tokens, monitor, rules, clock), bands)

    return routes


def _answers(settings: Settings, clients: Clients) -> DynamoDBPersistenceLayer:
    client = clients.session.client(
        "dynamodb", endpoint_url=settings.endpoint_url or None, config=clients.config
    )
    return DynamoDBPersistenceLayer(
        table_name=settings.table("idempotency"), expiry_attr="ttl", boto3_client=client
    )
