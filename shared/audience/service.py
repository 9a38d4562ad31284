"""People as the API sees them: create, change, delete, list, subscribe."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from shared.audience.addresses import normalise
from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.consents import ConsentLog
from shared.audience.drafts import SubscriberDraft, SubscriberPatch
from shared.audience.fields import Fields, read_fields, size_problems
from shared.audience.lists import joining, named_lists
from shared.audience.merging import MergePolicy, joins, merged
from shared.audience.model import (
    ListState,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from shared.audience.ports import (
    ListStore,
    MembershipStore,
    MxLookup,
    SubscriberStore,
    SuppressionStore,
)
from shared.audience.quality import AddressQuality
from shared.audience.settings import AudienceSettingsStore
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.writes import former_ids, present_id, rewrite
from shared.clock import Clock, to_iso
from shared.errors import (
    AlreadyExists,
    FieldProblem,
    InvalidInput,
    NotFound,
    StaleWrite,
    WrongState,
)
from shared.ids import JOB, Ids, SubscriberIds
from shared.jobs import Job, JobKind, JobQueue, JobStore
from shared.paging import Page


class SubscriberService:
    """All that the API does with people. Deleting is left to a job, see `delete`."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        memberships: MembershipStore,
        suppressions: SuppressionStore,
        lists: ListStore,
        settings: AudienceSettingsStore,
        mx: MxLookup,
        everywhere: EverywhereList,
        ids: SubscriberIds,
        clock: Clock,
        jobs: JobStore,
        job_queue: JobQueue,
        resource_ids: Ids,
        log: ConsentLog,
    ) -> None:
        self._subscribers = subscribers
        self._memberships = memberships
        self._lists = lists
        self._settings = settings
        self._mx = mx
        self._everywhere = everywhere
        self._ids = ids
        self._clock = clock
        self._jobs = jobs
        self._job_queue = job_queue
        self._resource_ids = resource_ids
        self._consent = ConsentService(subscribers, memberships, suppressions, clock, log)

    def create(
        self,
        workspace: str,
        draft: SubscriberDraft,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Adds a person and puts her on the draft's lists; pending, where that is double opt-in.

        One who was deleted before starts clean, but her entry on the
        suppression list is still in force. One who was erased must have agreed
        anew, see `ConsentService.admit`.

        Raises:
            InvalidInput: names every field that is wrong, a list as `lists.<i>`.
            AlreadyExists: there is a person of that address.
            WrongState: she is being deleted at this moment, or was erased.
        """
        person, _ = self._read(workspace, draft)
        if self._present(person):
            raise AlreadyExists(_EXISTS)
        return self._add(person, circumstances)

    def upsert(
        self,
        workspace: str,
        draft: SubscriberDraft,
        *,
        circumstances: Circumstances | None = None,
    ) -> tuple[Subscriber, bool]:
        """Adds a person, or merges the draft into the one there is; True if she is new.

        Merging is `MergePolicy.MERGE`: it never puts anybody back on a list
        that she has left, which only `subscribe` does.

        Raises:
            InvalidInput: as `create`, or the fields together would pass a limit.
            WrongState: she is being deleted at this moment, or was erased.
            StaleWrite: others kept changing her; try again.
        """
        new, fields = self._read(workspace, draft)
        present = self._present(new)
        if present is None:
            try:
                return self._add(new, circumstances), True
            except AlreadyExists:
                present = self._subscribers.get(workspace, new.id)

        def merge(person: Subscriber) -> Subscriber:
            if joined := joins(person, new.lists):
                states = {one: new.lists[one] for one in joined}
                self._consent.note_joined(workspace, new.id, states, circumstances)
            for list_id in joined:
                self._memberships.add(workspace, list_id, [new.id])
            changed = merged(person, fields, new.lists, MergePolicy.MERGE)
            return self._dated(person, replace(changed, quality=new.quality))

        return rewrite(self._subscribers, workspace, new.id, merge, known=present), False

    def sign_up(self, workspace: str, draft: SubscriberDraft) -> Subscriber:
        """The person of the draft's address, added if there is none; whoever is there stays as is.

        Raises:
            InvalidInput: as `create`.
            AlreadyExists: it is the former address of a person.
            WrongState: she is being deleted at this moment.
        """
        new, _ = self._read(workspace, draft)
        present = self._present(new)
        if present:
            return present
        try:
            return self._add(new, None)
        except AlreadyExists:
            return self._subscribers.get(workspace, new.id)

    def get(self, workspace: str, subscriber_id: str) -> Subscriber:
        """The person; an id of a former address leads on to her. Raises NotFound."""
        try:
            return self._subscribers.get(workspace, subscriber_id)
        except NotFound:
            present = present_id(self._subscribers, workspace, subscriber_id)
            if present == subscriber_id:
                raise
            return self._subscribers.get(workspace, present)

    def ids(self, workspace: str, subscriber_id: str) -> tuple[str, ...]:
        """All ids under which something is kept of her, the present one first. Raises NotFound."""
        person = self.get(workspace, subscriber_id)
        return person.id, *former_ids(self._subscribers, person)

    def find(self, workspace: str, address: str) -> Subscriber:
        """The person of an address, however it is written.

        Raises:
            InvalidInput: that is no address.
            NotFound: nobody has it.
        """
        return self._subscribers.get(workspace, self._ids.of(workspace, normalise(address)))

    def update(self, workspace: str, subscriber_id: str, patch: SubscriberPatch) -> Subscriber:
        """Changes what the patch names.

        Raises:
            InvalidInput: names every field that is wrong.
            NotFound: there is no such person.
            StaleWrite: others kept changing her; try again.
        """
        given = patch.attributes or {}
        fields = read_fields(
            {name: value for name, value in given.items() if value is not None},
            patch.tags,
            patch.locale,
            patch.time_zone,
            types=self._settings.get(workspace).attributes,
        )
        removed = {name for name, value in given.items() if value is None}

        def change(person: Subscriber) -> Subscriber:
            kept = {k: v for k, v in person.attributes.items() if k not in removed}
            changed = replace(
                person,
                attributes={**kept, **fields.attributes},
                tags=person.tags if patch.tags is None else fields.tags,
                locale=person.locale if patch.locale is None else fields.locale,
                time_zone=person.time_zone if patch.time_zone is None else fields.time_zone,
            )
            if problems := tuple(size_problems(changed.attributes, changed.tags)):
                raise InvalidInput(problems)
            return self._dated(person, changed)

        return rewrite(self._subscribers, workspace, subscriber_id, change)

    def delete(self, workspace: str, subscriber_id: str) -> str:
        """Hides the person at once and has a job remove everything; returns the job's id.

        The job is queued before the person is hidden, so a crash in between
        leaves nobody hidden for ever. Her entry on the suppression list stays. An
        id of a former address is deleted alone, which frees that address.

        Raises:
            NotFound: there is no such person.
            StaleWrite: the job will delete her, but she is not hidden yet.
        """
        present = self._subscribers.get_many(workspace, [subscriber_id]).get(subscriber_id)
        if present is None or (present.deleted and (present.address or not present.moved_to)):
            raise NotFound("subscriber", subscriber_id)
        job = Job(
            id=self._resource_ids.new(JOB),
            workspace=workspace,
            kind=JobKind.DELETE_SUBSCRIBER,
            created_at=self._clock.now(),
            params={"subscriber": subscriber_id, "created_at": to_iso(present.created_at)},
        )
        self._jobs.create(job)
        self._job_queue.enqueue(workspace, job.id)
        if present.deleted:
            return job.id
        with contextlib.suppress(NotFound):  # the job was quicker
            rewrite(
                self._subscribers,
                workspace,
                subscriber_id,
                lambda person: replace(person, deleted=True),
                known=present,
            )
        return job.id

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        cursor: str | None = None,
        list_id: str | None = None,
    ) -> Page[Subscriber]:
        """The workspace's people, or those subscribed to one list, by shard and id.

        A page of a list may hold fewer than `limit` and still not be the last.

        Raises:
            InvalidInput: the cursor is not of this listing.
            NotFound: there is no such list.
        """
        if list_id is None:
            return self._subscribers.page(workspace, limit=limit, cursor=cursor)
        self._lists.get(workspace, list_id)
        members = self._memberships.page(workspace, list_id, limit=limit, cursor=cursor)
        people = self._subscribers.get_many(workspace, members.items)
        return Page(
            tuple(
                person
                for person in (people.get(member) for member in members.items)
                if person is not None
                and not person.deleted
                and person.lists.get(list_id) is ListState.SUBSCRIBED
            ),
            members.cursor,
        )

    def subscribe(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Puts the person on a list, see `ConsentService.subscribe`. Raises NotFound."""
        self._subscribers.get(workspace, subscriber_id)
        self._lists.get(workspace, list_id)
        return self._consent.subscribe(
            workspace, subscriber_id, list_id, circumstances=circumstances
        )

    def unsubscribe(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str | None,
        *,
        source: str,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Takes the person off one list or everything, see `ConsentService.unsubscribe`.

        Raises:
            NotFound: there is no such person, or no such list.
            StaleWrite: try again.
        """
        if list_id is not None:
            self._lists.get(workspace, list_id)
        self._subscribers.get(workspace, subscriber_id)
        person = self._consent.unsubscribe(
            workspace, subscriber_id, list_id, source=source, circumstances=circumstances
        )
        if person is None:
            raise NotFound("subscriber", subscriber_id)
        return person

    def suppress(
        self, workspace: str, subscriber_id: str, reason: SuppressionReason, *, source: str
    ) -> Suppression:
        """Keeps the person from being mailed, see `ConsentService.suppress`. Raises NotFound."""
        self._subscribers.get(workspace, subscriber_id)
        return self._consent.suppress(workspace, subscriber_id, reason, source=source)

    def unsuppress(self, workspace: str, subscriber_id: str) -> Subscriber:
        """Lets the person be mailed again, see `ConsentService.unsuppress`. Raises NotFound."""
        return self._consent.unsuppress(workspace, subscriber_id)

    def _read(self, workspace: str, draft: SubscriberDraft) -> tuple[Subscriber, Fields]:
        """The person that the draft would make, and its fields."""
        settings = self._settings.get(workspace)
        problems: list[FieldProblem] = []
        address, fields = "", Fields()
        quality: tuple[str, ...] = ()
        try:
            address = normalise(draft.email)
            quality = AddressQuality(settings, self._mx).flags(address)
        except InvalidInput as error:
            problems += error.problems
        try:
            fields = read_fields(
                draft.attributes,
                draft.tags,
                draft.locale,
                draft.time_zone,
                types=settings.attributes,
            )
        except InvalidInput as error:
            problems += error.problems
        found, unknown = named_lists(self._lists, workspace, draft.list_ids)
        problems += unknown
        if problems:
            raise InvalidInput(problems)
        now = self._clock.now()
        person = Subscriber(
            id=self._ids.of(workspace, address),
            workspace=workspace,
            address=address,
            created_at=now,
            updated_at=now,
            lists=joining(found),
            attributes=fields.attributes,
            tags=fields.tags,
            locale=fields.locale,
            time_zone=fields.time_zone,
            quality=quality,
        )
        return person, fields

    def _present(self, new: Subscriber) -> Subscriber | None:
        person = self._subscribers.get_many(new.workspace, [new.id]).get(new.id)
        if person and person.moved_to:
            raise AlreadyExists(_MOVED)
        if person and person.deleted:
            raise WrongState("this person is being deleted; try again in a minute")
        return person

    def _add(self, person: Subscriber, circumstances: Circumstances | None) -> Subscriber:
        self._consent.admit(person.workspace, person.id, circumstances)
        if person.lists:
            self._consent.note_joined(person.workspace, person.id, person.lists, circumstances)
        for list_id in person.lists:
            self._memberships.add(person.workspace, list_id, [person.id])
        self._everywhere.adopt(person.workspace, {person.id: person.address})
        try:
            stored = self._subscribers.put(person)
        except StaleWrite as error:
            raise AlreadyExists(_EXISTS) from error
        return self._consent.copy_suppression(person.workspace, person.id, known=stored)

    def _dated(self, before: Subscriber, after: Subscriber) -> Subscriber:
        """With the time of the change, if there is one."""
        return after if after == before else replace(after, updated_at=self._clock.now())


_EXISTS = "there is a person of that address already; update that one"
_MOVED = "that is the former address of a person, who has another one now; use that one"
