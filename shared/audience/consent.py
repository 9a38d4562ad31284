"""Consent and suppression: who may be mailed, and every way in which that changes.

Everything here can be done again without harm. Two records depend on each
other, and each is written in the order that lets a crash in between err on the
side of not mailing, or be repaired by doing it again:

- The index of a list names a member before the person's record does, and
  forgets her after it, so it may name somebody too many and never too few.
- The suppression list is written before its copy on the person's record. The
  copy is always made by reading the record first and the list second. So if
  the list changes in between, whoever changed it will read a record at least
  as new, and the version lets only one of the two writes through.

What is a person's own wish, or ours about her, leaves a record
(`shared.audience.consents`), written before the change: a crash in between
leaves a record too many and never one too few. What changes nothing leaves none.

An id of an address that somebody has changed away leads on to the one she has
now (see `shared.audience.readdressing`): a link in an old mail still works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.audience.circumstances import UNTOLD, Circumstances, told_by
from shared.audience.consents import ConsentChange, ConsentLog, ConsentRecord
from shared.audience.model import ListState, Subscriber, Suppression, SuppressionReason
from shared.audience.ports import MembershipStore, SubscriberStore, SuppressionStore
from shared.audience.writes import present_id, rewrite
from shared.clock import Clock
from shared.errors import NotFound, StaleWrite, WrongState

FOLLOWS_PERSON = frozenset(
    {
        SuppressionReason.COMPLAINT,
        SuppressionReason.UNSUBSCRIBED,
        SuppressionReason.MANUAL,
        SuppressionReason.ERASURE,
    }
)
"""Reasons that are a person's wish or ours about her. A hard bounce is about the address alone."""


