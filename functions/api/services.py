"""What the routes work with. Wiring builds it from real adapters, tests from fakes."""

from __future__ import annotations

from dataclasses import dataclass

from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer

from shared.access.audit import AuditTrail
from shared.access.domains import SenderDomainService
from shared.access.keys import ApiKeyService
from shared.analytics.ports import EngagementStore
from shared.audience.address_check import AddressService
from shared.audience.consents import Consents
from shared.audience.erasure import ErasureService
from shared.audience.exporting import ExportService
from shared.audience.importing import ImportService
from shared.audience.lists import ListService
from shared.audience.opt_in import OptInService
from shared.audience.page_settings import PageSettingsService
from shared.audience.readdressing import AddressChanges
from shared.audience.segments.service import SegmentService
from shared.audience.segments.snapshots import SnapshotService
from shared.audience.service import SubscriberService
from shared.audience.settings import AudienceSettingsService
from shared.audience.suppressions.exporting import SuppressionExports
from shared.audience.suppressions.importing import SuppressionImports
from shared.audience.suppressions.service import SuppressionService
from shared.audience.suppressions.syncing import SyncService
from shared.clock import Clock
from shared.content.service import TemplateService
from shared.delivery.campaigns import CampaignService
from shared.delivery.explaining import RoutingService
from shared.delivery.messages import MessageService
from shared.delivery.personal_data import PersonalData
from shared.delivery.recipients import RecipientListing
from shared.delivery.retrying import RetryService
from shared.delivery.settings import SettingsService
from shared.delivery.settling_by_hand import HandSettler
from shared.delivery.switches import SwitchService
from shared.ids import MessageIds
from shared.jobs import JobStore
from shared.retention import RetentionService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may call; `answers` keeps what idempotent requests were answered."""

    stage: str
    clock: Clock
    audit: AuditTrail
    keys: ApiKeyService
    domains: SenderDomainService
    subscribers: SubscriberService
    address_changes: AddressChanges
    suppressions: SuppressionService
    suppression_imports: SuppressionImports
    suppression_exports: SuppressionExports
    suppression_sync: SyncService
    consents: Consents
    personal_data: PersonalData
    erasures: ErasureService
    addresses: AddressService
    audience_settings: AudienceSettingsService
    lists: ListService
    opt_in: OptInService
    page_settings: PageSettingsService
    segments: SegmentService
    snapshots: SnapshotService
    imports: ImportService
    exports: ExportService
    jobs: JobStore
    templates: TemplateService
    campaigns: CampaignService
    recipients: RecipientListing
    retries: RetryService
    messages: MessageService
    hand_settler: HandSettler
    settings: SettingsService
    switches: SwitchService
    retention: RetentionService
    routing: RoutingService
    engagements: EngagementStore
    message_ids: MessageIds
    answers: BasePersistenceLayer
