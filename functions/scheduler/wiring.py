"""From the environment to the scheduler; once a container, at the first call."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from aws_lambda_powertools import Logger, Metrics

from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.delivery.model import ChunkKey
from shared.delivery.ports import DueStore
from shared.delivery.release import Releaser, in_flight
from shared.delivery.scheduling import Scheduler
from shared.delivery.searching import DoubtSearch
from shared.delivery.settling import Settler
from shared.delivery.switches import Switches
from shared.delivery.watching import CampaignWatch, ProviderWatch
from shared.ids import MessageIds
from shared.providers.registry import build_searches
from shared.storage import tables
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.clients import Clients
from shared.storage.counters import DynamoCounters
from shared.storage.due import DynamoDue
from shared.storage.engagements import DynamoEngagements
from shared.storage.health import DynamoHealth
from shared.storage.jobs import DynamoJobs
from shared.storage.ledger import DynamoLedger
from shared.storage.parameters import ParameterReader
from shared.storage.queues import SqsChunkQueue, SqsJobQueue, chunk_key_of
from shared.storage.rates import DynamoRates
from shared.storage.settings import DynamoSettings
from shared.storage.switches import DynamoSwitches


@dataclass(frozen=True, slots=True)
class Services:
    """What the handler works with."""

    scheduler: Scheduler
    due: DueStore
    key_of: Callable[[str], ChunkKey]
    clock: Clock
    logger: Logger
    metrics: Metrics


@cache
def services() -> Services:
    """The services of this deployment.

    Raises:
        ConfigurationError: environment or parameters are not as they must be.
        DependencyUnavailable: they could not be read.
    """
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    clients = Clients(settings)
    clock = SystemClock()
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    configured = parameters.providers()
    providers = configured.providers
    names = [provider.name for provider in providers]
    campaigns, ledger, due = DynamoCampaigns(), DynamoLedger(), DynamoDue()
    counters, switches = DynamoCounters(), Switches(DynamoSwitches(), clock)
    job_queue = SqsJobQueue(clients.sqs, settings.jobs_queue_url)
    queue = SqsChunkQueue(clients.sqs, settings.bulk_queue_url, settings.transactional_queue_url)
    scheduler = Scheduler(
        campaigns=campaigns,
        ledger=ledger,
        due=due,
        queue=queue,
        releaser=Releaser(campaigns, queue, due, switches, clock),
        settler=Settler(
            ledger,
            DynamoEngagements(),
            counters,
            DoubtSearch(
                build_searches(configured, parameters.provider_secret),
                MessageIds(parameters.message_id_key()),
                clock,
            ),
            clock,
            deadline=timedelta(seconds=parameters.deployment().settle_deadline_s),
        ),
        jobs=DynamoJobs(),
        job_queue=job_queue,
        switches=switches,
        campaign_watch=CampaignWatch(campaigns, DynamoSettings(), counters, job_queue, clock),
        provider_watch=ProviderWatch(DynamoRates(), counters, DynamoHealth(), names, clock),
        in_flight=in_flight(provider.limits.as_limits() for provider in providers),
        clock=clock,
    )
    return Services(
        scheduler,
        due,
        chunk_key_of,
        clock,
        Logger(service="scheduler"),
        Metrics(namespace="Tidepost", service="scheduler"),
    )
