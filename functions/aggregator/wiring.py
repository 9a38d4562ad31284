"""From the environment to the aggregator; once a container, at the first call."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from shared.analytics.aggregating import Aggregator
from shared.analytics.late_events import LateEvents
from shared.analytics.model import Engagement
from shared.analytics.person_state import PersonStates
from shared.audience.consent import ConsentService
from shared.clock import SystemClock
from shared.config import Settings
from shared.delivery.consequences import Consequences, Erased
from shared.delivery.monitoring import HealthMonitor
from shared.retention import CachedRetention
from shared.storage import tables
from shared.storage.consents import DynamoConsents
from shared.storage.counters import DynamoCounters
from shared.storage.engagements import DynamoEngagements, engagement_of
from shared.storage.health import DynamoHealth
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.retention import DynamoRetention
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions


@dataclass(frozen=True, slots=True)
class Services:
    """What the handler works with."""

    aggregator: Aggregator
    late_events: LateEvents
    person_states: PersonStates
    engagement_of: Callable[[Mapping[str, Mapping[str, Any]]], Engagement]
    logger: Logger
    metrics: Metrics


@cache
def services() -> Services:
    """The services of this deployment. Raises ConfigurationError if the environment lacks any."""
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    consent = ConsentService(
        DynamoSubscribers(),
        DynamoMemberships(),
        DynamoSuppressions(),
        SystemClock(),
        DynamoConsents(),
    )
    monitor = HealthMonitor(DynamoHealth(), SystemClock(), random.Random())  # noqa: S311  # jitter
    return Services(
        Aggregator(DynamoCounters(), Consequences(consent), monitor),
        LateEvents(DynamoEngagements(), Erased(DynamoSuppressions())),
        PersonStates(
            DynamoPersonStates(kept=CachedRetention(DynamoRetention(), SystemClock()).of),
            SystemClock(),
        ),
        engagement_of,
        Logger(service="aggregator"),
        Metrics(namespace="Tidepost", service="aggregator"),
    )
