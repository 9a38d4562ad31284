"""Subscribers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import ConfigDict, Field, SkipValidation
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.routes.events import EventPage
from functions.api.routes.privacy import ConsentBody, circumstances
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import Call, CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.drafts import SubscriberDraft, SubscriberPatch
from shared.audience.model import Attribute, ListState, Subscriber, SuppressionReason
from shared.errors import FieldProblem, InvalidInput, NotFound

subscribers = Endpoints("subscribers", "/v1/subscribers")

_EXAMPLE: JsonDict = {
    "email": "ada@example.com",
    "lists": ["lst_06f2m1v5q0g4k8s2c7d0"],
    "attributes": {"first_name": "Ada", "orders": 3},
    "tags": ["vip"],
    "locale": "en-GB",
    "time_zone": "Europe/London",
}


Given = SkipValidation[Attribute]
"""The domain looks at it, and says in one line what is wrong; pydantic has a line for each type."""


class SubscriberBody(Body):
    """A person to be added."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Annotated[str, Field(max_length=320)]
    lists: list[str] = Field(
        default_factory=list,
        description="Ids of lists to subscribe to. A list with double opt-in makes her `pending` "
        "and asks her by mail",
    )
    attributes: dict[str, Given] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    locale: str = Field(default="", examples=["pt-BR"])
    time_zone: str = Field(default="", examples=["Europe/Berlin"])
    consent: ConsentBody | None = Field(
        default=None, description="How she came to agree; with `text_version` also after an erasure"
    )

    def draft(self) -> SubscriberDraft:
        """As the domain has it."""
        return SubscriberDraft(
            email=self.email,
            list_ids=tuple(self.lists),
            attributes=self.attributes,
            tags=tuple(self.tags),
            locale=self.locale,
            time_zone=self.time_zone,
        )


class SubscriberChanges(Body):
    """What is to be changed; what is left out stays."""

    attributes: dict[str, Given | None] | None = Field(
        default=None, description="Merged with those there are; null removes one"
    )
    tags: list[str] | None = Field(default=None, description="Instead of those there are")
    locale: str | None = None
    time_zone: str | None = None
    lists: dict[str, ListState] = Field(
        default_factory=dict,
        description="List id to what shall hold. `subscribed` puts a person back who had left, "
        "and asks nobody: you vouch for her wish. `pending` asks her by mail, on a list with "
        "double opt-in; until she confirms, all stays as it is",
        examples=[{"lst_06f2m1v5q0g4k8s2c7d0": "unsubscribed"}],
    )
    consent: ConsentBody | None = Field(default=None, description="How the change of lists came")

    def patch(self) -> SubscriberPatch:
        """As the domain has it; lists are consent and changed apart."""
        return SubscriberPatch(
            attributes=self.attributes,
            tags=None if self.tags is None else tuple(self.tags),
            locale=self.locale,
            time_zone=self.time_zone,
        )


class AddressBody(Body):
    """Somebody's new address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@new.example"}]})

    email: Annotated[str, Field(max_length=320)]
    consent: ConsentBody | None = Field(default=None, description="How she told you")


class SubscriberAnswer(Answer):
    """A person."""

    id: str
    email: str
    lists: dict[str, ListState] = Field(description="List id to the person's state on it")
    attributes: dict[str, Attribute]
    tags: list[str]
    locale: str
    time_zone: str
    suppressed: SuppressionReason | None = Field(description="Why no campaign is sent to her")
    quality: list[str] = Field(description="What is odd about the address, see the settings")
    previous: list[str] = Field(description="Ids of addresses she had before")
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, person: Subscriber) -> SubscriberAnswer:
        """From the domain's value."""
        return cls(
            id=person.id,
            email=person.address,
            lists=dict(person.lists),
            attributes=dict(person.attributes),
            tags=list(person.tags),
            locale=person.locale,
            time_zone=person.time_zone,
            suppressed=person.suppressed,
            quality=list(person.quality),
            previous=list(person.previous),
            created_at=person.created_at,
            updated_at=person.updated_at,
        )


class SubscriberPage(PageAnswer[SubscriberAnswer]):
    """A page of people."""


class DeletionAnswer(Answer):
    """A deletion that was begun."""

    job: str = Field(description="The job that removes what is kept of the person")


@subscribers.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def create_subscriber(body: SubscriberBody, call: CurrentCall) -> SubscriberAnswer:
    """Add a subscriber.

    The id depends on the workspace and the address alone. 409 if there is one of that address, or
    if it was erased and `consent` does not name the text she has agreed to since.
    """
    person = call.services.subscribers.create(
        call.workspace, body.draft(), circumstances=circumstances(body.consent, call)
    )
    call.record(AuditAction.SUBSCRIBER_CREATE, person.id)
    call.services.opt_in.ask_pending(person, body.lists)
    return SubscriberAnswer.of(person)


