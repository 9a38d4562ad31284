"""From the environment to the public function's services; kept for some minutes at a time.

So a link key that was added or made the current one is soon in force.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache

from aws_lambda_powertools import Logger, Metrics

from shared.audience.consent import ConsentService
from shared.clock import SystemClock
from shared.config import Settings
from shared.ids import UnsubscribeTokens
from shared.storage import tables
from shared.storage.clients import Clients
from shared.storage.consents import DynamoConsents
from shared.storage.memberships import DynamoMemberships
from shared.storage.parameters import ParameterReader
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions

_KEPT_S = 300


@dataclass(frozen=True, slots=True)
class Public:
    """What the handler works with."""

    consent: ConsentService
    tokens: UnsubscribeTokens
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
    consent = ConsentService(
        DynamoSubscribers(),
        DynamoMemberships(),
        DynamoSuppressions(),
        SystemClock(),
        DynamoConsents(),
    )
    clients = Clients(settings)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    return Public(
        consent,
        UnsubscribeTokens(*parameters.link_keys()),
        Logger(service="public"),
        Metrics(namespace="Tidepost", service="public"),
    )
