"""Transactional messages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, MailboxBody
from functions.api.visit import CurrentCall
from shared.access.model import Scope
from shared.delivery.messages import MessageRequest

messages = Endpoints("messages", "/v1/messages")

_EXAMPLE: JsonDict = {
    "to": {"email": "ada@example.com", "name": "Ada Lovelace"},
    "sender": {"email": "shop@example.com", "name": "Example shop"},
    "template": "tpl_06f2m1v5q0g4k8s2c7d0",
    "data": {"order": "1815-12-10"},
}


class MessageBody(Body):
    """One mail to one person: from a template, or with the parts themselves."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    to: MailboxBody
    sender: MailboxBody = Field(description="Its domain must be a verified sender domain")
    template: str | None = None
    subject: str = Field(default="", description="Instead of a template, with html or text")
    html: str = ""
    text: str = ""
    data: dict[str, Any] = Field(default_factory=dict, description="Values for the template")
    reply_to: MailboxBody | None = None
    tags: list[str] = Field(default_factory=list)

    def request(self) -> MessageRequest:
        """As the domain has it."""
        return MessageRequest(
            to=self.to.mailbox(),
            sender=self.sender.mailbox(),
            template_id=self.template,
            subject=self.subject,
            html=self.html,
            text=self.text,
            data=self.data,
            reply_to=self.reply_to.mailbox() if self.reply_to else None,
            tags=tuple(self.tags),
        )


class MessageAnswer(Answer):
    """A message that was taken on."""

    id: Annotated[str, Field(description="Comes back in every event of the message")]


@messages.post("", scope=Scope.MESSAGES_SEND, status=HTTPStatus.ACCEPTED)
def send_message(body: MessageBody, call: CurrentCall) -> MessageAnswer:
    """Send one transactional message.

    It goes out in the background. Send an `Idempotency-Key`, so that a request which is repeated
    after a time-out does not send the mail twice.
    """
    return MessageAnswer(id=call.services.messages.send(call.workspace, body.request()))


@messages.get("/<message_id>", scope=Scope.EVENTS_READ)
def get_message(message_id: str, call: CurrentCall) -> dict[str, Any]:
    """Get what became of a message, of a campaign or transactional."""
    return call.services.messages.get(call.workspace, message_id)
