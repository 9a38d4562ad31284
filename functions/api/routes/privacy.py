"""What is known of a person, what she agreed to, and erasing her."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import Call, CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.circumstances import Circumstances
from shared.audience.consents import MAX_TEXT, ConsentChange, ConsentRecord
from shared.audience.model import Subscriber
from shared.delivery.personal_data import MAX_INLINE_BYTES
from shared.errors import FieldProblem, InvalidInput
from shared.jobs import Job, JobState

person = Endpoints("privacy", "/v1/subscribers")
erasures = Endpoints("privacy", "/v1/erasures")

_EXAMPLE: JsonDict = {"email": "ada@example.com"}
Text = Annotated[str, Field(max_length=MAX_TEXT)]


class ConsentBody(Body):
    """How a person came to agree, as you know it."""

    how: Text = Field(examples=["checkout form"])
    text_version: Text | None = Field(
        default=None, description="Names the words she agreed to", examples=["newsletter-2026-03"]
    )
    ip: Text | None = Field(default=None, description="Of her device, not of your server")
    user_agent: Text | None = None


def circumstances(body: ConsentBody | None, call: Call) -> Circumstances:
    """For the consent record; without a body it says that a key said so."""
    if body is None:
        return Circumstances("api", actor=call.source)
    return Circumstances(body.how, body.ip, body.user_agent, body.text_version, call.source)


class ConsentAnswer(Answer):
    """One change of consent. Records are never changed."""

    change: ConsentChange
    at: Instant
    subscriber: str = Field(description="Her id at that time; of an import, its id")
    lists: list[str] = Field(description="None of them is about everything")
    detail: str = Field(
        description="A suppression's reason, the former id, an import's id or stated basis"
    )
    how: str
    actor: str | None = Field(description="Who brought it to us, e.g. `api:` and a key's id")
    ip: str | None
    user_agent: str | None
    text_version: str | None

    @classmethod
    def of(cls, record: ConsentRecord) -> ConsentAnswer:
        """From the domain's value."""
        told = record.circumstances
        return cls(
            change=record.change,
            at=record.at,
            subscriber=record.subject,
            lists=list(record.lists),
            detail=record.detail,
            how=told.how,
            actor=told.actor,
            ip=told.ip,
            user_agent=told.user_agent,
            text_version=told.text_version,
        )


class ConsentPage(PageAnswer[ConsentAnswer]):
    """A page of consent records."""

    imports: list[ConsentAnswer] = Field(
        description="What the imports say that added her: one record for all of an import's people"
    )


class DataAnswer(Answer):
    """All that is known of a person: here, or in a file if it is over 5 MB."""

    document: dict[str, Any] | None
    download: str | None = Field(description="Where to get it, for 15 minutes, if it is too large")


class ErasureBody(Body):
    """Whom to erase: either of the two."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Annotated[str, Field(max_length=320)] | None = None
    subscriber: str | None = None


class ErasureAnswer(Answer):
    """An erasure and how far it has come."""

    id: str
    state: JobState
    subscriber: str = Field(description="The id that stays on the suppression list")
    removed: dict[str, int] = Field(description="By kind, so far")
    error: str = Field(description="Why it failed, if it did")
    requested_at: Instant

    @classmethod
    def of(cls, job: Job) -> ErasureAnswer:
        """From the job."""
        return cls(
            id=job.id,
            state=job.state,
            subscriber=job.params["subscribers"][0],
            removed=job.progress,
            error=job.error,
            requested_at=job.created_at,
        )


def _hers(call: Call, subscriber_id: str) -> Subscriber:
    """The person, with those former ids alone that nobody else has taken since."""
    found = call.services.subscribers.get(call.workspace, subscriber_id)
    ids = call.services.subscribers.ids(call.workspace, found.id)
    return replace(found, previous=tuple(one for one in found.previous if one in ids))


@person.get("/<subscriber_id>/consents", scope=Scope.SUBSCRIBERS_READ)
def list_consents(
    subscriber_id: str, call: CurrentCall, limit: Limit = 50, cursor: Cursor = None
) -> ConsentPage:
    """List a subscriber's consent records, oldest first, former addresses' included."""
    found = _hers(call, subscriber_id)
    page = call.services.consents.page(found, limit=limit, cursor=cursor)
    return ConsentPage(
        items=[ConsentAnswer.of(record) for record in page.items],
        cursor=page.cursor,
        imports=[ConsentAnswer.of(record) for record in call.services.consents.of_imports(found)],
    )


@person.get("/<subscriber_id>/data", scope=Scope.SUBSCRIBERS_READ)
def get_personal_data(subscriber_id: str, call: CurrentCall) -> DataAnswer:
    """Export all that is known of a subscriber, in one document.

    Profile, lists, attributes, consents, suppressions, engagement, snapshots, messages and events,
    those of former addresses included. 404 for somebody who is deleted or erased.
    """
    found = _hers(call, subscriber_id)
    data = call.services.personal_data
    document = data.collect(found)
    call.record(AuditAction.SUBSCRIBER_READ, found.id)
    text = orjson.dumps(document)
    if len(text) > MAX_INLINE_BYTES:
        return DataAnswer(document=None, download=data.as_file(found, text))
    return DataAnswer(document=document, download=None)


@erasures.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED)
def erase_subscriber(body: ErasureBody, call: CurrentCall) -> ErasureAnswer:
    """Erase a person everywhere.

    Nothing is sent to her from this moment, by no running campaign either. A job removes record,
    events, messages, her places in plans, and the files of all the workspace's imports and exports.
    What stays are counts, her consent records without her device, and a keyed hash of the address
    on the suppression list. By address it is also for somebody who is not stored (any more).
    """
    service = call.services.erasures
    if (body.email is None) == (body.subscriber is None):
        raise InvalidInput(FieldProblem("body", "must name either email or subscriber"))
    if body.email is not None:
        job = service.by_address(call.workspace, body.email, by=call.source)
    else:
        job = service.by_id(call.workspace, body.subscriber or "", by=call.source)
    call.record(AuditAction.SUBSCRIBER_ERASE, job.params["subscribers"][0], job=job.id)
    return ErasureAnswer.of(job)


@erasures.get("/<erasure_id>", scope=Scope.SUBSCRIBERS_READ)
def get_erasure(erasure_id: str, call: CurrentCall) -> ErasureAnswer:
    """Get how far an erasure has come."""
    return ErasureAnswer.of(call.services.erasures.get(call.workspace, erasure_id))
