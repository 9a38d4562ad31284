"""Transactional messages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Instant, MailboxBody
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.delivery.composing import MessageRequest, OnDoubt
from shared.delivery.messages import MAX_BATCH
from shared.errors import InvalidInput
from shared.mail import Attachment

messages = Endpoints("messages", "/v1/messages")

_EXAMPLE: JsonDict = {
    "to": {"email": "ada@example.com", "name": "Ada Lovelace"},
    "sender": {"email": "shop@example.com", "name": "Example shop"},
    "template": "tpl_06f2m1v5q0g4k8s2c7d0",
    "data": {"order": "1815-12-10"},
}


class AttachmentBody(Body):
    """A file that goes with the mail."""

    filename: str
    content_type: Annotated[str, Field(examples=["application/pdf"])]
    content: str = Field(description="The file in base64, without line breaks")
    content_id: str = Field(
        default="", description="Makes the file inline: the HTML shows it as `cid:<content_id>`"
    )

    def attachment(self) -> Attachment:
        """As the domain has it."""
        return Attachment(self.filename, self.content_type, self.content, self.content_id)


class MessageBody(Body):
    """One mail: from a template, or with the parts themselves."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    to: MailboxBody = Field(description="The one whom the message is accounted to")
    sender: MailboxBody = Field(description="Its domain must be a verified sender domain")
    template: str | None = None
    subject: str = Field(default="", description="Instead of a template, with html or text")
    html: str = ""
    text: str = ""
    data: dict[str, Any] = Field(default_factory=dict, description="Values for the template")
    reply_to: MailboxBody | None = None
    cc: list[MailboxBody] = Field(
        default_factory=list, description="Copies that all recipients see; to, cc and bcc: 50"
    )
    bcc: list[MailboxBody] = Field(default_factory=list, description="Copies that nobody sees")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers, at most 10")
    attachments: list[AttachmentBody] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, str] = Field(
        default_factory=dict, description="At most 9 entries of 20 and 80 characters, for you"
    )
    send_at: Instant | None = Field(
        default=None, description="Not before then; up to 28 days ahead"
    )
    on_doubt: OnDoubt = Field(
        default=OnDoubt.HOLD,
        description="If nobody can say whether the mail was accepted: wait for proof, or resend",
    )

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
            cc=tuple(one.mailbox() for one in self.cc),
            bcc=tuple(one.mailbox() for one in self.bcc),
            headers=self.headers,
            attachments=tuple(one.attachment() for one in self.attachments),
            tags=tuple(self.tags),
            metadata=self.metadata,
            send_at=self.send_at,
            on_doubt=self.on_doubt,
        )


class BatchBody(Body):
    """Messages that have nothing to do with one another."""

    messages: Annotated[list[MessageBody], Field(min_length=1, max_length=MAX_BATCH)]


class MessageAnswer(Answer):
    """A message that was taken on."""

    id: Annotated[str, Field(description="Comes back in every event of the message")]


class FieldError(Answer):
    """One thing wrong with one field."""

    field: str
    reason: str


class BatchItem(Answer):
    """What became of one message of a batch: its id, or what is wrong with it."""

    id: str | None = None
    errors: list[FieldError] = Field(default_factory=list)

    @classmethod
    def of(cls, result: str | InvalidInput) -> BatchItem:
        """From the domain's result."""
        if isinstance(result, InvalidInput):
            problems = result.problems
            return cls(errors=[FieldError(field=p.field, reason=p.reason) for p in problems])
        return cls(id=result)


class BatchAnswer(Answer):
    """The results, in the order of the messages."""

    messages: list[BatchItem]


@messages.post("", scope=Scope.MESSAGES_SEND, status=HTTPStatus.ACCEPTED, large=True)
def send_message(body: MessageBody, call: CurrentCall) -> MessageAnswer:
    """Send one transactional message.

    It goes out in the background. Send an `Idempotency-Key`, so that a request which is repeated
    after a time-out does not send the mail twice; it is kept for 24 hours. The request may have
    5 MiB, attachments included.
    """
    sent = call.services.messages.send(call.workspace, body.request(), once=call.once)
    return MessageAnswer(id=sent)


@messages.post("/batch", scope=Scope.MESSAGES_SEND, status=HTTPStatus.ACCEPTED, large=True)
def send_messages(body: BatchBody, call: CurrentCall) -> BatchAnswer:
    """Send up to 500 transactional messages.

    All are checked before the first is taken on. Each then has an id or its own errors, in the
    order of the request: a bad one does not keep the others from being sent. A request that has
    not the right form is refused as a whole. One `Idempotency-Key` covers all of it.
    """
    requests = [one.request() for one in body.messages]
    results = call.services.messages.send_batch(call.workspace, requests, once=call.once)
    return BatchAnswer(messages=[BatchItem.of(result) for result in results])


@messages.get("/<message_id>", scope=Scope.EVENTS_READ)
def get_message(message_id: str, call: CurrentCall) -> dict[str, Any]:
    """Get what became of a message, of a campaign or transactional.

    A transactional message can be looked up for 30 days after its time.
    """
    return call.services.messages.get(call.workspace, message_id)


@messages.delete("/<message_id>", scope=Scope.MESSAGES_SEND)
def cancel_message(message_id: str, call: CurrentCall) -> None:
    """Cancel a transactional message that has not gone yet.

    The answer is 409 if it went, or is being sent at this moment.
    """
    call.services.messages.cancel(call.workspace, message_id)
    call.record(AuditAction.MESSAGE_CANCEL, message_id)
