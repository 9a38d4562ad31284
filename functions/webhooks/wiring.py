"""From the environment to the webhooks function's services; once a container, at the first call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools import Logger, Metrics

from shared.clock import SystemClock
from shared.config import Settings
from shared.delivery.intake import EventIntake
from shared.ids import MessageIds
from shared.providers.event_sources import EventSources
from shared.providers.ses.certificates import FetchedCertificates, fetch_over_https
from shared.providers.ses.handshake import sns_confirm
from shared.retention import CachedRetention
from shared.storage import tables
from shared.storage.clients import Clients
from shared.storage.engagements import DynamoEngagements
from shared.storage.ledger import DynamoLedger
from shared.storage.parameters import ParameterReader
from shared.storage.retention import DynamoRetention


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What the handler works with."""

    sources: EventSources
    intake: EventIntake
    logger: Logger
    metrics: Metrics


@cache
def webhooks() -> Webhooks:
    """The services of this deployment.

    Raises:
        ConfigurationError: the environment or the message id key is incomplete.
        DependencyUnavailable: the key could not be read.
    """
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    clients = Clients(settings)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    sources = EventSources(
        parameters.providers,
        parameters.provider_secret,
        certificates=FetchedCertificates(fetch_over_https),
        confirm=sns_confirm,
        clock=SystemClock(),
    )
    intake = EventIntake(
        DynamoLedger(),
        DynamoEngagements(CachedRetention(DynamoRetention(), SystemClock()).of),
        MessageIds(parameters.message_id_key()),
    )
    return Webhooks(
        sources,
        intake,
        Logger(service="webhooks"),
        Metrics(namespace="Tidepost", service="webhooks"),
    )
