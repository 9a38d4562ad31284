"""Transactional messages: one recipient with copies, its own chunk, ahead of all bulk mail."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared import ids as kinds
from shared.analytics.ports import EngagementStore
from shared.audience.ports import BlobStore
from shared.clock import Clock, from_iso, to_iso
from shared.content.compiled import Rendered
from shared.content.ports import TemplateStore
from shared.delivery.composing import MessageRequest, OnDoubt, check_fit, checked, load_of
from shared.delivery.finding import find_message
from shared.delivery.lookups import Lookups
from shared.delivery.model import ChunkKey, ChunkPlan, ChunkRecord, DueItem, marker
from shared.delivery.outcomes import Change, changed, fresh
from shared.delivery.ports import ChunkQueue, DueStore, LedgerStore, SenderCheck
from shared.delivery.routing import Candidate
from shared.delivery.states import RecipientState
from shared.errors import FieldProblem, InvalidInput, StaleWrite, WrongState
from shared.ids import TRANSACTIONAL_CHUNK, Ids, MessageIds, MessageRef, SubscriberIds
from shared.mail import Mailbox
from shared.retention import KeptFor, by_default

MAX_CONTENT_BYTES = 256 * 1024
"""A message's content and data as JSON, without its attachments."""

MAX_BATCH = 500

INLINE_BYTES = 16 * 1024
"""Content above this, and every attachment, is kept in a file; DynamoDB bills each KB."""

REPEATS_WITHIN = timedelta(hours=24)
"""How long the same request under the same idempotency key is the same message."""

