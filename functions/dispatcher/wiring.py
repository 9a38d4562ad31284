"""From the environment to the dispatcher; kept for some minutes, so that settings take effect."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache

from aws_lambda_powertools import Logger, Metrics

from shared.access.senders import SenderBinding
from shared.clock import Clock, SystemClock
from shared.config import Provider, SesProvider, Settings
from shared.delivery.assigning import Assigner
from shared.delivery.dispatch import Dispatcher
from shared.delivery.mailbox_groups import MailboxGroups
from shared.delivery.mailing import Mailings
from shared.delivery.model import ChunkKey
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.posting import Poster
from shared.delivery.switches import Switches
from shared.delivery.tokens import Tokens
from shared.ids import MessageIds, UnsubscribeTokens
from shared.providers.registry import build_senders, candidates
from shared.storage import tables
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.clients import Clients
from shared.storage.dns import DnsMx
from shared.storage.due import DynamoDue
from shared.storage.health import DynamoHealth
from shared.storage.lean import LeanClient
from shared.storage.ledger import DynamoLedger
from shared.storage.mx import DynamoMx
from shared.storage.parameters import ParameterReader
from shared.storage.queues import SqsChunkQueue, chunk_key_of
from shared.storage.rates import DynamoRates
from shared.storage.recipients import LeanRecipients, credentials_of, dynamodb_url
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.switches import DynamoSwitches
from shared.storage.templates import DynamoTemplates
from shared.transport import Transport

_KEPT_S = 300
_LOOKUPS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Services:
    """What the handler works with."""

    dispatcher: Dispatcher
    key_of: Callable[[str], ChunkKey]
    clock: Clock
    logger: Logger
    metrics: Metrics


def services() -> Services:
    """The services of this deployment.

    Raises:
        ConfigurationError: environment, parameters or secrets are not as they must be.
        DependencyUnavailable: they could not be read.
    """
    return _services(int(time.monotonic() // _KEPT_S))


@lru_cache(maxsize=1)
def _services(_period: int) -> Services:
    settings = Settings.from_env(os.environ)
    clients = _clients()
    credentials = credentials_of(clients.session)
    dynamodb = Transport(dynamodb_url(settings), connect_timeout_s=2, read_timeout_s=5, pool_size=2)
    lean = LeanClient(dynamodb, settings.region, credentials)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url, client=lean)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    providers = parameters.providers()
    clock = SystemClock()
    senders = build_senders(providers, lambda p: _secret(parameters, p), credentials)
    keys, current = parameters.link_keys()
    tokens = Tokens(
        DynamoRates(),
        {p.name: p.limits.as_limits() for p in providers.providers},
        clock,
        time.sleep,
        random.Random(),  # noqa: S311  # jitter between workers
    )
    deployment = parameters.deployment()
    monitor = HealthMonitor(DynamoHealth(), clock, random.Random())  # noqa: S311  # jitter
    dispatcher = Dispatcher(
        campaigns=DynamoCampaigns(),
        ledger=DynamoLedger(),
        queue=SqsChunkQueue(clients.sqs, settings.bulk_queue_url, settings.transactional_queue_url),
        due=DynamoDue(),
        tokens=tokens,
        assigner=Assigner(tokens, monitor, parameters.delivery_rules(providers), clock),
        mailings=Mailings(
            templates=DynamoTemplates(),
            recipients=LeanRecipients(settings, credentials, dynamodb),
            suppressions=DynamoSuppressions(),
            unsubscribe=UnsubscribeTokens(keys, current),
            public_url=deployment.public_url,
            blobs=S3Blobs(clients.s3, settings.files_bucket),
        ),
        mailbox_groups=_mailbox_groups(deployment.mx_lookup, deployment.dns_servers),
        message_ids=MessageIds(parameters.message_id_key()),
        sender_check=SenderBinding(DynamoSenderDomains()),
        candidates=candidates(providers),
        poster=Poster(senders, clock, time.sleep, ThreadPoolExecutor(len(senders))),
        switches=Switches(DynamoSwitches(), clock),
        clock=clock,
        new_owner=lambda: secrets.token_hex(6),
    )
    return Services(
        dispatcher,
        chunk_key_of,
        clock,
        Logger(service="dispatcher"),
        Metrics(namespace="Tidepost", service="dispatcher"),
    )


@cache
def _mailbox_groups(mx_lookup: bool, dns_servers: tuple[str, ...]) -> MailboxGroups:
    """Kept for the life of the container: it remembers domains."""
    lookup = DnsMx(dns_servers) if mx_lookup else None
    return MailboxGroups(lookup, DynamoMx(), ThreadPoolExecutor(_LOOKUPS_AT_ONCE), SystemClock())


@cache
def _clients() -> Clients:
    return Clients(Settings.from_env(os.environ))


def _secret(parameters: ParameterReader, provider: Provider) -> dict[str, str]:
    return {} if isinstance(provider, SesProvider) else parameters.provider_secret(provider)