@subscribers.put("", scope=Scope.SUBSCRIBERS_WRITE)
def upsert_subscriber(body: SubscriberBody, call: CurrentCall) -> SubscriberAnswer:
    """Add a subscriber, or add to the one of that address.

    Attributes and tags are merged, what is left out or blank stays. Nobody is put back on a list
    that she has left. Who is pending is asked again, if the last mail is 10 minutes old, and at
    most five times a day.
    """
    person, new = call.services.subscribers.upsert(
        call.workspace, body.draft(), circumstances=circumstances(body.consent, call)
    )
    action = AuditAction.SUBSCRIBER_CREATE if new else AuditAction.SUBSCRIBER_CHANGE
    call.record(action, person.id)
    call.services.opt_in.ask_pending(person, body.lists)
    return SubscriberAnswer.of(person)


@subscribers.get("", scope=Scope.SUBSCRIBERS_READ)
def list_subscribers(
    call: CurrentCall,
    list_id: Annotated[str | None, Query(alias="list", description="Only this list's")] = None,
    email: Annotated[str | None, Query(description="Only the one of this address")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SubscriberPage:
    """List the subscribers, all or a list's, or find one by address.

    A page of a list may hold fewer than `limit` and not be the last: go on while there is a cursor.
    """
    service = call.services.subscribers
    if email is not None:
        try:
            found = [SubscriberAnswer.of(service.find(call.workspace, email))]
        except NotFound:
            found = []
        return SubscriberPage(items=found, cursor=None)
    page = service.page(call.workspace, limit=limit, cursor=cursor, list_id=list_id)
    items = [SubscriberAnswer.of(person) for person in page.items]
    return SubscriberPage(items=items, cursor=page.cursor)


@subscribers.get("/<subscriber_id>", scope=Scope.SUBSCRIBERS_READ)
def get_subscriber(subscriber_id: str, call: CurrentCall) -> SubscriberAnswer:
    """Get a subscriber.

    The id of an address that was changed leads on to the person's present record.
    """
    return SubscriberAnswer.of(call.services.subscribers.get(call.workspace, subscriber_id))


@subscribers.patch("/<subscriber_id>", scope=Scope.SUBSCRIBERS_WRITE)
def update_subscriber(
    subscriber_id: str, body: SubscriberChanges, call: CurrentCall
) -> SubscriberAnswer:
    """Change a subscriber's attributes, tags, locale, time zone or lists.

    An address is changed by `POST /v1/subscribers/{subscriber_id}/address`.
    """
    service = call.services.subscribers
    _check_lists(call, body.lists)
    told = circumstances(body.consent, call)
    changed = service.update(call.workspace, subscriber_id, body.patch())
    for list_id, state in body.lists.items():
        if state is ListState.SUBSCRIBED:
            changed = service.subscribe(call.workspace, subscriber_id, list_id, circumstances=told)
        elif state is ListState.PENDING:
            changed = call.services.opt_in.ask(
                call.workspace, subscriber_id, list_id, circumstances=told
            )
        else:
            changed = service.unsubscribe(
                call.workspace, subscriber_id, list_id, source=call.source, circumstances=told
            )
    call.record(AuditAction.SUBSCRIBER_CHANGE, changed.id)
    return SubscriberAnswer.of(changed)


@subscribers.post("/<subscriber_id>/address", scope=Scope.SUBSCRIBERS_WRITE)
def change_address(subscriber_id: str, body: AddressBody, call: CurrentCall) -> SubscriberAnswer:
    """Change a subscriber's address.

    The answer has another id, which takes over lists, attributes and consent; the old one leads on
    to it, and events from before are listed for both. An unsubscription or complaint goes along, a
    hard bounce stays with the old address. 409 if somebody has the new address.
    """
    person = call.services.address_changes.change(
        call.workspace,
        subscriber_id,
        body.email,
        circumstances=circumstances(body.consent, call),
    )
    call.record(AuditAction.SUBSCRIBER_READDRESS, subscriber_id, new=person.id)
    return SubscriberAnswer.of(person)


@subscribers.delete("/<subscriber_id>", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.ACCEPTED)
def delete_subscriber(subscriber_id: str, call: CurrentCall) -> DeletionAnswer:
    """Delete a subscriber.

    The person is gone from every answer at once; a job removes what is kept. An entry on the
    suppression list stays.
    """
    job = call.services.subscribers.delete(call.workspace, subscriber_id)
    call.record(AuditAction.SUBSCRIBER_DELETE, subscriber_id, job=job)
    return DeletionAnswer(job=job)


@subscribers.get("/<subscriber_id>/events", scope=Scope.EVENTS_READ)
def list_subscriber_events(
    subscriber_id: str, call: CurrentCall, limit: Limit = 50, cursor: Cursor = None
) -> EventPage:
    """List a subscriber's events, newest first.

    Those from before a change of address are among them.
    """
    present, *former = call.services.subscribers.ids(call.workspace, subscriber_id)
    page = call.services.engagements.page_of_subscriber(
        call.workspace, present, limit=limit, cursor=cursor, former=former
    )
    return EventPage.of(page, call.services.message_ids)


def _check_lists(call: Call, lists: dict[str, Any]) -> None:
    problems = []
    for list_id in lists:
        try:
            call.services.lists.get(call.workspace, list_id)
        except NotFound:
            problems.append(FieldProblem(f"lists.{list_id}", "is no list of this workspace"))
    if problems:
        raise InvalidInput(problems)
