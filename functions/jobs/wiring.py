"""From the environment to the job runner and the operator's commands; once a container."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools import Logger, Metrics

from shared.access.audit import AuditTrail
from shared.access.keys import ApiKeyService
from shared.access.workspaces import OperatorCommands, WorkspaceService
from shared.audience.consent import ConsentService
from shared.audience.deleting import DeleteSubscriberStep, Removal
from shared.audience.erasing import EraseStep
from shared.audience.erasing_files import FileEraser
from shared.audience.erasing_people import ConsentEraser, MembershipEraser, RecordEraser
from shared.audience.export_step import ExportStep
from shared.audience.import_step import ImportStep
from shared.audience.mail_domains import MailDomains
from shared.audience.reapplying import Reapplying
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.snapshots import SnapshotStep
from shared.audience.segments.walking import AudienceWalk
from shared.audience.suppressions.entering import Entering
from shared.audience.suppressions.everywhere import EverywhereList, Learning
from shared.audience.suppressions.exporting import SuppressionExportStep
from shared.audience.suppressions.importing import SuppressionImportStep
from shared.audience.suppressions.lifting import LiftStep
from shared.audience.suppressions.ports import ProviderSuppressions
from shared.audience.suppressions.syncing import SyncService, SyncStep
from shared.audience.unconfirmed import DropService, DropStep
from shared.clock import Clock, SystemClock
from shared.config import Provider, SesProvider, Settings
from shared.delivery.erasing import EventEraser, FrequencyEraser, MessageEraser, PlanEraser
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.planning import PlanStep
from shared.delivery.release import Releaser
from shared.delivery.retrying import RetryStep
from shared.delivery.switches import Switches, SwitchService
from shared.ids import Ids, SubscriberIds
from shared.jobs import JobKind, JobRunner, JobStep
from shared.providers.suppressions import suppression_accounts
from shared.retention import CachedRetention
from shared.storage import tables
from shared.storage.api_keys import DynamoApiKeys
from shared.storage.audience_settings import DynamoAudienceSettings
from shared.storage.audit import DynamoAuditLog
from shared.storage.blobs import S3Blobs
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.clients import Clients
from shared.storage.consents import DynamoConsents
from shared.storage.dns import DnsMx
from shared.storage.due import DynamoDue
from shared.storage.engagements import DynamoEngagements
from shared.storage.erasures import DynamoErasures
from shared.storage.frequency import DynamoFrequency
from shared.storage.health import DynamoHealth
from shared.storage.jobs import DynamoJobs
from shared.storage.known_addresses import DynamoKnownAddresses
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.parameters import ParameterReader
from shared.storage.person_states import DynamoPersonStates
from shared.storage.queues import SqsChunkQueue, SqsJobQueue, job_of
from shared.storage.retention import DynamoRetention
from shared.storage.segments import DynamoSegments, DynamoSnapshots
from shared.storage.signups import DynamoWaiting
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.suppressions import DynamoSuppressions
from shared.storage.switches import DynamoSwitches
from shared.storage.workspaces import DynamoWorkspaces

_LOOKUPS_AT_ONCE = 32
"""Of domains' mail servers, by an import: a step's 400 domains are then given up after 19 s, if
none of them gets an answer, which is within the budget for them."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the handler works with."""

    runner: JobRunner
    commands: OperatorCommands
    switches: SwitchService
    sync: SyncService
    dropping: DropService
    reapplying: Reapplying
    monitor: HealthMonitor
    job_of: Callable[[str], tuple[str, str]]
    clock: Clock
    logger: Logger
    metrics: Metrics


@cache
def services() -> Services:
    """The services of this deployment.

    Raises:
        ConfigurationError: environment, parameters or secrets are not as they must be.
        DependencyUnavailable: they could not be read.
    """
    settings = Settings.from_env(os.environ)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    clients = Clients(settings)
    clock = SystemClock()
    ids = Ids(clock, os.urandom)
    parameters = ParameterReader(settings, clients.ssm, clients.secretsmanager)
    jobs, job_queue = DynamoJobs(), SqsJobQueue(clients.sqs, settings.jobs_queue_url)
    return Services(
        JobRunner(jobs, job_queue, _steps(settings, clients, parameters, clock), clock),
        OperatorCommands(
            WorkspaceService(DynamoWorkspaces(), ids, clock),
            ApiKeyService(DynamoApiKeys(), ids, clock, os.urandom),
            AuditTrail(DynamoAuditLog(), ids, clock),
        ),
        SwitchService(DynamoSwitches(), clock),
        SyncService(jobs, job_queue, ids, clock),
        DropService(jobs, job_queue, ids, clock),
        Reapplying(DynamoErasures(), jobs, job_queue, ids, clock),
        HealthMonitor(DynamoHealth(), clock, random.Random()),  # noqa: S311  # jitter
        job_of,
        clock,
        Logger(service="jobs"),
        Metrics(namespace="Tidepost", service="jobs"),
    )


