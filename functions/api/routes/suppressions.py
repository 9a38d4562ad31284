"""The suppression list, and the providers' own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.model import Suppression, SuppressionReason
from shared.audience.suppressions.service import MAX_AT_ONCE
from shared.jobs import Job, JobState

suppressions = Endpoints("suppressions", "/v1/suppressions")

_EXAMPLE: JsonDict = {"emails": ["ada@example.com", "bob@example.com"]}

Reason = Annotated[SuppressionReason | None, Query(description="Only entries of this reason")]


class SuppressionBody(Body):
    """Whom not to mail any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    emails: list[str] = Field(default_factory=list, max_length=MAX_AT_ONCE)
    subscribers: list[str] = Field(
        default_factory=list, max_length=MAX_AT_ONCE, description="Ids instead of addresses"
    )


class SuppressionAnswer(Answer):
    """An entry of the list."""

    id: str = Field(description="The subscriber's id: a keyed hash of the address")
    email: str | None = Field(
        description="Null for an erasure, and where the address was never known"
    )
    reason: SuppressionReason
    at: Instant = Field(description="When it happened")
    source: str = Field(
        description="`webhook:<provider>`, `sync:<provider>`, `import:<job>`, `api:<key>` or `link`"
    )

    @classmethod
    def of(cls, entry: Suppression) -> SuppressionAnswer:
        """From the domain's value."""
        return cls(
            id=entry.subscriber,
            email=entry.address or None,
            reason=entry.reason,
            at=entry.at,
            source=entry.source,
        )


class SuppressionPage(PageAnswer[SuppressionAnswer]):
    """A page of the list."""


class AddedAnswer(Answer):
    """What a call added."""

    added: int
    unchanged: int = Field(description="Suppressed already, for this reason or a graver one")


class RemovedAnswer(Answer):
    """An entry that is gone."""

    id: str
    reason: SuppressionReason = Field(description="That it had")
    job: str | None = Field(description="The job that tells the providers, if any knows of it")


class LiftedAnswer(Answer):
    """How far the providers have been told of a removal."""

    id: str
    state: JobState
    lifted: list[str] = Field(description="Providers whose list has let go of the address")
    errors: dict[str, str] = Field(description="Why others have not, by provider")
    held_elsewhere: bool = Field(
        description="Another workspace holds the address, so the providers were left alone"
    )
    error: str = Field(description="Why the whole failed, if it did")


class ProviderSyncAnswer(Answer):
    """How it went with one provider."""

    pulled: int = Field(description="Entries read from its list")
    suppressed: int = Field(description="Entries that were new to a workspace's list")
    left_alone: int = Field(
        description="Unsubscriptions of people whom several workspaces have: it may mean any"
    )
    pushed: int = Field(description="Addresses that it was told of")
    refused: int = Field(description="Addresses that it did not take")
    error: str = Field(description="Why the rest was left for the next run, if it was")


class SyncAnswer(Answer):
    """A run, and how far it has come."""

    id: str
    state: JobState
    gathered: int = Field(description="Entries that went from one workspace to others")
    providers: dict[str, ProviderSyncAnswer]
    error: str = Field(description="Why the whole run failed, if it did")
    created_at: Instant

    @classmethod
    def of(cls, job: Job) -> SyncAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            gathered=job.progress["gathered"],
            providers={
                name: ProviderSyncAnswer.model_validate(counts)
                for name, counts in job.progress["providers"].items()
            },
            error=job.error,
            created_at=job.created_at,
        )


