"""A change of address: a new id takes over, and the old one leads on to it.

An id is a hash of the address, so another address is another id. The new
record takes over lists, attributes and all else, also what segments know of
her engagement. The old one is hidden, keeps nothing but where it leads
(`moved_to`), and her events from before stay under it. Suppressions that are
about the person go along; one that is about the address (a hard bounce) stays
with the address.

The order lets a crash in between err on the side of not mailing, and calling
again finishes the work:

1. The old record is hidden and says where she goes. From here on nobody writes
   it, so nothing is lost in between.
2. The new id joins the lists' index, and the suppression list if need be.
3. The new record is written. If somebody took the address meanwhile, the old
   one is shown again.
4. Her engagement moves to the new id.
5. The old record is emptied, and leaves the lists' index.
"""

from __future__ import annotations

from dataclasses import replace

from shared.audience.addresses import normalise
from shared.audience.circumstances import UNTOLD, Circumstances
from shared.audience.consent import FOLLOWS_PERSON, ConsentService
from shared.audience.consents import ConsentChange, ConsentLog
from shared.audience.model import ListState, Subscriber, SuppressionReason
from shared.audience.moving_states import move_state
from shared.audience.ports import MembershipStore, MxLookup, SubscriberStore, SuppressionStore
from shared.audience.quality import AddressQuality
from shared.audience.settings import AudienceSettingsStore
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.writes import rewrite
from shared.clock import Clock
from shared.engagement import PersonStateStore
from shared.errors import AlreadyExists, NotFound, StaleWrite, WrongState
from shared.ids import SubscriberIds

MAX_PREVIOUS = 100


class AddressChanges:
    """Changes addresses."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        engagement: PersonStateStore,
        settings: AudienceSettingsStore,
        mx: MxLookup,
        everywhere: EverywhereList,
        ids: SubscriberIds,
        clock: Clock,
        log: ConsentLog,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._suppressions = suppressions
        self._engagement = engagement
        self._settings = settings
        self._mx = mx
        self._everywhere = everywhere
        self._ids = ids
        self._clock = clock
        self._consent = ConsentService(subscribers, memberships, suppressions, clock, log)

    def change(
        self,
        workspace: str,
        subscriber_id: str,
        email: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """The person under her new address; calling again gives the same.

        Raises:
            InvalidInput: `email` is no address, or one that the settings refuse.
            NotFound: there is no such person.
            AlreadyExists: somebody has that address, or had it and has changed it.
            WrongState: she has changed it too often, or the new address was erased.
            StaleWrite: others kept changing her; try again.
        """
        address = normalise(email)
        quality = AddressQuality(self._settings.get(workspace), self._mx).flags(address)
        new_id = self._ids.of(workspace, address)
        old = self._find(workspace, subscriber_id)
        if old is None or (old.deleted and old.moved_to != new_id):
            raise NotFound("subscriber", subscriber_id)
        if new_id == subscriber_id:
            return old
        if old.moved_to and not old.address:
            return self._subscribers.get(workspace, new_id)
        if len(old.previous) >= MAX_PREVIOUS:
            raise WrongState(f"this person has changed her address {MAX_PREVIOUS} times")
        taken = self._find(workspace, new_id)
        self._check_free(taken, old)
        self._consent.admit(workspace, new_id, circumstances)
        told = circumstances or UNTOLD
        if not old.moved_to:
            self._consent.note(workspace, new_id, ConsentChange.READDRESSED, told, detail=old.id)
        hidden = self._hide(old, new_id)
        for list_id in _joined(hidden):
            self._memberships.add(workspace, list_id, [new_id])
        self._everywhere.adopt(workspace, {new_id: address})
        self._carry_suppression(hidden, new_id, address)
        moved = self._write(hidden, taken, new_id, address, quality)
        move_state(self._engagement, workspace, hidden.id, new_id)
        self._empty(hidden)
        return self._consent.copy_suppression(workspace, new_id, known=moved)

    def _check_free(self, taken: Subscriber | None, old: Subscriber) -> None:
        """Free is an address that nobody has had, that she had, or that a try before wrote."""
        if taken is None or old.id in taken.previous or taken.moved_to == old.id:
            return
        if taken.moved_to:
            raise AlreadyExists(_FORMER)
        if taken.deleted:
            raise WrongState("the person of that address is being deleted; try again in a minute")
        raise AlreadyExists(_TAKEN)

    def _hide(self, old: Subscriber, new_id: str) -> Subscriber:
        if old.moved_to == new_id:
            return old
        return rewrite(
            self._subscribers,
            old.workspace,
            old.id,
            lambda person: replace(person, deleted=True, moved_to=new_id),
            known=old,
        )

    def _carry_suppression(self, hidden: Subscriber, new_id: str, address: str) -> None:
        entry = self._suppressions.get(hidden.workspace, hidden.id)
        if entry and entry.reason in FOLLOWS_PERSON:
            kept = "" if entry.reason is SuppressionReason.ERASURE else address
            self._suppressions.put(replace(entry, subscriber=new_id, address=kept))

    def _write(
        self,
        hidden: Subscriber,
        taken: Subscriber | None,
        new_id: str,
        address: str,
        quality: tuple[str, ...],
    ) -> Subscriber:
        if taken and hidden.id in taken.previous and not taken.deleted:
            return taken
        previous = [one for one in (*hidden.previous, hidden.id) if one != new_id]
        entry = self._suppressions.get(hidden.workspace, new_id)
        person = replace(
            hidden,
            id=new_id,
            address=address,
            quality=quality,
            previous=tuple(dict.fromkeys(previous)),
            moved_to="",
            deleted=False,
            suppressed=entry.reason if entry else None,
            updated_at=self._clock.now(),
            version=taken.version if taken else 0,
        )
        try:
            return self._subscribers.put(person)
        except StaleWrite as error:
            present = self._find(hidden.workspace, new_id)
            if present and hidden.id in present.previous and not present.deleted:
                return present
            self._subscribers.put(replace(hidden, deleted=False, moved_to=""))
            raise AlreadyExists(_TAKEN) from error

    def _empty(self, hidden: Subscriber) -> None:
        for list_id in hidden.lists:
            self._memberships.remove(hidden.workspace, list_id, hidden.id)
        empty = Subscriber(
            id=hidden.id,
            workspace=hidden.workspace,
            address="",
            created_at=hidden.created_at,
            updated_at=self._clock.now(),
            deleted=True,
            moved_to=hidden.moved_to,
            version=hidden.version,
        )
        self._subscribers.put(empty)

    def _find(self, workspace: str, subscriber_id: str) -> Subscriber | None:
        return self._subscribers.get_many(workspace, [subscriber_id]).get(subscriber_id)


def _joined(person: Subscriber) -> list[str]:
    return [one for one, state in person.lists.items() if state is not ListState.UNSUBSCRIBED]


_TAKEN = "there is a person of that address already; delete or change that one first"
_FORMER = "that is the former address of somebody else; delete the id it has to free it"