def _steps(
    settings: Settings, clients: Clients, parameters: ParameterReader, clock: Clock
) -> dict[JobKind, JobStep]:
    subscribers, memberships = DynamoSubscribers(), DynamoMemberships()
    engagement, snapshots = DynamoPersonStates(), DynamoSnapshots()
    walk = AudienceWalk(memberships, subscribers, engagement)
    audiences = Audiences(
        lists=DynamoLists(),
        segments=DynamoSegments(),
        snapshots=snapshots,
        walk=walk,
        clock=clock,
    )
    campaigns, blobs = DynamoCampaigns(), S3Blobs(clients.s3, settings.files_bucket)
    queue = SqsChunkQueue(clients.sqs, settings.bulk_queue_url, settings.transactional_queue_url)
    switches = Switches(DynamoSwitches(), clock)
    releaser = Releaser(campaigns, queue, DynamoDue(), switches, clock)
    subscriber_ids, suppressions = (
        SubscriberIds(parameters.subscriber_id_key()),
        DynamoSuppressions(),
    )
    return {
        **_suppression_steps(clients, parameters, subscriber_ids, clock, blobs),
        JobKind.PLAN_CAMPAIGN: PlanStep(campaigns, DynamoLedger(), audiences, releaser),
        JobKind.RETRY_CAMPAIGN: RetryStep(
            campaigns, DynamoLedger(), DynamoEngagements(), DynamoDue(), clock
        ),
        JobKind.IMPORT_SUBSCRIBERS: ImportStep(
            subscribers=subscribers,
            memberships=memberships,
            suppressions=suppressions,
            everywhere=EverywhereList(DynamoKnownAddresses(), suppressions, subscriber_ids),
            lists=DynamoLists(),
            settings=DynamoAudienceSettings(),
            blobs=blobs,
            mail_domains=MailDomains(
                DnsMx(parameters.deployment().dns_servers), ThreadPoolExecutor(_LOOKUPS_AT_ONCE)
            ),
            ids=subscriber_ids,
            clock=clock,
            log=DynamoConsents(),
        ),
        JobKind.ERASE_SUBSCRIBER: _erase(blobs, clock),
        JobKind.DROP_UNCONFIRMED: DropStep(
            waiting=DynamoWaiting(),
            subscribers=subscribers,
            memberships=memberships,
            removal=Removal(subscribers, memberships, engagement),
            log=DynamoConsents(),
            kept=CachedRetention(DynamoRetention(), clock).of,
        ),
        JobKind.EXPORT_SUBSCRIBERS: ExportStep(subscribers=subscribers, walk=walk, blobs=blobs),
        JobKind.DELETE_SUBSCRIBER: DeleteSubscriberStep(subscribers, memberships, engagement),
        JobKind.SNAPSHOT_SEGMENT: SnapshotStep(snapshots, memberships, walk),
    }


def _suppression_steps(
    clients: Clients,
    parameters: ParameterReader,
    ids: SubscriberIds,
    clock: Clock,
    blobs: S3Blobs,
) -> dict[JobKind, JobStep]:
    subscribers, suppressions, known = (
        DynamoSubscribers(),
        DynamoSuppressions(),
        DynamoKnownAddresses(),
    )
    workspaces = DynamoWorkspaces()
    consent = ConsentService(
        subscribers, DynamoMemberships(), suppressions, clock, DynamoConsents()
    )
    entering = Entering(subscribers, suppressions, consent)

    def secret(provider: Provider) -> dict[str, str]:
        return {} if isinstance(provider, SesProvider) else parameters.provider_secret(provider)

    @cache
    def accounts() -> Mapping[str, Callable[[], ProviderSuppressions]]:
        return suppression_accounts(parameters.providers(), secret, clients.sesv2)

    return {
        JobKind.IMPORT_SUPPRESSIONS: SuppressionImportStep(blobs, suppressions, entering, ids),
        JobKind.EXPORT_SUPPRESSIONS: SuppressionExportStep(suppressions, subscribers, blobs),
        JobKind.SYNC_SUPPRESSIONS: SyncStep(
            accounts=accounts,
            known=known,
            learning=Learning(
                known=known,
                subscribers=subscribers,
                suppressions=suppressions,
                entering=entering,
                workspaces=workspaces,
                ids=ids,
            ),
            subscribers=subscribers,
            suppressions=suppressions,
            consent=consent,
            workspaces=workspaces,
        ),
        JobKind.LIFT_SUPPRESSION: LiftStep(
            accounts=accounts,
            known=known,
            suppressions=suppressions,
            workspaces=workspaces,
            ids=ids,
        ),
    }


def _erase(files: S3Blobs, clock: Clock) -> EraseStep:
    """The places where something of a person may be; nobody mails or adds her from the first on."""
    subscribers, memberships, engagement = (
        DynamoSubscribers(),
        DynamoMemberships(),
        DynamoPersonStates(),
    )
    jobs, ledger = DynamoJobs(), DynamoLedger()
    return EraseStep(
        subscribers,
        (
            RecordEraser(
                Removal(subscribers, memberships, engagement), engagement, DynamoSuppressions()
            ),
            MembershipEraser(memberships, DynamoLists(), DynamoSnapshots(), jobs),
            FileEraser(files, jobs, clock),
            MessageEraser(ledger, files),
            PlanEraser(DynamoCampaigns(), ledger),
            EventEraser(DynamoEngagements(), ledger, files),
            FrequencyEraser(DynamoFrequency()),
            ConsentEraser(DynamoConsents(), CachedRetention(DynamoRetention(), clock).of),
        ),
    )
