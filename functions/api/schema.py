"""What bodies and answers of all nouns have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from shared.clock import to_iso
from shared.mail import Mailbox

A = TypeVar("A", bound="Answer")

MAX_PAGE = 200


class Body(BaseModel):
    """What a caller sends: its shape. What the values mean is checked by the domain.

    A field that is not known is refused, since it may be a typo.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What a caller is sent."""

    model_config = ConfigDict(frozen=True)


class PageAnswer(Answer, Generic[A]):
    """One page of a listing."""

    items: list[A]
    cursor: str | None = Field(description="Send it to get the next page; null is the end")


Name = Annotated[str, Field(min_length=1, max_length=200)]

Instant = Annotated[
    datetime,
    PlainSerializer(to_iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items per page")]
Cursor = Annotated[str | None, Query(max_length=2048, description="From the page before")]


class MailboxBody(Body):
    """An address with an optional display name."""

    email: Annotated[str, Field(min_length=3, max_length=320, examples=["ada@example.com"])]
    name: Annotated[str, Field(max_length=200, examples=["Ada Lovelace"])] = ""

    def mailbox(self) -> Mailbox:
        """As the domain has it."""
        return Mailbox(self.email, self.name)


class MailboxAnswer(Answer):
    """An address with its display name."""

    email: str
    name: str

    @classmethod
    def of(cls, mailbox: Mailbox) -> MailboxAnswer:
        """From the domain's value."""
        return cls(email=mailbox.address, name=mailbox.name)
