"""Sending one chunk: claim, re-check, route, take tokens, record intent, send, record outcome.

The order is the promise. Tokens are taken and the attempt is recorded before
anything is posted; after a crash the recorded attempt says who may have been
mailed, and they are never blindly mailed again. What a provider surely did not
take goes to the next provider in the next round of the same run.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock, from_iso
from shared.delivery.admitting import Admission
from shared.delivery.assigning import Assigner, Assignment
from shared.delivery.choices import Addressee
from shared.delivery.mailbox_groups import MailboxGroups
from shared.delivery.mailing import Mailing, Mailings, Person
from shared.delivery.model import (
    GROUPS,
    Attempt,
    Campaign,
    ChunkKey,
    ChunkRecord,
    DueItem,
)
from shared.delivery.monitoring import Posted
from shared.delivery.moving import pause
from shared.delivery.outcomes import STATE_OF_VERDICT, Change, fresh
from shared.delivery.ports import CampaignStore, ChunkQueue, DueStore, LedgerStore, SenderCheck
from shared.delivery.posting import Poster, Share
from shared.delivery.rates import Grant
from shared.delivery.recording import Recorder, Run
from shared.delivery.routing import NO_ROUTE, Candidate
from shared.delivery.schedule import ENDED, Schedule
from shared.delivery.states import CampaignState, RecipientState
from shared.delivery.switches import Switches
from shared.delivery.tokens import Tokens
from shared.errors import DependencyUnavailable, InvalidInput, NotFound, StaleWrite, TemplateInvalid
from shared.ids import MessageIds
from shared.mail import (
    MailboxGroup,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Verdict,
)

LEASE_GRACE = timedelta(seconds=15)
"""How long after its deadline an attempt without an outcome is taken for lost."""

_QUEUE_DELAY_S = 60
_LOOK_AFTER_PAUSE = timedelta(minutes=1)
_FIRST_BACKOFF_S = 5
_LAST_BACKOFF_S = 900


class Dispatcher:
    """Sends chunks. `candidates` are the deployment's providers."""

    def __init__(
        self,
        *,
        campaigns: CampaignStore,
        ledger: LedgerStore,
        queue: ChunkQueue,
        due: DueStore,
        tokens: Tokens,
        assigner: Assigner,
        mailings: Mailings,
        mailbox_groups: MailboxGroups,
        message_ids: MessageIds,
        sender_check: SenderCheck,
        candidates: tuple[Candidate, ...],
        poster: Poster,
        switches: Switches,
        clock: Clock,
        new_owner: Callable[[], str],
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._queue = queue
        self._due = due
        self._tokens = tokens
        self._assigner = assigner
        self._mailings = mailings
        self._mailbox_groups = mailbox_groups
        self._message_ids = message_ids
        self._sender_check = sender_check
        self._candidates = candidates
        self._poster = poster
        self._switches = switches
        self._admission = Admission(tokens, clock)
        self._recorder = Recorder(ledger)
        self._clock = clock
        self._new_owner = new_owner

    def run(self, key: ChunkKey, deadline: datetime) -> Run:
        """Sends what is pending in a chunk. Running it again is harmless.

        Raises:
            NotFound: the chunk was never planned.
            DependencyUnavailable: DynamoDB or SQS did not answer; run it again.
        """
        record = self._ledger.record(key)
        outcome = record.outcome or fresh(key, len(record.plan.subscribers))
        run = Run(key, deadline, outcome, record.attempts)
        if record.unrecorded:
            run.note = "another worker has it, or died with it"
            return run
        mailing = self._mailing(record, run)
        if mailing is None:
            return run
        while run.rounds <= len(self._candidates) and self._round(record, mailing, run):
            run.rounds += 1
        self._leave(run, mailing.schedule)
        return run

    def _mailing(self, record: ChunkRecord, run: Run) -> Mailing | None:
        key = record.plan.key
        if record.plan.message is not None:
            if _too_early(record.plan.message, self._clock.now()):
                run.note = "its time has not come"
                return None
            campaign = None
            try:
                mailing = self._mailings.of_message(record.plan)
            except NotFound:
                run.note = "its content is gone"
                self._stop(run, None, run.note, "content_gone")
                return None
        else:
            campaign = self._campaigns.get(key.workspace, key.campaign)
            if campaign.state is not CampaignState.SENDING:
                run.note = f"the campaign is {campaign.state}"
                if campaign.state is CampaignState.PAUSED:
                    self._due.add([DueItem(self._clock.now() + _LOOK_AFTER_PAUSE, key)])
                return None
            if campaign.schedule.ended(self._clock.now()):
                run.note = "the campaign has ended"
                pending = run.outcome.in_state(RecipientState.PENDING)
                ended = [Change(i, RecipientState.SKIPPED, ENDED) for i in pending]
                self._recorder.save(run, ended, [])
                return None
            mailing = self._mailings.of_campaign(campaign)
        try:
            self._sender_check.check_sender(key.workspace, mailing.sender.address)
        except InvalidInput as error:
            run.note = "the sender is not verified"
            self._stop(run, campaign, str(error), "sender_not_verified")
            return None
        return mailing

    def _stop(self, run: Run, campaign: Campaign | None, why: str, code: str) -> None:
        """Nothing more may go: a campaign pauses, a single message fails."""
        if campaign is not None:
            pause(self._campaigns, campaign, why)
            return
        pending = run.outcome.in_state(RecipientState.PENDING)
        self._recorder.save(run, [Change(i, RecipientState.FAILED, code) for i in pending], [])

    def _round(self, record: ChunkRecord, mailing: Mailing, run: Run) -> bool:
        """One claim of what is pending; says whether another round may bring more."""
        key, express = run.key, mailing.kind is MessageKind.TRANSACTIONAL
        pending = [i for i in run.outcome.in_state(RecipientState.PENDING) if i not in run.waiting]
        if not pending or self._clock.now() >= run.deadline:
            return False
        if self._switches.off(key.workspace):
            run.note = "sending is switched off"
            return False
        ground = self._assigner.look(
            mailing.candidates(self._candidates), mailing.traits, run.excluded, express=express
        )
        if ground.retry_at is not None:
            _sooner(run, ground.retry_at)
            return False
        plan = record.plan.subscribers
        people = dict(zip(pending, mailing.people(tuple([plan[i] for i in pending])), strict=True))
        groups = self._mailbox_groups.of({i: one.to.address for i, one in people.items()})
        changes = [Change(i, RecipientState.SKIPPED, p.skip) for i, p in people.items() if p.skip]
        admitted = self._admission.admit(mailing, key, people)
        _sooner(run, admitted.retry_at)
        run.waiting.update(set(people).difference(admitted.ready, (c.index for c in changes)))
        addressees = [
            Addressee(i, plan[i].encode(), people[i].to.address, groups[i]) for i in admitted.ready
        ]
        assignment = self._assigner.assign(addressees, ground, _seed(run))
        changes += [Change(i, RecipientState.FAILED, NO_ROUTE) for i in assignment.unroutable]
        _sooner(run, assignment.retry_at)
        wait = assignment.retry_at is None or assignment.retry_at >= run.deadline
        if wait and not assignment.probing:
            run.waiting.update(assignment.waiting)
        shares, unrendered = self._render(mailing, key, people, assignment, groups)
        changes += unrendered
        unused = len(admitted.ready) - sum(len(share.recipients) for share in shares)
        self._admission.give_back(key, admitted, unused)
        if not shares:
            self._assigner.posted((), {}, assignment.probing)
            self._recorder.save(run, changes, [])
            return False
        attempt = self._attempt(run, len(plan), shares, groups, assignment)
        if not self._ledger.begin(attempt):
            for share in shares:
                unsent = [recipient.index for recipient in share.recipients]
                self._refund(share.provider, share.grant, unsent, groups)
                self._admission.give_back(key, admitted, len(unsent))
            self._assigner.posted((), {}, assignment.probing)
            run.note = "another worker was first"
            return False
        run.attempts += (attempt,)
        outcomes = self._poster.post(
            _mail(mailing), shares, run.deadline, lambda: self._halted(key.workspace)
        )
        self._recorder.save(run, changes, outcomes, attempt)
        if admitted.pace is not None:
            surely_not = sum(o.verdict in _SURELY_NOT for _, o in outcomes)
            self._admission.give_back(key, admitted, surely_not)
        self._judge(mailing, run, outcomes)
        answers = (Posted(provider, groups[o.index], o) for provider, o in outcomes)
        at = dict(zip(attempt.providers, attempt.posted_at, strict=True))
        self._assigner.posted(answers, at, assignment.probing)
        return not run.note

    def _halted(self, workspace: str) -> bool:
        """Whether to stop between two batches: also when the switches cannot be read.

        An error here would lose what the batches before came to.
        """
        try:
            return self._switches.off(workspace)
        except DependencyUnavailable:
            return True

    def _refund(
        self, provider: str, grant: Grant, indexes: list[int], groups: Mapping[int, MailboxGroup]
    ) -> None:
        by_group = Counter(groups[i].value for i in indexes)
        self._tokens.refund(provider, len(indexes), grant.start, by_group)

    def _render(
        self,
        mailing: Mailing,
        key: ChunkKey,
        people: Mapping[int, Person],
        assignment: Assignment,
        groups: Mapping[int, MailboxGroup],
    ) -> tuple[list[Share], list[Change]]:
        message_id = self._message_ids.maker(key.workspace, key.campaign, key.chunk)
        values = mailing.template.values
        shares, failed = [], []
        for provider, grant, indexes in assignment.shares:
            ready = []
            for i in indexes:
                person = people[i]
                try:
                    filled = values(person.context)
                except TemplateInvalid:
                    failed.append(Change(i, RecipientState.FAILED, "template_error"))
                    continue
                ready.append(OutgoingRecipient(i, message_id(i), person.to, filled, person.headers))
            if len(ready) < len(indexes):
                taken = {recipient.index for recipient in ready}
                self._refund(provider, grant, [i for i in indexes if i not in taken], groups)
            if ready:
                shares.append(Share(provider, grant, tuple(ready)))
        return shares, failed

    def _attempt(
        self,
        run: Run,
        size: int,
        shares: list[Share],
        groups: Mapping[int, MailboxGroup],
        assignment: Assignment,
    ) -> Attempt:
        providers = tuple(share.provider for share in shares)
        now = self._clock.now()
        assigned, group_bytes = bytearray(size), bytearray([_OTHER]) * size
        for share in shares:
            number = 1 + providers.index(share.provider)
            for recipient in share.recipients:
                assigned[recipient.index] = number
        for i, group in groups.items():
            group_bytes[i] = _GROUP_NUMBER[group]
        return Attempt(
            key=run.key,
            number=run.outcome.attempt + 1,
            owner=self._new_owner(),
            lease_until=run.deadline + LEASE_GRACE,
            providers=providers,
            assigned=bytes(assigned),
            groups=bytes(group_bytes),
            posted_at=tuple(share.ends_at(now) for share in shares),
            routing=assignment.evidence,
        )

    def _judge(self, mailing: Mailing, run: Run, outcomes: list[tuple[str, SendOutcome]]) -> None:
        """What the answers mean for the providers and for the campaign."""
        posted: Counter[tuple[str, Verdict]] = Counter()
        for provider, outcome in outcomes:
            posted[provider, outcome.verdict] += 1
            if outcome.verdict in _DONE:
                continue
            run.excluded.setdefault(provider, f"{outcome.verdict}_{outcome.code}")
            if outcome.verdict is Verdict.UNAVAILABLE:
                run.faults.add(provider)
            if outcome.retry_after is not None:
                _sooner(run, self._clock.now() + timedelta(seconds=outcome.retry_after))
            if outcome.verdict is Verdict.SENDER_FAULT:
                run.faults.add(provider)
                run.note = f"{provider} refuses the sender: {outcome.detail}"
        for (provider, verdict), number in posted.items():
            run.posted[f"{provider}|{verdict}"] += number
        if run.note.endswith("late") or not run.faults:
            return
        if any(o.verdict is Verdict.SENDER_FAULT for _, o in outcomes):
            is_message = mailing.kind.value == "transactional"
            campaign = (
                None if is_message else self._campaigns.get(run.key.workspace, run.key.campaign)
            )
            self._stop(run, campaign, run.note, "sender_refused")

    def _leave(self, run: Run, schedule: Schedule) -> None:
        """What is still pending comes back by the queue, or by the scheduler if it must wait."""
        if not run.outcome.in_state(RecipientState.PENDING) or run.note:
            return
        now = self._clock.now()
        exponent = min(run.outcome.attempt, 10)
        backoff = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2**exponent)
        at = max(run.retry_at or now + timedelta(seconds=backoff), now)
        if schedule.end_at is not None:
            at = max(now, min(at, schedule.end_at))
        wait = (at - now).total_seconds()
        if wait <= _QUEUE_DELAY_S:
            self._queue.send([run.key], delay_s=max(1, int(wait) + 1))
            return
        self._due.add([DueItem(at, run.key)])
        try:  # so that no look before then sends it again
            run.outcome = self._ledger.save_outcome(replace(run.outcome, not_before=at))
        except StaleWrite:
            run.note = "somebody else wrote the outcome; the next look decides"