class ConsentService:
    """Changes consent. Subscriber ids and list ids are taken as given and not looked up.

    Each change takes the `circumstances` under which it came about.
    """

    def __init__(
        self,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        clock: Clock,
        log: ConsentLog,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._suppressions = suppressions
        self._clock = clock
        self._log = log

    def subscribe(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Puts the person on a list, also if she had left it: the caller vouches for her wish.

        A suppression stays, see `unsuppress`.

        Raises:
            NotFound: there is no such person.
            StaleWrite: try again.
        """
        subscriber_id = present_id(self._subscribers, workspace, subscriber_id)
        self._memberships.add(workspace, list_id, [subscriber_id])
        told = circumstances or UNTOLD
        return self._set(workspace, subscriber_id, list_id, ListState.SUBSCRIBED, told)

    def ask(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Makes the person pending on a list, if nothing is known of her there yet.

        One who has left it stays so until she confirms: anybody may have asked.

        Raises:
            NotFound: there is no such person.
            StaleWrite: try again.
        """
        subscriber_id = present_id(self._subscribers, workspace, subscriber_id)
        told = circumstances or UNTOLD
        self._memberships.add(workspace, list_id, [subscriber_id])
        return self._set(workspace, subscriber_id, list_id, ListState.PENDING, told)

    def opt_in(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Puts the person on a list by her own choice, from a link that was mailed to her.

        It is newer than any unsubscription, that from everything included, whose
        suppression it lifts; the other lists stay left. No other suppression is
        hers to lift.

        Raises:
            NotFound: there is no such person.
            WrongState: she is suppressed for another reason; nothing changed.
            StaleWrite: try again.
        """
        subscriber_id = present_id(self._subscribers, workspace, subscriber_id)
        self._subscribers.get(workspace, subscriber_id)
        entry = self._suppressions.get(workspace, subscriber_id)
        if entry and entry.reason is not SuppressionReason.UNSUBSCRIBED:
            raise WrongState(f"this person is suppressed ({entry.reason}); she cannot lift that")
        told = circumstances or UNTOLD
        self._memberships.add(workspace, list_id, [subscriber_id])
        person = self._set(workspace, subscriber_id, list_id, ListState.SUBSCRIBED, told)
        if entry is None and person.suppressed is None:
            return person
        if entry:
            self.note(
                workspace,
                subscriber_id,
                ConsentChange.UNSUPPRESSED,
                told,
                detail=entry.reason.value,
            )
        self._suppressions.remove(workspace, subscriber_id, only=SuppressionReason.UNSUBSCRIBED)
        return self.copy_suppression(workspace, subscriber_id, known=person)

    def unsubscribe(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str | None,
        *,
        source: str,
        circumstances: Circumstances | None = None,
    ) -> Subscriber | None:
        """Takes the person off a list or, with None, off everything.

        Off everything is a suppression `unsubscribed` and leaves every list.
        Returns None if the person is gone; her suppression is kept even then.

        Raises:
            StaleWrite: try again.
        """
        told = circumstances or told_by(source)
        if list_id is None:
            self.suppress(
                workspace,
                subscriber_id,
                SuppressionReason.UNSUBSCRIBED,
                source=source,
                circumstances=told,
            )
        present = present_id(self._subscribers, workspace, subscriber_id)
        try:
            person = self._set(workspace, present, list_id, ListState.UNSUBSCRIBED, told)
        except NotFound as error:
            if present_id(self._subscribers, workspace, subscriber_id) != subscriber_id:
                raise StaleWrite(_MOVING) from error
            return None
        for left in person.lists if list_id is None else [list_id]:
            self._memberships.remove(workspace, left, person.id)
        return person

    def suppress(
        self,
        workspace: str,
        subscriber_id: str,
        reason: SuppressionReason,
        *,
        source: str,
        circumstances: Circumstances | None = None,
    ) -> Suppression:
        """Keeps the address from being mailed; returns the entry in force.

        That is the one there was, if it is graver. The person need not exist. The
        entry keeps the address, as long as there is one and this is no erasure. An
        address that was changed away keeps the entry, and her present one gets
        it too if it is about her (`FOLLOWS_PERSON`).

        Raises:
            StaleWrite: the list has the entry, the person not yet; try again.
        """
        if reason in FOLLOWS_PERSON - {SuppressionReason.ERASURE}:
            self._note_suppression(
                workspace, subscriber_id, reason, circumstances or told_by(source)
            )
        entered = self._enter(workspace, subscriber_id, reason, source)
        # Asked only now: a change of address from here on finds the entry and takes it along.
        self.follow(workspace, subscriber_id, reason, source=source)
        return entered

    def follow(
        self, workspace: str, subscriber_id: str, reason: SuppressionReason, *, source: str
    ) -> None:
        """Suppresses the present address of somebody whose former one was, if it is about her.

        Raises:
            StaleWrite: try again.
        """
        if reason in FOLLOWS_PERSON:
            present = present_id(self._subscribers, workspace, subscriber_id)
            if present != subscriber_id:
                self._enter(workspace, present, reason, source)

    def _enter(
        self,
        workspace: str,
        subscriber_id: str,
        reason: SuppressionReason,
        source: str,
    ) -> Suppression:
        address = ""
        if reason is not SuppressionReason.ERASURE:
            person = self._subscribers.get_many(workspace, [subscriber_id]).get(subscriber_id)
            address = person.address if person else ""
        now = self._clock.now()
        entry = Suppression(workspace, subscriber_id, reason, now, source, address)
        self._suppressions.put(entry)
        with contextlib.suppress(NotFound):
            self.copy_suppression(workspace, subscriber_id)
        return self._suppressions.get(workspace, subscriber_id) or entry

    def _note_suppression(
        self, workspace: str, subscriber_id: str, reason: SuppressionReason, told: Circumstances
    ) -> None:
        """Keeps a record unless there is one: of her own wish, or since she was erased."""
        entry = self._suppressions.get(workspace, subscriber_id)
        if entry and entry.reason in {reason, SuppressionReason.ERASURE}:
            return
        self.note(workspace, subscriber_id, ConsentChange.SUPPRESSED, told, detail=reason.value)

    def note(
        self,
        workspace: str,
        subscriber_id: str,
        change: ConsentChange,
        circumstances: Circumstances,
        *,
        lists: Iterable[str] = (),
        detail: str = "",
    ) -> None:
        """Keeps a record of a change that is about to be made."""
        self._log.append(
            ConsentRecord(
                workspace,
                subscriber_id,
                self._clock.now(),
                change,
                circumstances,
                tuple(lists),
                detail,
            )
        )

    def note_joined(
        self,
        workspace: str,
        subscriber_id: str,
        states: Mapping[str, ListState],
        circumstances: Circumstances | None,
    ) -> None:
        """Keeps a record of the lists that somebody is about to be put on, one for each state."""
        for state in dict.fromkeys(states.values()):
            lists = [one for one, own in states.items() if own is state]
            change, told = ConsentChange(state.value), circumstances or UNTOLD
            self.note(workspace, subscriber_id, change, told, lists=lists)

    def unsuppress(
        self,
        workspace: str,
        subscriber_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Lets the person be mailed again; the caller vouches that she asked for it.

        Lists that she left stay left.

        Raises:
            NotFound: there is no such person.
            WrongState: the address was erased, see `admit`.
            StaleWrite: try again.
        """
        subscriber_id = present_id(self._subscribers, workspace, subscriber_id)
        self._subscribers.get(workspace, subscriber_id)
        self.admit(workspace, subscriber_id, circumstances)
        if entry := self._suppressions.get(workspace, subscriber_id):
            self.note(
                workspace,
                subscriber_id,
                ConsentChange.UNSUPPRESSED,
                circumstances or UNTOLD,
                detail=entry.reason.value,
            )
        self._suppressions.remove(workspace, subscriber_id)
        return self.copy_suppression(workspace, subscriber_id)

    def admit(
        self, workspace: str, subscriber_id: str, circumstances: Circumstances | None
    ) -> None:
        """Lets an address that was erased be added again, if she has agreed anew.

        That is told by the words she agreed to (`text_version`); others are let pass.

        Raises:
            WrongState: it was erased, and nothing is said of a new consent.
        """
        entry = self._suppressions.get(workspace, subscriber_id)
        if entry is None or entry.reason is not SuppressionReason.ERASURE:
            return
        if circumstances is None or not circumstances.text_version:
            raise WrongState(_ERASED)
        self.note(workspace, subscriber_id, ConsentChange.RETURNED, circumstances)
        self._suppressions.remove(workspace, subscriber_id)

    def copy_suppression(
        self, workspace: str, subscriber_id: str, *, known: Subscriber | None = None
    ) -> Subscriber:
        """Makes the person's record say what the suppression list says.

        `known` is the record as just read or written.

        Raises:
            NotFound: there is no such person.
            StaleWrite: try again.
        """

        def copy(person: Subscriber) -> Subscriber:
            entry = self._suppressions.get(workspace, subscriber_id)
            reason = entry.reason if entry else None
            if person.suppressed == reason:
                return person
            return replace(person, suppressed=reason, updated_at=self._clock.now())

        return rewrite(self._subscribers, workspace, subscriber_id, copy, known=known)

    def _set(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str | None,
        state: ListState,
        told: Circumstances,
    ) -> Subscriber:
        """Sets the state on one list or, with None, on every list of the person.

        Pending is only who was nothing before.
        """
        noted: set[str] = set()

        def change(person: Subscriber) -> Subscriber:
            named = list(person.lists) if list_id is None else [list_id]
            if state is ListState.PENDING:
                named = [one for one in named if one not in person.lists]
            lists = {**person.lists, **dict.fromkeys(named, state)}
            if lists == person.lists:
                return person
            new = [one for one in named if person.lists.get(one) is not state]
            confirmed = any(person.lists.get(one) is ListState.PENDING for one in new)
            if not noted.issuperset(new):  # else another writer came between, and it is noted
                self.note(workspace, subscriber_id, _change(state, confirmed), told, lists=new)
                noted.update(new)
            return replace(person, lists=lists, updated_at=self._clock.now())

        return rewrite(self._subscribers, workspace, subscriber_id, change)


def _change(state: ListState, confirmed: bool) -> ConsentChange:
    if state is ListState.SUBSCRIBED and confirmed:
        return ConsentChange.CONFIRMED
    return ConsentChange(state.value)


_ERASED = (
    "this address was erased at the person's request; it is taken again only with `consent` that"
    " names the text she has agreed to since"
)
_MOVING = "the address of this person is being changed at this moment; try again"
