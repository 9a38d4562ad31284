"""From the environment to the public function's services; kept for some minutes at a time.

So a link key that was added or made the current one is soon in force.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache

from aws_lambda_powertools import Logger, Metrics

from functions.public.looks import Looks
from shared.access.senders import SenderBinding
from shared.audience.asking import SourceLimit
from shared.audience.consent import ConsentService
from shared.audience.opt_in import OptInService
from shared.audience.preferences import PreferenceService
from shared.audience.service import SubscriberService
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.texts import read_languages
from shared.clock import SystemClock
from shared.config import Settings
from shared.delivery.confirmation_mail import ConfirmationMails
from shared.delivery.messages import MessageService
from shared.ids import Ids, LinkKeys, MessageIds, SubscriberIds, UnsubscribeTokens
from shared.providers.registry import candidates
from shared.retention import CachedRetention
from shared.storage import tables
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.blobs import S3Blobs
from shared.storage.clients import Clients
from shared.storage.consents import DynamoConsents
from shared.storage.dns import DnsMx
from shared.storage.due import DynamoDue
from shared.storage.engagements import DynamoEngagements
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.page_settings import DynamoPageSettings
from shared.storage.parameters import ParameterReader
from shared.storage.queues import SqsChunkQueue, SqsJobQueue
from shared.storage.retention import DynamoRetention
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.signups import DynamoAsked, DynamoAttempts, DynamoWaiting
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.templates import DynamoTemplates

_KEPT_S = 300


@dataclass(frozen=True, slots=True)
class Public:
    """What the pages work with."""

    consent: ConsentService
    tokens: UnsubscribeTokens
    preferences: PreferenceService
    opt_in: OptInService
    sources: SourceLimit
    look: Looks
    logger: Logger
    metrics: Metrics


def public() -> Public:
    """The services of this deployment.

    Raises:
        ConfigurationError: the environment or the link keys are incomplete.
        DependencyUnavailable: the keys could not be read.
    """
    return _public(int(time.monotonic() // _KEPT_S))


@lru_cache(maxsize=1)
def _public(_period: int) -> Public:
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    clock, languages = SystemClock(), read_languages()
    clients = Clients(settings)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    keys, current = parameters.link_keys()
    link_keys = LinkKeys(keys, current)
    lists, pages = DynamoLists(), DynamoPageSettings()
    consent = ConsentService(
        DynamoSubscribers(), DynamoMemberships(), DynamoSuppressions(), clock, DynamoConsents()
    )
    preferences = PreferenceService(
        subscribers=DynamoSubscribers(),
        lists=lists,
        consent=consent,
        languages=languages,
        clock=clock,
    )
    opt_in = OptInService(
        people=_people(settings, clients, parameters),
        consent=consent,
        lists=lists,
        asked=DynamoAsked(),
        waiting=DynamoWaiting(),
        kept=CachedRetention(DynamoRetention(), clock).of,
        pages=pages,
        mailer=ConfirmationMails(_messages(settings, clients, parameters), languages),
        keys=link_keys,
        languages=languages,
        public_url=parameters.deployment().public_url,
        clock=clock,
    )
    return Public(
        consent=consent,
        tokens=UnsubscribeTokens(keys, current),
        preferences=preferences,
        opt_in=opt_in,
        sources=SourceLimit(DynamoAttempts(), link_keys, clock),
        look=Looks(pages, preferences, languages),
        logger=Logger(service="public"),
        metrics=Metrics(namespace="Tidepost", service="public"),
    )


def _people(settings: Settings, clients: Clients, parameters: ParameterReader) -> SubscriberService:
    """Of which pages only sign people up: the function may touch no job and delete nobody."""
    clock, suppressions = SystemClock(), DynamoSuppressions()
    ids = SubscriberIds(parameters.subscriber_id_key())
    return SubscriberService(
        subscribers=DynamoSubscribers(),
        memberships=DynamoMemberships(),
        suppressions=suppressions,
        lists=DynamoLists(),
        settings=DynamoAudienceSettings(),
        mx=DnsMx(parameters.deployment().dns_servers),
        everywhere=EverywhereList(DynamoKnownAddresses(), suppressions, ids),
        ids=ids,
        clock=clock,
        jobs=DynamoJobs(),
        job_queue=SqsJobQueue(clients.sqs, settings.jobs_queue_url),
        resource_ids=Ids(clock, os.urandom),
        log=DynamoConsents(),
    )


def _messages(settings: Settings, clients: Clients, parameters: ParameterReader) -> MessageService:
    """Of which pages only send one short mail: the function may touch no file and no bulk mail."""
    clock = SystemClock()
    return MessageService(
        ledger=DynamoLedger(),
        queue=SqsChunkQueue(clients.sqs, settings.bulk_queue_url, settings.transactional_queue_url),
        due=DynamoDue(),
        engagements=DynamoEngagements(),
        templates=DynamoTemplates(),
        blobs=S3Blobs(clients.s3, settings.files_bucket),
        candidates=lambda: candidates(parameters.providers()),
        sender_check=SenderBinding(DynamoSenderDomains()),
        message_ids=MessageIds(parameters.message_id_key()),
        subscriber_ids=SubscriberIds(parameters.subscriber_id_key()),
        ids=Ids(clock, os.urandom),
        clock=clock,
        kept=CachedRetention(DynamoRetention(), clock).of,
    )
