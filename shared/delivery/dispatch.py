"""Sending one chunk: claim, re-check, route, take tokens, record intent, send, record outcome.

The order is the promise. Tokens are taken and the attempt is recorded before
anything is posted; after a crash the recorded attempt says who may have been
mailed, and they are never blindly mailed again. What a provider surely did not
take goes to the next provider in the next round of the same run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.delivery.assigning import Assignment, Routable, assign
from shared.delivery.mailing import Mailing, Mailings, Person
from shared.delivery.model import (
    GROUPS,
    Attempt,
    Campaign,
    ChunkKey,
    ChunkOutcome,
    ChunkRecord,
    DueItem,
)
from shared.delivery.moving import pause
from shared.delivery.outcomes import STATE_OF_VERDICT, Change, changed, fresh, late
from shared.delivery.ports import CampaignStore, ChunkQueue, DueStore, LedgerStore, SenderCheck
from shared.delivery.posting import Poster, Share
from shared.delivery.routing import NO_ROUTE, Candidate
from shared.delivery.states import CampaignState, RecipientState
from shared.delivery.tokens import Tokens
from shared.errors import InvalidInput, StaleWrite, TemplateInvalid
from shared.ids import MessageIds
from shared.mail import (
    MailboxGroup,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Verdict,
    mailbox_group,
)

LEASE_GRACE = timedelta(seconds=15)
"""How long after its deadline an attempt without an outcome is taken for lost."""

MAX_ATTEMPTS = 200
"""Attempts after which what is still pending fails; with back-off this is about two days."""

_QUEUE_DELAY_S = 60
_FIRST_BACKOFF_S = 5
_LAST_BACKOFF_S = 900


@dataclass(slots=True)
class Run:
    """One worker's run over one chunk; what the handler logs."""

    key: ChunkKey
    deadline: datetime
    outcome: ChunkOutcome
    note: str = ""
    rounds: int = 0
    posted: Counter[str] = field(default_factory=Counter)
    excluded: dict[str, str] = field(default_factory=dict)
    retry_at: datetime | None = None
    faults: set[str] = field(default_factory=set)


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
        mailings: Mailings,
        message_ids: MessageIds,
        sender_check: SenderCheck,
        candidates: tuple[Candidate, ...],
        poster: Poster,
        clock: Clock,
        new_owner: Callable[[], str],
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._queue = queue
        self._due = due
        self._tokens = tokens
        self._mailings = mailings
        self._message_ids = message_ids
        self._sender_check = sender_check
        self._candidates = candidates
        self._poster = poster
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
        run = Run(key, deadline, outcome)
        if record.unrecorded:
            run.note = "another worker has it, or died with it"
            return run
        mailing = self._mailing(record, run)
        if mailing is None:
            return run
        while run.rounds <= len(self._candidates) and self._round(record, mailing, run):
            run.rounds += 1
        self._leave(run)
        return run

    def _mailing(self, record: ChunkRecord, run: Run) -> Mailing | None:
        key = record.plan.key
        if record.plan.message is not None:
            mailing = self._mailings.of_message(record.plan)
            campaign = None
        else:
            campaign = self._campaigns.get(key.workspace, key.campaign)
            if campaign.state is not CampaignState.SENDING:
                run.note = f"the campaign is {campaign.state}"
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
        self._save(run, [Change(i, RecipientState.FAILED, code) for i in pending], [])

    def _round(self, record: ChunkRecord, mailing: Mailing, run: Run) -> bool:
        """One claim of what is pending; says whether another round may bring more."""
        pending = run.outcome.in_state(RecipientState.PENDING)
        if not pending or self._clock.now() >= run.deadline:
            return False
        plan = record.plan.subscribers
        people = dict(zip(pending, mailing.people(tuple([plan[i] for i in pending])), strict=True))
        changes = [
            Change(i, RecipientState.SKIPPED, p.skip, group=mailbox_group(p.to.address))
            for i, p in people.items()
            if p.skip
        ]
        routable = [
            Routable(i, f"{run.key.campaign}{plan[i]}".encode(), p.to.address)
            for i, p in people.items()
            if not p.skip
        ]
        assignment = assign(routable, self._candidates, run.excluded, self._tokens)
        changes += [
            Change(i, RecipientState.FAILED, NO_ROUTE, group=mailbox_group(people[i].to.address))
            for i in assignment.unroutable
        ]
        _sooner(run, assignment.retry_at)
        groups = {i: mailbox_group(people[i].to.address) for i in people}
        shares, unrendered = self._render(mailing, run.key, people, assignment, groups)
        changes += unrendered
        if not shares:
            self._save(run, changes, [])
            return False
        attempt = self._attempt(run, len(plan), shares, groups, assignment)
        if not self._ledger.begin(attempt):
            for share in shares:
                self._tokens.refund(share.provider, len(share.recipients), share.grant.start)
            run.note = "another worker was first"
            return False
        outcomes = self._poster.post(_mail(mailing), shares, run.deadline)
        self._save(run, changes, outcomes, attempt)
        self._judge(mailing, run, outcomes)
        return not run.note

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
                    failed.append(
                        Change(i, RecipientState.FAILED, "template_error", group=groups[i])
                    )
                    continue
                ready.append(OutgoingRecipient(i, message_id(i), person.to, filled, person.headers))
            self._tokens.refund(provider, len(indexes) - len(ready), grant.start)
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
        providers = tuple(dict.fromkeys(share.provider for share in shares))
        assigned, group_bytes = bytearray(size), bytearray(size)
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
            routing=assignment.evidence,
        )

    def _save(
        self,
        run: Run,
        changes: list[Change],
        outcomes: list[tuple[str, SendOutcome]],
        attempt: Attempt | None = None,
    ) -> None:
        """Records the outcome; if somebody settled meanwhile, what is still open of ours."""
        settled = changes
        if attempt is not None:
            groups = attempt.groups
            settled = changes + [
                Change(
                    o.index,
                    STATE_OF_VERDICT[o.verdict],
                    "" if o.verdict is Verdict.ACCEPTED else o.code,
                    provider,
                    GROUPS[groups[o.index]],
                )
                for provider, o in outcomes
            ]
        if not settled:
            return
        number = attempt.number if attempt else None
        last = run.outcome.attempt + 1 >= MAX_ATTEMPTS
        if last:
            settled = [_given_up(c) for c in settled]
        try:
            run.outcome = self._ledger.save_outcome(changed(run.outcome, settled, number))
        except StaleWrite:
            run.note = "the outcome came late"
            run.outcome = self._save_late(run, outcomes, attempt)

    def _save_late(
        self, run: Run, outcomes: list[tuple[str, SendOutcome]], attempt: Attempt | None
    ) -> ChunkOutcome:
        for _ in range(5):
            current = self._ledger.record(run.key).outcome
            if current is None or attempt is None:
                break
            changes = []
            for provider, o in outcomes:
                new = late(current.state_of(o.index), o)
                if new is not None:
                    group = attempt.group_of(o.index)
                    changes.append(Change(o.index, new[0], new[1], provider, group))
            if not changes:
                return current
            try:
                return self._ledger.save_outcome(changed(current, changes))
            except StaleWrite:
                continue
        return run.outcome

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

    def _leave(self, run: Run) -> None:
        """What is still pending comes back by the queue, or by the scheduler if it must wait."""
        if not run.outcome.in_state(RecipientState.PENDING) or run.note:
            return
        now = self._clock.now()
        exponent = min(run.outcome.attempt, 10)
        backoff = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2**exponent)
        at = max(run.retry_at or now + timedelta(seconds=backoff), now)
        wait = (at - now).total_seconds()
        if wait <= _QUEUE_DELAY_S:
            self._queue.send([run.key], delay_s=max(1, int(wait) + 1))
        else:
            self._due.add([DueItem(at, run.key)])


_DONE = frozenset({Verdict.ACCEPTED, Verdict.REJECTED})
_GROUP_NUMBER = {group: number for number, group in enumerate(GROUPS)}


def _mail(mailing: Mailing) -> OutgoingBatch:
    template = mailing.template
    return OutgoingBatch(
        kind=mailing.kind,
        sender=mailing.sender,
        subject=template.subject,
        html=template.html,
        text=template.text,
        reply_to=mailing.reply_to,
        tags=mailing.tags,
        recipients=(),
    )


def _given_up(item: Change) -> Change:
    if item.state is not RecipientState.PENDING:
        return item
    return replace(item, state=RecipientState.FAILED, reason="gave_up")


def _sooner(run: Run, at: datetime | None) -> None:
    if at is not None and (run.retry_at is None or at < run.retry_at):
        run.retry_at = at