@suppressions.get("", scope=Scope.SUBSCRIBERS_READ)
def list_suppressions(
    call: CurrentCall,
    *,
    reason: Reason = None,
    source: Annotated[
        str, Query(max_length=200, description="A source, or its part before the colon")
    ] = "",
    email: Annotated[
        str | None, Query(max_length=320, description="The entry of this address alone")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SuppressionPage:
    """List the suppression list, or look for an address.

    With a filter a page may be short, or empty, and not be the last. All entries stop campaigns,
    and all but `unsubscribed` stop transactional mail too.
    """
    service = call.services.suppressions
    if email is not None:
        entry = service.find(call.workspace, email)
        matching = entry is not None and entry.is_of(reason, source)
        found = [SuppressionAnswer.of(entry)] if entry and matching else []
        return SuppressionPage(items=found, cursor=None)
    page = service.page(call.workspace, limit=limit, cursor=cursor, reason=reason, source=source)
    return SuppressionPage(
        items=[SuppressionAnswer.of(entry) for entry in page.items], cursor=page.cursor
    )


@suppressions.get("/<subscriber_id>", scope=Scope.SUBSCRIBERS_READ)
def get_suppression(subscriber_id: str, call: CurrentCall) -> SuppressionAnswer:
    """Get the entry of a subscriber's id. 404 if nobody of that id is suppressed."""
    return SuppressionAnswer.of(call.services.suppressions.get(call.workspace, subscriber_id))


@suppressions.post("", scope=Scope.SUBSCRIBERS_WRITE)
def add_suppressions(body: SuppressionBody, call: CurrentCall) -> AddedAnswer:
    """Suppress addresses by hand, up to 1,000 at once.

    The reason is `manual`. They need not be subscribers. If one of them is not valid, none is
    taken; doing it again changes nothing.
    """
    added = call.services.suppressions.add(
        call.workspace,
        emails=body.emails,
        subscriber_ids=body.subscribers,
        source=call.source,
    )
    if added.ids:
        call.record(AuditAction.SUPPRESSION_ADD, call.workspace, subscribers=list(added.ids))
    return AddedAnswer(added=len(added.ids), unchanged=added.unchanged)


@suppressions.delete("/<subscriber_id>", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.OK)
def remove_suppression(
    subscriber_id: str,
    call: CurrentCall,
    *,
    confirm: Annotated[
        bool, Query(description="Needed for a complaint and an unsubscription: she has asked")
    ] = False,
    at_providers: Annotated[
        bool, Query(description="Off the providers' own lists too, and not only what we put there")
    ] = False,
) -> RemovedAnswer:
    """Let an address be mailed again by this workspace.

    An erasure stays for good. What Tidepost put on the providers' lists is taken off, unless
    another workspace still holds it. Lists that she left stay left.
    """
    removed = call.services.suppressions.remove(
        call.workspace, subscriber_id, confirmed=confirm, at_providers=at_providers
    )
    call.record(
        AuditAction.SUPPRESSION_REMOVE,
        subscriber_id,
        reason=removed.entry.reason.value,
        source=removed.entry.source,
        confirmed=confirm,
        at_providers=at_providers,
        job=removed.job,
    )
    return RemovedAnswer(id=subscriber_id, reason=removed.entry.reason, job=removed.job or None)


@suppressions.get("/removals/<job_id>", scope=Scope.SUBSCRIBERS_READ)
def get_removal(job_id: str, call: CurrentCall) -> LiftedAnswer:
    """Get how far the providers have been told of a removal."""
    job = call.services.suppressions.removal(call.workspace, job_id)
    return LiftedAnswer(id=job.id, state=job.state, error=job.error, **job.progress)


@suppressions.post("/sync", scope=Scope.ADMIN, status=HTTPStatus.ACCEPTED)
def start_sync(call: CurrentCall) -> SyncAnswer:
    """Bring the providers' lists and ours to agree, now.

    It happens every day by itself. A provider's account serves all workspaces, so the run does
    too; its answer holds numbers alone.
    """
    job = call.services.suppression_sync.start(call.workspace)
    call.record(AuditAction.SUPPRESSION_SYNC, job.id)
    return SyncAnswer.of(job)


@suppressions.get("/sync/<job_id>", scope=Scope.ADMIN)
def get_sync(job_id: str, call: CurrentCall) -> SyncAnswer:
    """Get how far a run has come. What failed at one provider stops no other."""
    return SyncAnswer.of(call.services.suppression_sync.get(call.workspace, job_id))
