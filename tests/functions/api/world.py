"""The API over fakes, called with the events that API Gateway sends."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from functions.api.app import Api
from functions.api.services import Services
from shared.access.audit import AuditTrail
from shared.access.domains import SenderDomainService
from shared.access.keys import ApiKeyService
from shared.access.model import Scope
from shared.access.senders import SenderBinding
from shared.access.workspaces import WorkspaceService
from shared.audience.address_check import AddressService
from shared.audience.consent import ConsentService
from shared.audience.consents import Consents
from shared.audience.erasure import ErasureService
from shared.audience.exporting import ExportService
from shared.audience.importing import ImportService
from shared.audience.lists import ListService
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
from shared.content.service import TemplateService
from shared.delivery.assigning import Assigner
from shared.delivery.bands import Bands
from shared.delivery.campaigns import CampaignService
from shared.delivery.explaining import Routes, RoutingService
from shared.delivery.messages import MessageService
from shared.delivery.monitoring import HealthMonitor
from shared.delivery.personal_data import PersonalData
from shared.delivery.rates import Limits
from shared.delivery.recipients import RecipientListing
from shared.delivery.retrying import RetryService
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules
from shared.delivery.settings import SettingsService
from shared.delivery.settling_by_hand import HandSettler
from shared.delivery.switches import SwitchService
from shared.delivery.tokens import Tokens
from shared.ids import Ids, MessageIds, SubscriberIds
from shared.mail import Capacity
from shared.retention import CachedRetention, RetentionService
from tests.fakes import (
    FakeApiKeys,
    FakeAudienceSettings,
    FakeAuditLog,
    FakeBlobs,
    FakeCampaigns,
    FakeChunkQueue,
    FakeClock,
    FakeConsents,
    FakeCounters,
    FakeDue,
    FakeEngagements,
    FakeErasures,
    FakeHealth,
    FakeJobQueue,
    FakeJobs,
    FakeKnownAddresses,
    FakeLedger,
    FakeLists,
    FakeMemberships,
    FakeMx,
    FakePageSettings,
    FakePersonStates,
    FakeRates,
    FakeRetention,
    FakeSegments,
    FakeSenderDomains,
    FakeSettings,
    FakeSnapshots,
    FakeSubscribers,
    FakeSuppressions,
    FakeSwitches,
    FakeTemplates,
    FakeTxt,
    FakeWorkspaces,
    seeded_bytes,
)
from tests.functions.api.opting_in import opt_in_service

_loggers = itertools.count()


class Context:
    """What Lambda gives a handler, as far as it is used here."""

    aws_request_id = "lambda-request"
    function_name = "tidepost-test-api"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


class NoAnswers(BasePersistenceLayer):
    """For tests without an Idempotency-Key: nothing may be kept."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools'

    def _get_record(self, idempotency_key: str) -> DataRecord:
        raise AssertionError(idempotency_key)

    def _put_record(self, data_record: DataRecord) -> None:
        raise AssertionError(data_record)

    def _update_record(self, data_record: DataRecord) -> None:
        raise AssertionError(data_record)

    def _delete_record(self, data_record: DataRecord) -> None:
        raise AssertionError(data_record)