_DONE = frozenset({Verdict.ACCEPTED, Verdict.REJECTED})
_SURELY_NOT = frozenset(v for v, s in STATE_OF_VERDICT.items() if s is RecipientState.PENDING)
_GROUP_NUMBER = {group: number for number, group in enumerate(GROUPS)}
_OTHER = _GROUP_NUMBER[MailboxGroup.OTHER]


def _mail(mailing: Mailing) -> OutgoingBatch:
    template = mailing.template
    return OutgoingBatch(
        kind=mailing.kind,
        sender=mailing.sender,
        subject=template.subject,
        html=template.html,
        text=template.text,
        reply_to=mailing.reply_to,
        headers=mailing.headers,
        tags=mailing.tags,
        extras=mailing.extras,
        recipients=(),
    )


def _seed(run: Run) -> int:
    """Differs between chunks and attempts, and is the same if this attempt is made again."""
    key = run.key
    return zlib.crc32(f"{key.campaign}|{key.chunk}|{run.outcome.attempt}".encode())


def _too_early(message: Mapping[str, Any], now: datetime) -> bool:
    send_at = message.get("send_at")
    return send_at is not None and from_iso(send_at) > now


def _sooner(run: Run, at: datetime | None) -> None:
    if at is not None and (run.retry_at is None or at < run.retry_at):
        run.retry_at = at