CANCELLED = "cancelled"
_FILE = "application/json"
_LOOK_AFTER = timedelta(minutes=3)
_QUEUE_DELAY = timedelta(minutes=15)
"""The longest that SQS holds a message back."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message that is in order and not stored yet. `file` is what goes beside the plan."""

    plan: ChunkPlan
    file: bytes | None
    send_at: datetime | None


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
        blobs: BlobStore,
        candidates: Callable[[], Sequence[Candidate]],
        sender_check: SenderCheck,
        message_ids: MessageIds,
        subscriber_ids: SubscriberIds,
        ids: Ids,
        clock: Clock,
        kept: KeptFor = by_default,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._due = due
        self._engagements = engagements
        self._templates = templates
        self._blobs = blobs
        self._candidates = candidates
        self._sender_check = sender_check
        self._message_ids = message_ids
        self._subscriber_ids = subscriber_ids
        self._ids = ids
        self._clock = clock
        self._kept = kept

    def send(self, workspace: str, request: MessageRequest, *, once: str = "") -> str:
        """Takes a message in and returns its id; it is sent within seconds, or at `send_at`.

        The same request under the same `once` is the same message for 24
        hours, even if an earlier call died half-way.

        Raises:
            InvalidInput: names each field at fault; the content is rendered
                once, so that a template that fails with this data is refused.
        """
        [result] = self.send_batch(workspace, [request], once=once)
        if isinstance(result, InvalidInput):
            raise result
        return result

    def send_batch(
        self, workspace: str, requests: Sequence[MessageRequest], *, once: str = ""
    ) -> list[str | InvalidInput]:
        """For each message its id, or what is wrong with it, in the same order.

        All are checked before the first is stored. A bad one does not keep the
        others from being sent. `once` is as for `send`, place by place.

        Raises:
            DependencyUnavailable: some may have been taken in; the same call
                with the same `once` takes in the rest and repeats none.
        """
        lookups = Lookups(self._templates, self._sender_check, workspace)
        candidates = self._candidates()
        results: list[_Prepared | InvalidInput] = []
        for place, request in enumerate(requests):
            identity = f"{once}\n{place}" if once else ""
            try:
                results.append(self._prepared(workspace, request, identity, lookups, candidates))
            except InvalidInput as error:
                results.append(error)
        stored = [
            one if isinstance(one, InvalidInput) else self._stored(one, once) for one in results
        ]
        self._released([one for one in stored if not isinstance(one, InvalidInput)])
        return [
            one if isinstance(one, InvalidInput) else self._id_of(one.plan.key) for one in stored
        ]

    def preview(self, workspace: str, request: MessageRequest) -> Rendered:
        """The mail as it would be. Nothing is stored. Raises InvalidInput as `send`."""
        lookups = Lookups(self._templates, self._sender_check, workspace)
        request = checked(request, self._clock.now())
        lookups.check_sender(request.sender.address)
        return lookups.content(request)[1]

    def cancel(self, workspace: str, message_id: str) -> None:
        """Keeps a message from being sent. Cancelling again changes nothing.

        It claims the message as a dispatcher would, so that only one of them gets it.

        Raises:
            NotFound: no message of this workspace has that id.
            WrongState: it went, is going just now, or belongs to a campaign.
        """
        ref, record = self._found(workspace, message_id)
        if not ref.transactional:
            raise WrongState("the message belongs to a campaign; cancel the campaign instead")
        outcome = record.outcome or fresh(record.plan.key, len(record.plan.subscribers))
        state = outcome.state_of(0)
        if state is RecipientState.SKIPPED and outcome.reason_of(0) == CANCELLED:
            return
        if state is not RecipientState.PENDING:
            raise WrongState(f"the message is {state.word} already; it cannot be cancelled")
        claim = record.unrecorded
        attempts = record.attempts
        if claim is None:
            claim = marker(record.plan.key, outcome.attempt + 1, CANCELLED, self._clock.now())
            attempts += (claim,)
            if not self._ledger.begin(claim):
                raise WrongState("the message is being sent just now; it cannot be cancelled")
        elif claim.owner != CANCELLED:  # else an earlier cancellation died here
            raise WrongState("the message is being sent just now; it cannot be cancelled")
        change = Change(0, RecipientState.SKIPPED, CANCELLED)
        try:
            self._ledger.save_outcome(changed(outcome, [change], attempts, claim.number))
        except StaleWrite as error:
            raise WrongState("the message changed just now; look at it again") from error

    def get(self, workspace: str, message_id: str) -> dict[str, Any]:
        """A message's story: state, provider, why, and every event. Campaign mail too.

        Raises:
            NotFound: no message of this workspace has that id.
        """
        ref, record = self._found(workspace, message_id)
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
            **_as_asked(record.plan.message),
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

    def _found(self, workspace: str, message_id: str) -> tuple[MessageRef, ChunkRecord]:
        return find_message(self._ledger, self._message_ids, workspace, message_id)

    def _prepared(
        self,
        workspace: str,
        request: MessageRequest,
        identity: str,
        lookups: Lookups,
        candidates: Sequence[Candidate],
    ) -> _Prepared:
        now = self._clock.now()
        name = self._name(workspace, request, identity)
        request = checked(request, now)
        lookups.check_sender(request.sender.address)
        content, rendered = lookups.content(request)
        body = {"data": dict(request.data), **content}
        size = len(orjson.dumps(body))
        if size > MAX_CONTENT_BYTES:
            raise InvalidInput(
                FieldProblem("data", f"and content exceed {MAX_CONTENT_BYTES} bytes together")
            )
        load = load_of(request, rendered)
        check_fit(request, load, candidates)
        key = ChunkKey(workspace, name, TRANSACTIONAL_CHUNK)
        message = {**self._envelope(workspace, request), "at": to_iso(now), "size": load.size}
        file = None
        if request.attachments or size > INLINE_BYTES:
            files = [attachment.content for attachment in request.attachments]
            file = orjson.dumps({**body, "files": files})
            message["file"] = f"{workspace}/messages/{name}"
        else:
            message |= body
        plan = ChunkPlan(
            key=key,
            subscribers=(self._subscriber_ids.of(workspace, request.to.address),),
            message=message,
            expires_at=(request.send_at or now)
            + timedelta(days=self._kept(workspace).message_days),
        )
        return _Prepared(plan, file, request.send_at)

    def _name(self, workspace: str, request: MessageRequest, identity: str) -> str:
        """The id under which the message stands in the ledger.

        What is sent under an idempotency key has one that only depends on the
        key and the request, so that the plan of a repeated call is there already.
        """
        if not identity:
            return self._ids.new(kinds.CAMPAIGN)
        text = orjson.dumps([workspace, identity, request], option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(text, digest_size=kinds.ID_BYTES).digest()
        return kinds.to_text(kinds.CAMPAIGN, digest)

    def _envelope(self, workspace: str, request: MessageRequest) -> dict[str, Any]:
        """All of a message but its content, as the plan keeps it; what is empty is left out."""

        def copies(boxes: Sequence[Mailbox]) -> list[dict[str, str]]:
            subscriber = self._subscriber_ids.of
            return [
                {**_plain(box), "subscriber": subscriber(workspace, box.address)} for box in boxes
            ]

        optional = {
            "reply_to": _plain(request.reply_to) if request.reply_to else None,
            "cc": copies(request.cc),
            "bcc": copies(request.bcc),
            "headers": dict(request.headers),
            "tags": list(request.tags),
            "metadata": dict(request.metadata),
            "attachments": [
                {
                    "filename": file.filename,
                    "content_type": file.content_type,
                    "size": file.size,
                    "content_id": file.content_id,
                }
                for file in request.attachments
            ],
            "send_at": to_iso(request.send_at) if request.send_at else None,
            "on_doubt": request.on_doubt.value if request.on_doubt is not OnDoubt.HOLD else None,
        }
        return {
            "to": _plain(request.to),
            "sender": _plain(request.sender),
            **{name: value for name, value in optional.items() if value},
        }

    def _stored(self, one: _Prepared, once: str) -> _Prepared:
        """The message with the plan that is in the ledger now."""
        message = one.plan.message or {}
        if one.file is not None:
            self._blobs.put(message["file"], one.file, content_type=_FILE)
        stored = self._ledger.put_plan(one.plan)
        taken = (stored.message or {}).get("at", "")
        if once and from_iso(taken) + REPEATS_WITHIN <= self._clock.now():
            key = replace(one.plan.key, campaign=self._ids.new(kinds.CAMPAIGN))
            self._ledger.put_plan(replace(one.plan, key=key))
            return replace(one, plan=replace(one.plan, key=key))
        return one

    def _released(self, messages: Sequence[_Prepared]) -> None:
        """Books a look at each message, and queues those whose time is near."""
        now = self._clock.now()
        due, queued = [], defaultdict[int, list[ChunkKey]](list)
        for one in messages:
            wait = max(timedelta(), (one.send_at or now) - now)
            soon = wait <= _QUEUE_DELAY
            due.append(DueItem(now + wait + (_LOOK_AFTER if soon else timedelta()), one.plan.key))
            if soon:
                queued[math.ceil(wait.total_seconds())].append(one.plan.key)
        self._due.add(due)
        for delay_s, keys in queued.items():
            self._queue.send(keys, delay_s=delay_s)

    def _id_of(self, key: ChunkKey) -> str:
        return self._message_ids.make(MessageRef(key.workspace, key.campaign, key.chunk, 0))


def _plain(box: Mailbox) -> dict[str, str]:
    return {"address": box.address, "name": box.name}


def _as_asked(message: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the story of a transactional message says of the request; nothing of a campaign's."""
    if message is None:
        return {}
    return {
        "send_at": message.get("send_at"),
        "on_doubt": message.get("on_doubt", OnDoubt.HOLD.value),
        "tags": message.get("tags", []),
        "metadata": message.get("metadata", {}),
        "attachments": [
            {name: file[name] for name in ("filename", "content_type", "size")}
            for file in message.get("attachments", ())
        ],
    }