@dataclass(frozen=True)
class Answered:
    """An answer as a client sees it. Header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The last word of the problem's type."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        return str(self.json["type"]).rpartition(":")[2]

    @property
    def fields(self) -> list[str]:
        """The fields that the problem names."""
        return [error["field"] for error in self.json["errors"]]


class World:
    """Two workspaces with an admin key each: `key` and `other_key`."""

    def __init__(self, answers: BasePersistenceLayer | None = None) -> None:
        self.clock = FakeClock()
        self.api_keys = FakeApiKeys()
        self.domains = FakeSenderDomains()
        self.txt = FakeTxt()
        self.subscribers = FakeSubscribers()
        self.memberships = FakeMemberships()
        self.person_states = FakePersonStates()
        self.suppressions = FakeSuppressions()
        self.known = FakeKnownAddresses()
        self.consents = FakeConsents()
        self.erasures = FakeErasures()
        self.retention = FakeRetention()
        self.audit_log = FakeAuditLog()
        self.audience_settings = FakeAudienceSettings()
        self.page_settings = FakePageSettings()
        self.mx = FakeMx()
        self.segments = FakeSegments()
        self.snapshots = FakeSnapshots()
        self.campaigns = FakeCampaigns()
        self.engagements = FakeEngagements()
        self.person_states = FakePersonStates()
        self.ledger = FakeLedger()
        self.settings = FakeSettings()
        self.switches = FakeSwitches()
        self.rates = FakeRates()
        self.health = FakeHealth()
        self.rules = DeliveryRules()
        self.jobs = FakeJobs()
        self.job_queue = FakeJobQueue()
        self.chunk_queue = FakeChunkQueue()
        self.blobs = FakeBlobs()
        self.candidates: tuple[Candidate, ...] = (
            Candidate("ses", 1, lambda _: "", Capacity(max_bytes=3_000_000)),
        )
        self.services = self._services(answers or NoAnswers())
        workspaces = WorkspaceService(
            FakeWorkspaces(), Ids(self.clock, seeded_bytes(2)), self.clock
        )
        self.workspace = workspaces.create("Acme").id
        self.other_workspace = workspaces.create("Other").id
        self.key = self.issue(self.workspace, Scope.ADMIN)
        self.other_key = self.issue(self.other_workspace, Scope.ADMIN)
        self.log = io.StringIO()
        logger = Logger(service=f"test-api-{next(_loggers)}", stream=self.log)
        self.api = Api(self.services, logger, Metrics(namespace="Tidepost", service="api"))

    def issue(self, workspace: str, *scopes: Scope, requests_per_minute: int = 600) -> str:
        """A key's text."""
        _, text = self.services.keys.issue(
            workspace, "test", scopes, requests_per_minute, created_by="test"
        )
        return text

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        raw: str | bytes | None = None,
    ) -> Answered:
        """Sends a request; `key` None sends none, `raw` is a body as it goes over the wire."""
        text = json.dumps(body) if body is not None else raw
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            sent["Authorization"] = f"Bearer {key or self.key}"
        sent |= headers or {}
        encoded = isinstance(text, bytes)
        event = {
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
            "requestContext": {"requestId": "request-1", "stage": "test", "path": f"/test{path}"},
            "body": base64.b64encode(text).decode() if isinstance(text, bytes) else text,
            "isBase64Encoded": encoded,
        }
        answer = self.api.handle(event, Context())  # type: ignore[arg-type]  # what is used of it
        listed: dict[str, list[str]] = answer["multiValueHeaders"]
        text = answer["body"]
        return Answered(
            status=answer["statusCode"],
            headers={name.lower(): ", ".join(values) for name, values in listed.items()},
            text=text,
        )

    def logged(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def verify_domain(self, name: str = "example.com", key: str = "") -> None:
        """Adds and proves a sender domain."""
        added = self.call("POST", "/v1/sender-domains", {"domain": name}, key=key).json
        self.txt.records[added["record"]["name"]] = [added["record"]["value"]]
        self.call("POST", f"/v1/sender-domains/{added['id']}/verify", key=key)

    def _routes(self) -> Routes:
        jitter = random.Random(1)  # noqa: S311  # jitter
        limits = {candidate.name: Limits() for candidate in self.candidates}
        tokens = Tokens(self.rates, limits, self.clock, lambda _: None, jitter)
        monitor = HealthMonitor(self.health, self.clock, jitter)
        bands = Bands(self.person_states, self.rules, self.clock)
        return Routes(self.candidates, Assigner(tokens, monitor, self.rules, self.clock), bands)

    def _services(self, answers: BasePersistenceLayer) -> Services:
        ids = Ids(self.clock, seeded_bytes())
        subscriber_ids = SubscriberIds(b"subscriber-id-key")
        everywhere = EverywhereList(self.known, self.suppressions, subscriber_ids)
        message_ids = MessageIds(b"message-id-key")
        lists, templates, ledger = FakeLists(), FakeTemplates(), self.ledger
        walk = AudienceWalk(self.memberships, self.subscribers, self.person_states)
        audiences = Audiences(
            lists=lists,
            segments=self.segments,
            snapshots=self.snapshots,
            walk=walk,
            clock=self.clock,
        )
        kept = CachedRetention(self.retention, self.clock).of
        domains = SenderDomainService(self.domains, self.txt, ids, self.clock, seeded_bytes(3))
        people = SubscriberService(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            lists=lists,
            settings=self.audience_settings,
            mx=self.mx,
            everywhere=everywhere,
            ids=subscriber_ids,
            clock=self.clock,
            jobs=self.jobs,
            job_queue=self.job_queue,
            resource_ids=ids,
            log=self.consents,
        )
        messages = MessageService(
            ledger=ledger,
            queue=self.chunk_queue,
            due=FakeDue(),
            engagements=self.engagements,
            templates=templates,
            blobs=self.blobs,
            candidates=lambda: self.candidates,
            sender_check=SenderBinding(self.domains),
            message_ids=message_ids,
            subscriber_ids=subscriber_ids,
            ids=ids,
            clock=self.clock,
            kept=kept,
        )
        consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock, self.consents
        )
        return Services(
            stage="test",
            clock=self.clock,
            audit=AuditTrail(self.audit_log, ids, self.clock, kept),
            keys=ApiKeyService(self.api_keys, ids, self.clock, seeded_bytes(4)),
            domains=domains,
            subscribers=people,
            address_changes=AddressChanges(
                subscribers=self.subscribers,
                memberships=self.memberships,
                suppressions=self.suppressions,
                engagement=self.person_states,
                settings=self.audience_settings,
                mx=self.mx,
                everywhere=everywhere,
                ids=subscriber_ids,
                clock=self.clock,
                log=self.consents,
            ),
            consents=Consents(self.consents),
            personal_data=PersonalData(
                consents=Consents(self.consents),
                suppressions=self.suppressions,
                engagement=self.person_states,
                snapshots=self.snapshots,
                members=self.memberships,
                engagements=self.engagements,
                ledger=ledger,
                message_ids=message_ids,
                blobs=self.blobs,
                clock=self.clock,
                random_bytes=seeded_bytes(7),
            ),
            erasures=ErasureService(
                journal=self.erasures,
                subscribers=self.subscribers,
                consent=consent,
                suppressions=self.suppressions,
                everywhere=everywhere,
                ids=subscriber_ids,
                jobs=self.jobs,
                job_queue=self.job_queue,
                resource_ids=ids,
                clock=self.clock,
            ),
            suppressions=SuppressionService(
                suppressions=self.suppressions,
                subscribers=self.subscribers,
                consent=consent,
                everywhere=everywhere,
                jobs=self.jobs,
                job_queue=self.job_queue,
                ids=subscriber_ids,
                resource_ids=ids,
                clock=self.clock,
            ),
            suppression_imports=SuppressionImports(
                blobs=self.blobs,
                jobs=self.jobs,
                job_queue=self.job_queue,
                resource_ids=ids,
                clock=self.clock,
                random_bytes=seeded_bytes(8),
            ),
            suppression_exports=SuppressionExports(
                blobs=self.blobs,
                jobs=self.jobs,
                job_queue=self.job_queue,
                resource_ids=ids,
                clock=self.clock,
                random_bytes=seeded_bytes(9),
            ),
            suppression_sync=SyncService(self.jobs, self.job_queue, ids, self.clock),
            addresses=AddressService(self.audience_settings, self.mx),
            audience_settings=AudienceSettingsService(self.audience_settings),
            lists=ListService(lists, ids, self.clock),
            opt_in=opt_in_service(
                people=people,
                consent=consent,
                lists=lists,
                pages=self.page_settings,
                messages=messages,
                clock=self.clock,
            ),
            page_settings=PageSettingsService(self.page_settings, read_languages()),
            segments=SegmentService(
                segments=self.segments, lists=lists, walk=walk, ids=ids, clock=self.clock
            ),
            snapshots=SnapshotService(
                segments=self.segments,
                snapshots=self.snapshots,
                jobs=self.jobs,
                job_queue=self.job_queue,
                ids=ids,
                clock=self.clock,
            ),
            imports=ImportService(
                blobs=self.blobs,
                lists=lists,
                settings=self.audience_settings,
                jobs=self.jobs,
                job_queue=self.job_queue,
                resource_ids=ids,
                clock=self.clock,
                random_bytes=seeded_bytes(5),
            ),
            exports=ExportService(
                blobs=self.blobs,
                audiences=audiences,
                jobs=self.jobs,
                job_queue=self.job_queue,
                resource_ids=ids,
                clock=self.clock,
                random_bytes=seeded_bytes(6),
            ),
            jobs=self.jobs,
            templates=TemplateService(templates, ids, self.clock),
            campaigns=CampaignService(
                campaigns=self.campaigns,
                ledger=ledger,
                counters=FakeCounters(),
                templates=templates,
                audiences=audiences,
                settings=self.settings,
                sender_check=SenderBinding(self.domains),
                jobs=self.jobs,
                job_queue=self.job_queue,
                ids=ids,
                clock=self.clock,
            ),
            recipients=RecipientListing(self.campaigns, ledger, message_ids),
            retries=RetryService(
                campaigns=self.campaigns,
                ledger=ledger,
                sender_check=SenderBinding(self.domains),
                jobs=self.jobs,
                job_queue=self.job_queue,
                ids=ids,
                clock=self.clock,
            ),
            hand_settler=HandSettler(ledger, message_ids),
            settings=SettingsService(self.settings),
            switches=SwitchService(self.switches, self.clock),
            retention=RetentionService(self.retention),
            routing=RoutingService(self._routes, subscriber_ids, self.clock),
            messages=messages,
            engagements=self.engagements,
            message_ids=message_ids,
            answers=answers,
        )
