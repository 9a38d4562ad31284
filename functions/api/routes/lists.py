"""Mailing lists."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import (
    Answer,
    Body,
    Cursor,
    Instant,
    Limit,
    MailboxAnswer,
    MailboxBody,
    Name,
    PageAnswer,
)
from functions.api.visit import Call, CurrentCall
from shared.access.model import AuditAction, Scope
from shared.audience.lists import Unchanged
from shared.audience.model import DoubleOptIn, MailingList

lists = Endpoints("lists", "/v1/lists")

_EXAMPLE: JsonDict = {
    "name": "Newsletter",
    "description": "Once a month",
    "public": True,
    "double_opt_in": {"sender": {"email": "news@example.com", "name": "Example"}},
}

_OPT_IN = "Who joins is asked by mail first, and subscribed once she confirms"
_PUBLIC = "Whether everybody sees it in the preference centre"


class DoubleOptInBody(Body):
    """The mail that asks people to confirm."""

    sender: MailboxBody = Field(description="Its domain must be a verified sender domain")
    template: str = Field(
        default="",
        description="Shows `data.confirm_url`, and may show `data.list` and `data.language`; "
        "left out: the shipped mail, in the person's language",
    )

    def opt_in(self) -> DoubleOptIn:
        """As the domain has it."""
        return DoubleOptIn(self.sender.mailbox(), self.template)


class ListBody(Body):
    """A list to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""
    public: bool = Field(default=False, description=_PUBLIC)
    double_opt_in: DoubleOptInBody | None = Field(default=None, description=_OPT_IN)


class ListChanges(Body):
    """What is to be changed; what is left out stays."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    public: bool | None = Field(default=None, description=_PUBLIC)
    double_opt_in: DoubleOptInBody | None = Field(
        default=None, description=f"{_OPT_IN}; null ends it, for who joins from then on"
    )

    def opt_in(self) -> DoubleOptIn | Unchanged | None:
        """As the domain has it."""
        if "double_opt_in" not in self.model_fields_set:
            return Unchanged.UNCHANGED
        return self.double_opt_in.opt_in() if self.double_opt_in else None


class DoubleOptInAnswer(Answer):
    """The mail that asks people to confirm."""

    sender: MailboxAnswer
    template: str


class ListAnswer(Answer):
    """A list."""

    id: str
    name: str
    description: str
    public: bool
    double_opt_in: DoubleOptInAnswer | None
    form_url: str | None = Field(description="The page where people sign up; with double opt-in")
    created_at: Instant

    @classmethod
    def of(cls, mailing_list: MailingList, form_url: str) -> ListAnswer:
        """From the domain's value."""
        opt_in = mailing_list.double_opt_in
        return cls(
            id=mailing_list.id,
            name=mailing_list.name,
            description=mailing_list.description,
            public=mailing_list.public,
            double_opt_in=DoubleOptInAnswer(
                sender=MailboxAnswer.of(opt_in.sender), template=opt_in.template_id
            )
            if opt_in
            else None,
            form_url=form_url or None,
            created_at=mailing_list.created_at,
        )


class ListPage(PageAnswer[ListAnswer]):
    """A page of lists."""


@lists.post("", scope=Scope.SUBSCRIBERS_WRITE, status=HTTPStatus.CREATED)
def create_list(body: ListBody, call: CurrentCall) -> ListAnswer:
    """Create a list.

    Names need not be unique; the id is what counts.
    """
    opt_in = body.double_opt_in.opt_in() if body.double_opt_in else None
    call.services.opt_in.check(call.workspace, opt_in)
    made = call.services.lists.create(
        call.workspace, body.name, body.description, public=body.public, double_opt_in=opt_in
    )
    call.record(AuditAction.LIST_CREATE, made.id)
    return _answer(call, made)


@lists.get("", scope=Scope.SUBSCRIBERS_READ)
def list_lists(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> ListPage:
    """List the lists, oldest first."""
    page = call.services.lists.page(call.workspace, limit=limit, cursor=cursor)
    return ListPage(items=[_answer(call, item) for item in page.items], cursor=page.cursor)


@lists.get("/<list_id>", scope=Scope.SUBSCRIBERS_READ)
def get_list(list_id: str, call: CurrentCall) -> ListAnswer:
    """Get a list."""
    return _answer(call, call.services.lists.get(call.workspace, list_id))


@lists.patch("/<list_id>", scope=Scope.SUBSCRIBERS_WRITE)
def update_list(list_id: str, body: ListChanges, call: CurrentCall) -> ListAnswer:
    """Change a list's name, description, or how people join it.

    Who is subscribed stays so, and a link to confirm that was mailed before still works.
    """
    opt_in = body.opt_in()
    if isinstance(opt_in, DoubleOptIn):
        call.services.opt_in.check(call.workspace, opt_in)
    changed = call.services.lists.update(
        call.workspace,
        list_id,
        name=body.name,
        description=body.description,
        public=body.public,
        double_opt_in=opt_in,
    )
    call.record(AuditAction.LIST_CHANGE, list_id)
    return _answer(call, changed)


@lists.delete("/<list_id>", scope=Scope.SUBSCRIBERS_WRITE)
def delete_list(list_id: str, call: CurrentCall) -> None:
    """Delete a list.

    Its members stay subscribers of the workspace. Campaigns can no longer be launched to it.
    """
    call.services.lists.delete(call.workspace, list_id)
    call.record(AuditAction.LIST_DELETE, list_id)


def _answer(call: Call, mailing_list: MailingList) -> ListAnswer:
    return ListAnswer.of(mailing_list, call.services.opt_in.form_url(mailing_list))
