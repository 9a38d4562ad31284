"""Runs a campaign through the functions' own handlers and wiring, as Lambda would."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from benchmarks.deployment import Workspace
from benchmarks.mail import SENDER_DOMAIN
from functions.dispatcher import handler as dispatcher
from functions.dispatcher import wiring as dispatcher_wiring
from functions.jobs import handler as jobs
from functions.scheduler import handler as scheduler
from functions.scheduler import wiring as scheduler_wiring
from shared.access.senders import SenderBinding
from shared.audience.segments.audiences import Audiences
from shared.audience.segments.model import Audience
from shared.audience.segments.walking import AudienceWalk
from shared.clock import SystemClock
from shared.config import Settings
from shared.delivery.campaigns import CampaignDraft, CampaignService
from shared.delivery.model import Campaign
from shared.delivery.release import LOOK_AFTER
from shared.ids import Ids
from shared.mail import Mailbox
from shared.storage import tables
from shared.storage.campaigns import DynamoCampaigns
from shared.storage.clients import Clients
from shared.storage.counters import DynamoCounters
from shared.storage.jobs import DynamoJobs
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.person_states import DynamoPersonStates
from shared.storage.queues import SqsJobQueue
from shared.storage.segments import DynamoSegments, DynamoSnapshots
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.settings import DynamoSettings
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.templates import DynamoTemplates

Event = dict[str, Any]


class Context:
    """Of an invocation that has two minutes left."""

    function_name = "benchmark"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    aws_request_id = "benchmark"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Milliseconds."""
        return 120_000


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue as its event source reads it: a message at a time."""

    client: Any
    url: str

    def take(self) -> Iterator[Event]:
        """Events with one message each, until the queue is empty; those handled are deleted."""
        while True:
            event = self.receive()
            if event is None:
                return
            yield event
            self.delete(event)

    def receive(self) -> Event | None:
        """The next event, or None."""
        answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=1)
        messages = answer.get("Messages", [])
        return {"Records": [_record(message) for message in messages]} if messages else None

    def delete(self, event: Event) -> None:
        """As Lambda does once the function has returned without an error."""
        for record in event["Records"]:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])


class Pipeline:
    """The functions of one deployment, and the queues between them."""

    def __init__(self, settings: Settings) -> None:
        sqs = Clients(settings).sqs
        self.bulk = Queue(sqs, settings.bulk_queue_url)
        self._jobs = Queue(sqs, settings.jobs_queue_url)
        self._campaigns = CampaignService(
            campaigns=DynamoCampaigns(),
            ledger=DynamoLedger(),
            counters=DynamoCounters(),
            templates=DynamoTemplates(),
            audiences=Audiences(
                lists=DynamoLists(),
                segments=DynamoSegments(),
                snapshots=DynamoSnapshots(),
                walk=AudienceWalk(DynamoMemberships(), DynamoSubscribers(), DynamoPersonStates()),
                clock=SystemClock(),
            ),
            settings=DynamoSettings(),
            sender_check=SenderBinding(DynamoSenderDomains()),
            jobs=DynamoJobs(),
            job_queue=SqsJobQueue(sqs, settings.jobs_queue_url),
            ids=Ids(SystemClock(), os.urandom),
            clock=SystemClock(),
        )

    def launch(self, where: Workspace) -> Campaign:
        """A new campaign to the whole list: planned, and its chunks in the queue."""
        campaign = self.start(where, Audience.of_lists((where.list_id,)))
        self.plan()
        return self.get(campaign)

    def start(self, where: Workspace, whom: Audience) -> Campaign:
        """A new campaign that is launched and not planned yet."""
        draft = CampaignDraft(
            name="This week's finds",
            sender=Mailbox(f"hello@{SENDER_DOMAIN}", "Workshop"),
            template_id=where.template_id,
            audience=whom,
            tags=("weekly",),
        )
        campaign = self._campaigns.create(where.workspace, draft)
        return self._campaigns.launch(where.workspace, campaign.id)

    def plan(self) -> None:
        """Runs the jobs that wait."""
        for event in self._jobs.take():
            jobs.handler(event, Context())  # type: ignore[arg-type]  # what is used of it

    def get(self, campaign: Campaign) -> Campaign:
        """The campaign as stored now."""
        return self._campaigns.get(campaign.workspace, campaign.id)

    @staticmethod
    def dispatch(event: Event) -> None:
        """One invocation of the dispatcher.

        Raises:
            RuntimeError: a chunk was not sent.
        """
        answer = dispatcher.handler(event, Context())  # type: ignore[arg-type]  # what is used of it
        if answer["batchItemFailures"]:
            raise RuntimeError("the dispatcher could not run a chunk; its log says why")

    def finish(self, campaign: Campaign) -> Campaign:
        """The scheduler's minute in which all chunks are looked at and the campaign is done."""
        with _later(LOOK_AFTER + timedelta(seconds=1)):
            scheduler.handler({}, Context())  # type: ignore[arg-type]  # what is used of it
        return self.get(campaign)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Within the block the dispatcher never reads its settings anew, as it does every 5 minutes."""
    with patch.object(dispatcher_wiring, "_KEPT_S", math.inf):
        yield


@contextmanager
def _later(by: timedelta) -> Iterator[None]:
    """Within the block, a scheduler that is wired anew has a clock that is ahead.

    The tables stay bound as the dispatcher's wiring has bound them.
    """

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + by

    with patch.object(scheduler_wiring, "SystemClock", Later), patch.object(tables, "bind"):
        scheduler_wiring.services.cache_clear()
        yield
    scheduler_wiring.services.cache_clear()


def _record(message: dict[str, Any]) -> Event:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {},
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bulk",
        "awsRegion": "us-east-1",
    }
