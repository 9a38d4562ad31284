"""From the environment to the warming service; built at every run, which is once a day."""

from __future__ import annotations

import os
from dataclasses import dataclass

from aws_lambda_powertools import Logger, Metrics

from shared.clock import SystemClock
from shared.config import Settings
from shared.storage import tables
from shared.storage.clients import Clients
from shared.storage.parameters import ParameterReader
from shared.storage.rates import DynamoRates
from shared.storage.warmups import DynamoWarmups
from shared.warming.model import Schedule
from shared.warming.service import WarmingService


@dataclass(frozen=True, slots=True)
class Services:
    """What the handler works with: the service, and which providers are warming."""

    warming: WarmingService
    providers: tuple[str, ...]
    others: tuple[str, ...]
    logger: Logger
    metrics: Metrics


def services() -> Services:
    """The services of this deployment.

    Raises:
        ConfigurationError: environment or parameters are not as they must be.
        DependencyUnavailable: they could not be read.
    """
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    clients = Clients(settings)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    shipped = parameters.warming_schedule()
    schedule = Schedule("deployment", shipped.per_day, shipped.idle_days_until_restart)
    providers = parameters.providers().providers
    return Services(
        WarmingService(DynamoWarmups(), DynamoRates(), schedule, SystemClock()),
        tuple(p.name for p in providers if p.warmup),
        tuple(p.name for p in providers if not p.warmup),
        Logger(service="warming_cron"),
        Metrics(namespace="Tidepost", service="warming_cron"),
    )
