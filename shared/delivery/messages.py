"""Transactional messages: one recipient, its own chunk, ahead of all bulk mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from shared import ids as kinds
from shared.analytics.ports import EngagementStore
from shared.audience.addresses import normalise
from shared.clock import Clock, to_iso
from shared.content.compiled import CompiledTemplate, check_parts, render_directly
from shared.content.model import TemplateSource
from shared.content.ports import TemplateStore
from shared.delivery.campaigns import check_mailbox, check_tags
from shared.delivery.model import ChunkKey, ChunkPlan, DueItem
from shared.delivery.ports import ChunkQueue, DueStore, LedgerStore, SenderCheck
from shared.delivery.states import RecipientState
from shared.errors import FieldProblem, ForgedToken, InvalidInput, NotFound
from shared.ids import TRANSACTIONAL_CHUNK, Ids, MessageIds, MessageRef, SubscriberIds
from shared.mail import Mailbox

MAX_MESSAGE_BYTES = 256 * 1024
"""A message's content and data as JSON; DynamoDB's item limit is 400 KB."""

_LOOK_AFTER = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """One transactional message: a template's id, or the parts themselves."""

    to: Mailbox
    sender: Mailbox
    template_id: str | None = None
    subject: str = ""
    html: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    reply_to: Mailbox | None = None
    tags: tuple[str, ...] = ()


class MessageService:
    """What the API does with transactional messages."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        queue: ChunkQueue,
        due: DueStore,
        engagements: EngagementStore,
        templates: TemplateStore,
        sender_check: SenderCheck,
        message_ids: MessageIds,
        subscriber_ids: SubscriberIds,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._due = due
        self._engagements = engagements
        self._templates = templates
        self._sender_check = sender_check
        self._message_ids = message_ids
        self._subscriber_ids = subscriber_ids
        self._ids = ids
        self._clock = clock

    def send(self, workspace: str, request: MessageRequest) -> str:
        """Takes a message in and returns its id; it is sent within seconds.

        Raises:
            InvalidInput: names each field at fault; the content is rendered
                once, so that a template that fails with this data is refused.
        """
        address = _recipient(request.to.address)
        problems = check_mailbox("sender", request.sender) + check_tags(request.tags)
        if not request.to.name.isprintable():
            problems.append(FieldProblem("to.name", "must be one line, without line breaks"))
        if request.reply_to:
            problems += check_mailbox("reply_to", request.reply_to)
        if bool(request.template_id) == bool(request.subject or request.html or request.text):
            problems.append(
                FieldProblem("template", "give either a template or subject with html or text")
            )
        if problems:
            raise InvalidInput(problems)
        self._sender_check.check_sender(workspace, request.sender.address)
        content = self._content(workspace, request)
        message = {
            "to": {"address": address, "name": request.to.name},
            "sender": {"address": request.sender.address, "name": request.sender.name},
            "data": dict(request.data),
            "tags": list(request.tags),
            **content,
        }
        if request.reply_to:
            reply_to = request.reply_to
            message["reply_to"] = {"address": reply_to.address, "name": reply_to.name}
        if len(orjson.dumps(message)) > MAX_MESSAGE_BYTES:
            raise InvalidInput(
                FieldProblem("data", f"and content exceed {MAX_MESSAGE_BYTES} bytes together")
            )
        key = ChunkKey(workspace, self._ids.new(kinds.CAMPAIGN), TRANSACTIONAL_CHUNK)
        person = self._subscriber_ids.of(workspace, address)
        self._ledger.put_plan(ChunkPlan(key=key, subscribers=(person,), message=message))
        self._due.add([DueItem(self._clock.now() + _LOOK_AFTER, key)])
        self._queue.send([key])
        return self._message_ids.make(MessageRef(workspace, key.campaign, key.chunk, 0))

    def get(self, workspace: str, message_id: str) -> dict[str, Any]:
        """A message's story: state, provider, why, and every event. Campaign mail too.

        Raises:
            NotFound: no message of this workspace has that id.
        """
        try:
            ref = self._message_ids.parse(message_id)
        except ForgedToken as error:
            raise NotFound("message", message_id) from error
        if ref.workspace != workspace:
            raise NotFound("message", message_id)
        key = ChunkKey(workspace, ref.campaign, ref.chunk)
        record = self._ledger.record(key)
        if ref.index >= len(record.plan.subscribers):
            raise NotFound("message", message_id)
        outcome = record.outcome
        state = outcome.state_of(ref.index) if outcome else RecipientState.PENDING
        attempts = [
            {
                "number": attempt.number,
                "provider": attempt.provider_of(ref.index),
                "routing": dict(attempt.routing),
            }
            for attempt in record.attempts
            if attempt.provider_of(ref.index)
        ]
        events = [
            engagement
            for engagement in self._engagements.of_chunk(workspace, ref.campaign, ref.chunk)
            if engagement.ref.index == ref.index
        ]
        return {
            "id": message_id,
            "campaign": None if ref.transactional else ref.campaign,
            "subscriber": record.plan.subscribers[ref.index],
            "state": state.word,
            "reason": outcome.reason_of(ref.index) if outcome else "",
            "attempts": attempts,
            "events": [
                {
                    "type": e.event.type.value,
                    "provider": e.event.provider,
                    "at": to_iso(e.event.occurred_at),
                    "detail": e.event.detail,
                }
                for e in events
            ],
        }

    def _content(self, workspace: str, request: MessageRequest) -> dict[str, Any]:
        if request.template_id:
            try:
                template = self._templates.get(workspace, request.template_id)
            except NotFound as error:
                problem = FieldProblem("template", f"there is no template {request.template_id!r}")
                raise InvalidInput(problem) from error
            render_directly(template.source, {"data": dict(request.data)})
            return {"template_id": template.id, "template_version": template.version}
        source = TemplateSource(request.subject, request.html, request.text)
        check_parts(source)
        render_directly(source, {"data": dict(request.data)})
        CompiledTemplate(source)
        parts = {"subject": source.subject, "html": source.html, "text": source.text}
        return {"content": parts}


def _recipient(address: str) -> str:
    try:
        return normalise(address)
    except InvalidInput as error:
        problems = [FieldProblem("to.email", problem.reason) for problem in error.problems]
        raise InvalidInput(problems) from error
