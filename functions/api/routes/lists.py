"""Mailing lists."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, Name, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.model import MailingList

lists = Endpoints("lists", "/v1/lists")

_EXAMPLE: JsonDict = {"name": "Newsletter", "description": "Once a month"}


class ListBody(Body):
    """A list to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""


class ListChanges(Body):
    """What is to be changed; what is left out stays."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None


class ListAnswer(Answer):
    """A list."""

    id: str
    name: str
    description: str
    created_at: Instant

    @classmethod
    def of(cls, mailing_list: MailingList) -> ListAnswer:
        """From the domain's value."""
        return cls(
            id=mailing_list.id,
            name=mailing_list.name,
            description=mailing_list.description,
            created_at=mailing_list.created_at,
        )


class ListPage(PageAnswer[ListAnswer]):
    """A page of lists."""


@lists.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def create_list(body: ListBody, call: CurrentCall) -> ListAnswer:
    """Create a list.

    Names need not be unique; the id is what counts.
    """
    made = call.services.lists.create(call.workspace, body.name, body.description)
    call.record(AuditAction.LIST_CREATE, made.id)
    return ListAnswer.of(made)


@lists.get("", scope=Scope.SUBSCRIBERS_READ)
def list_lists(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> ListPage:
    """List the lists, oldest first."""
    page = call.services.lists.page(call.workspace, limit=limit, cursor=cursor)
    return ListPage(items=[ListAnswer.of(item) for item in page.items], cursor=page.cursor)


@lists.get("/<list_id>", scope=Scope.SUBSCRIBERS_READ)
def get_list(list_id: str, call: CurrentCall) -> ListAnswer:
    """Get a list."""
    return ListAnswer.of(call.services.lists.get(call.workspace, list_id))


@lists.patch("/<list_id>", scope=Scope.SUBSCRIBERS_WRITE)
def update_list(list_id: str, body: ListChanges, call: CurrentCall) -> ListAnswer:
    """Change a list's name or description."""
    changed = call.services.lists.update(
        call.workspace, list_id, name=body.name, description=body.description
    )
    call.record(AuditAction.LIST_CHANGE, list_id)
    return ListAnswer.of(changed)


@lists.delete("/<list_id>", scope=Scope.SUBSCRIBERS_WRITE)
def delete_list(list_id: str, call: CurrentCall) -> None:
    """Delete a list.

    Its members stay subscribers of the workspace. Campaigns can no longer be launched to it.
    """
    call.services.lists.delete(call.workspace, list_id)
    call.record(AuditAction.LIST_DELETE, list_id)
